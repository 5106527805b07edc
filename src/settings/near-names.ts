/** Names of former versions, of other images and of habit: what to use here. */
const renamed: ReadonlyMap<string, string> = new Map(
  Object.entries({
    DJANGO_DATABASE_URL: 'DATABASE_URL',
    POSTGRES_URL: 'DATABASE_URL',
    POSTGRES_HOSTNAME: 'POSTGRES_HOST',
    POSTGRES_SERVER: 'POSTGRES_HOST',
    POSTGRES_DATABASE: 'POSTGRES_DB',
    POSTGRES_DBNAME: 'POSTGRES_DB',
    POSTGRES_USERNAME: 'POSTGRES_USER',
    POSTGRES_PASS: 'POSTGRES_PASSWORD',
    POSTGRES_SSL: 'POSTGRES_SSLMODE',
    PGHOST: 'POSTGRES_HOST',
    PGPORT: 'POSTGRES_PORT',
    PGUSER: 'POSTGRES_USER',
    PGPASSWORD: 'POSTGRES_PASSWORD',
    PGDATABASE: 'POSTGRES_DB',
    PGSSLMODE: 'POSTGRES_SSLMODE',
    PGSSLROOTCERT: 'POSTGRES_SSLROOTCERT',
    HOSTS: 'ALLOWED_HOSTS',
    DJANGO_ALLOWED_HOSTS: 'ALLOWED_HOSTS',
    DOMAIN_NAME: 'PUBLIC_URL and ALLOWED_HOSTS',
    MATHESAR_URL: 'PUBLIC_URL',
    WORKERS: 'WEB_CONCURRENCY',
    GUNICORN_WORKERS: 'WEB_CONCURRENCY',
    THREADS: 'WEB_THREADS',
    GUNICORN_THREADS: 'WEB_THREADS',
    GUNICORN_BIND: 'BIND_ADDRESS and PORT',
    GUNICORN_PORT: 'PORT',
    MATHESAR_ADDR: 'BIND_ADDRESS',
  }),
)

/** Names that mean something elsewhere, and why they do nothing here. */
const withoutEffect: ReadonlyMap<string, string> = new Map(
  Object.entries({
    MATHESAR_DATABASES: 'it was removed from Mathesar; connect databases in its page',
    MATHESAR_IMAGE: 'only the build of the image reads it',
    PGDATA: 'the data of the embedded Postgres is always on the volume',
    POSTGRES_INITDB_ARGS: 'the embedded Postgres is made with the image',
    POSTGRES_INITDB_WALDIR: 'the embedded Postgres is made with the image',
    POSTGRES_HOST_AUTH_METHOD: 'the embedded Postgres is for this container alone',
  }),
)

/**
 * Names that begin or look like ours, but are read by Mathesar, by what we start or by us outside an image.
 */
// oxfmt-ignore
const ordinaryNames = [
  'PATH', 'HOME', 'LANG', 'LANGUAGE', 'LC_.*', 'TZ', 'PWD', 'OLDPWD', 'SHLVL', 'SHELL', 'TERM', 'USER', 'LOGNAME',
  'HOST', 'HOSTNAME', 'MAIL', '_', '.*_PROXY', 'GPG_KEY', 'PERL_.*', 'PYTHON.*', 'NODE_.*', 'PG_MAJOR', 'PG_VERSION',
  'DJANGO_SETTINGS_MODULE', 'DJANGO_SUPERUSER_.*', 'MEDIA_ROOT', 'SKIP_STATIC_COLLECTION',
  'MATHESAR_THEME_COLOR_.*', 'MATHESAR_BRANDING_ASSET_DIR', 'MATHESAR_(?:AUTH|APP_HEADER)_LOGO(?:_DARK)?_(?:URL|FILE)',
  'MATHESAR_DOCKER_IMAGE', 'MATHESAR_(?:ANALYTICS|INIT_REPORT|FEEDBACK)_URL', 'MATHESAR_CLIENT_DEV_PORT', 'MATHESAR_GATE_FD',
  'SUPERVISOR_(?:DATA|RUN|APP|SHARE|GUNICORN_CONFIG|POSTGRES_BIN|PYTHON_BIN|TRIAL)',
  // Kubernetes and Docker's links give these for a service called mathesar or postgres.
  '.*_SERVICE_(?:HOST|PORT)(?:_.*)?', '.*_PORT_\\d+_(?:TCP|UDP|SCTP)(?:_.*)?', '.*_ENV_.*',
]
const ordinary = new RegExp(`^(?:${ordinaryNames.join('|')})$`)
const ours = /^(?:MATHESAR|POSTGRES|GUNICORN|EMBEDDED|SUPERVISOR)_/
/** What a name can be for people to have meant a setting; it is printed, so it has no other characters. */
const wellFormed = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/

/**
 * So many names are compared with all known ones. That takes a tenth of a millisecond each,
 * and there may be any number.
 */
const comparedLimit = 200

/**
 * Edits between two words, an exchange of neighbours counted as one (Damerau-Levenshtein,
 * each place edited once).
 */
const distanceOf = (a: string, b: string): number => {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const exchanged =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
          ? before[j - 2]! + 1
          : Number.POSITIVE_INFINITY
      row.push(
        Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1), exchanged),
      )
    }
    before = above
    above = row
  }
  return above[b.length]!
}

/** The name as people vary it: without case, kind of dash and a prefix too many or too few. */
const plain = (name: string): string =>
  name
    .toUpperCase()
    .replace(/[.-]/g, '_')
    .replace(/^(?:MATHESAR|DJANGO)_/, '')

type Candidate = { readonly name: string; readonly word: string }

/** Also with its prefix: a letter may lack there, too. */
const candidatesOf = (name: string): readonly Candidate[] =>
  [...new Set([plain(name), name])].map((word) => ({ name, word }))

const nearestOf = (name: string, candidates: readonly Candidate[]): string | undefined => {
  const word = plain(name)
  const [nearest] = candidates
    .filter((candidate) => Math.abs(candidate.word.length - word.length) <= 2)
    .map((candidate) => ({ ...candidate, distance: distanceOf(word, candidate.word) }))
    .filter(({ distance }) => distance <= Math.min(2, word.length / 3))
    .sort((a, b) => a.distance - b.distance)
  return nearest?.name
}

/**
 * Names the one of the known names that was surely meant, behind what is wrong; "" where none is near.
 * `before` is what such names begin with.
 */
export const didYouMean = (name: string, known: readonly string[], before = ''): string => {
  const candidates = known.map((each) => ({ name: each, word: plain(each) }))
  const meant = nearestOf(name.slice(0, 64), candidates)
  return meant === undefined ? '' : `: did you mean ${before}${meant}?`
}

const unread = ': nothing reads it'

const warningFor = (
  name: string,
  names: ReadonlySet<string>,
  nearest: (name: string) => string | undefined,
): string | undefined => {
  const upper = name.toUpperCase()
  const service = /^(.+)_PORT$/.exec(name)?.[1]
  if (!wellFormed.test(name) || ordinary.test(upper) || (service && names.has(`${service}_SERVICE_HOST`)))
    return undefined
  const why = withoutEffect.get(upper)
  if (why !== undefined) return `setting ${name} has no effect: ${why}`
  if (!renamed.has(upper) && /^PG[A-Z]+$/.test(upper))
    return `setting ${name} has no effect: variables of libpq reach neither Postgres nor Mathesar here`
  const meant = renamed.get(upper) ?? nearest(name)
  if (meant !== undefined) return `unknown setting ${name}: did you mean ${meant}?`
  return ours.test(upper) ? `unknown setting ${name}${unread}` : undefined
}

/** Names of files that people write in place of ours, as far as their spelling goes. */
const plainFile = (name: string): string =>
  name
    .toLowerCase()
    .replace(/\.txt$/, '')
    .replace(/\.yaml$/, '.yml')
    .replaceAll('-', '_')

/** A sentence for each file of the config folder that was surely meant to be one of the known ones. */
export const fileWarningsFor = (names: readonly string[], known: readonly string[]): readonly string[] =>
  names.flatMap((name) => {
    if (known.includes(name) || !/^[\w.-]{1,64}$/.test(name)) return []
    const plainName = plainFile(name)
    const meant = /^\.?(?:mathesar\.)?env$/.test(plainName)
      ? known.find((each) => each.endsWith('.env'))
      : known.find((each) => each === plainName)
    return meant === undefined ? [] : `nothing reads config/${name}: did you mean ${meant}?`
  })

/**
 * A sentence for each name that is none of the known ones (or their NAME_FILE) but was surely meant to be.
 * Values are never asked for. Those of Mathesar that nobody knows reach it, where they are `passedOn`.
 */
export const warningsFor = (
  names: readonly string[],
  known: readonly string[],
  passedOn = /^(?!)/,
): readonly string[] => {
  const isKnown = (name: string): boolean =>
    known.includes(name) || (name.endsWith('_FILE') && known.includes(name.slice(0, -5)))
  const given = new Set(names)
  let candidates: readonly Candidate[] | undefined // Most starts have no name to compare.
  let compared = 0
  const nearest = (name: string): string | undefined => {
    candidates ??= [...known, ...known.map((each) => `${each}_FILE`)].flatMap(candidatesOf)
    return compared++ < comparedLimit ? nearestOf(name, candidates) : undefined
  }
  return [...given].flatMap((name) => {
    if (isKnown(name)) return []
    const trimmed = name.trim()
    // `- KEY = value` in a Compose file makes such a name.
    if (isKnown(trimmed)) return `nothing reads ${trimmed} with a blank around its name: leave the blank out`
    const warning = warningFor(name, given, nearest)
    return warning?.endsWith(unread) && passedOn.test(name)
      ? `unknown setting ${name}: it is passed on to Mathesar as it is`
      : (warning ?? [])
  })
}

import type { Faults } from './faults.ts'
import type { Random } from './random.ts'
import { misfits } from './mathesar.ts'
import { type Marker, urlOf } from './edits.ts'
import type { ExternalServer } from './external.ts'

export type Given = Readonly<Record<string, string>>

/** What somebody wants mathesar.env to be. */
export type Content = {
  readonly marker: Marker
  readonly given: Given
  /** Lines that are no settings. */
  readonly broken: string
  /** Mathesar cannot serve with it. */
  readonly isBad: boolean
}

export const embedded = 'embedded'

export const databaseSettings = [
  'POSTGRES_HOST',
  'POSTGRES_DB',
  'POSTGRES_USER',
  'POSTGRES_PASSWORD',
] as const

/** The database that a text names; undefined where it says nothing of one, or not in a whole line. */
export const databaseIn = (text: string): string | undefined => {
  const host = /^POSTGRES_HOST=(.*)\n/m.exec(text)?.[1]
  return host === '' ? embedded : host
}

/** What a file says that means the embedded database. */
export const meansEmbedded: Given = { POSTGRES_HOST: '' }

/** The settings of a database; of the embedded one there are none. */
export const settingsOf = (server: ExternalServer | undefined): Given =>
  server === undefined
    ? {}
    : {
        POSTGRES_HOST: server.host,
        POSTGRES_DB: 'mathesar',
        POSTGRES_USER: 'mathesar',
        POSTGRES_PASSWORD: server.password,
      }

/** Settings that change something, and harm nothing. */
export const drawHarmless = (random: Random): Given =>
  random.pick<Given>([
    {},
    { DEBUG: 'true' },
    { WEB_CONCURRENCY: String(random.between(1, 4)) },
    { ALLOWED_HOSTS: `a${random.between(1, 9)}.example` },
    { STOP_GRACE_PERIOD: random.pick(['5', '10', '30']) },
    { DATABASE_WAIT_TIMEOUT: random.pick(['0', '5', '120']) },
    { EMBEDDED_POSTGRES_WORK_MEM: String(random.between(4, 64)) },
    { CSRF_TRUSTED_ORIGINS: 'https://a.example' },
  ])

export const drawRestarting = (random: Random): Given =>
  random.pick<Given>([
    { EMBEDDED_POSTGRES_MAX_CONNECTIONS: String(random.between(20, 200)) },
    { EMBEDDED_POSTGRES_SHARED_BUFFERS: String(random.between(16, 256)) },
  ])

export const drawMisfit = (random: Random): Given => ({ GUNICORN_CMD_ARGS: random.pick(misfits) })

/** Lines that are refused as they stand, or settings that cannot serve. */
const drawInvalid = (random: Random): { readonly given: Given; readonly broken: string } => {
  const secret = `secret-${random.text(12)}`
  const broken = (line: string) => ({ given: {}, broken: line })
  const wrong = (given: Given) => ({ given, broken: '' })
  return random.pick([
    broken('WEB_CONCURRENCY=many'),
    broken(`POSTGRES_PASSWORD="${secret}`),
    broken(`${secret}`),
    broken('SECRET_KEY=not-here'),
    wrong({ POSTGRES_HOST: 'db', POSTGRES_PASSWORD: secret }),
    wrong({ ...settingsOf(undefined), POSTGRES_HOST: 'nowhere', POSTGRES_DB: 'm', POSTGRES_USER: 'm' }),
    wrong({ DATABASE_URL: `postgres://mathesar:${secret}@db/mathesar` }),
    wrong({ DATABASE_URL: `mysql://${secret}` }),
  ])
}

/** A content for a file. Each has a number of its own. */
export const drawContent = (
  { random, faults }: { readonly random: Random; readonly faults: Faults },
  marker: Marker,
  server: ExternalServer | undefined,
): Content => {
  const isInvalid = faults.strikes('edit is invalid')
  const isMisfit = !isInvalid && faults.strikes('setting that cannot serve')
  const isSaid = server === undefined && random.chance(0.5)
  const named = isSaid ? meansEmbedded : settingsOf(server)
  const { given, broken } = isInvalid ? drawInvalid(random) : { given: named, broken: '' }
  return {
    marker,
    given: {
      PUBLIC_URL: urlOf(marker),
      ...drawHarmless(random),
      ...(isMisfit ? drawMisfit(random) : {}),
      ...given,
    },
    broken,
    isBad: isInvalid || isMisfit,
  }
}

export const textOf = ({ given, broken }: Content): string =>
  `# by hand\n${Object.entries(given)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')}${broken}${broken === '' ? '' : '\n'}`

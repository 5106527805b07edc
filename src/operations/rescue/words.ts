import { inWholeMiB } from '../../core/amounts.ts'
import { isRecord } from '../../core/record.ts'
import { type Holder, holderInWords } from '../../units/holder.ts'
import { installationIn } from '../../units/manifest.ts'
import type { HandedOver } from './adopt.ts'
import type { Foreign, Found, Own } from './found.ts'
import type { Piece, Salvaged } from './salvage.ts'

/** What was found, for people. */

/** `holder` is whoever serves from it; of a cluster of another image nobody can tell. */
const stopOf = (isShutDown: boolean | undefined, holder: Holder | undefined | 'unknown'): string => {
  if (isShutDown === undefined) return 'its control file cannot be read'
  if (isShutDown) return 'shut down cleanly'
  if (holder === 'unknown') return 'not shut down cleanly: it runs, or recovers at its next start'
  return holder === undefined ? 'not shut down cleanly: it recovers at its next start' : 'running'
}

const keys: Readonly<Record<Own['key'], string>> = {
  there: 'the secret key is there',
  another: 'the secret key is ANOTHER than the one that its data was encrypted with',
  missing: 'the secret key is MISSING: without it nobody can decrypt the passwords that Mathesar stores',
}

const lastBootOf = ({ lastBoot }: Own['manifest']): string => {
  const { at, after } = isRecord(lastBoot) ? lastBoot : {}
  if (typeof at !== 'string') return 'it has not served yet'
  return `last start ${at}${typeof after === 'string' ? `, after an ${after}`.replace('an c', 'a c') : ''}`
}

const restores = {
  waits:
    'a restore takes the place of all this at the next start (`supervisor restore --undo` takes it back)',
  kept: 'the state before a restore is kept (`supervisor restore --undo`)',
} as const

const ownInWords = (own: Own): string => {
  const { folder, cluster, holder, manifest, key, archives, restored } = own
  const { servedBy } = installationIn(manifest)
  const { mathesar = '(unknown)', postgres = '(unknown)' } = servedBy
  return [
    `${folder}: an installation of this image`,
    `  Mathesar ${mathesar}, Postgres ${postgres}; ${lastBootOf(manifest)}`,
    cluster === undefined
      ? '  its cluster is GONE: mount or restore what was in its folder postgres'
      : `  its cluster: ${inWholeMiB(cluster.bytes)}, ${stopOf(cluster.isShutDown, holder)}`,
    ...(holder === undefined ? [] : [`  in use: ${holderInWords(holder)}`]),
    `  ${keys[key]}`,
    ...(archives > 0 ? [`  files in backups: ${archives} (\`supervisor backup list\`)`] : []),
    ...(restored === undefined ? [] : [`  ${restores[restored]}`]),
  ].join('\n')
}

const foreignInWords = ({ folder, major, isShutDown, bytes, isMathesars, key, media }: Foreign): string =>
  [
    `${folder}: a cluster of another image${isMathesars ? ', with the internal database of Mathesar' : ''}`,
    `  Postgres ${major ?? '(unknown)'}, ${inWholeMiB(bytes)}, ${stopOf(isShutDown, 'unknown')}`,
    key === undefined
      ? '  the secret key is not here: `docker cp CONTAINER:/code/.secrets secrets`, then mount it: ' +
        '`-v ./secrets:/code/.secrets:ro`'
      : `  the secret key: ${key}`,
    ...(media === undefined ? [] : [`  media: ${media}`]),
    '  `rescue --adopt` copies it into an installation of this image; the old one stays as it is',
  ].join('\n')

export const foundInWords = ({ own, foreign }: Found): string => {
  const parts = [...(own === undefined ? [] : [ownInWords(own)]), ...foreign.map(foreignInWords)]
  return parts.length === 0 ? 'nothing of Mathesar or Postgres is here' : parts.join('\n')
}

const pieceInWords = ({ database, name, file, lostPages, failure }: Piece): string => {
  if (failure !== undefined) return `LOST     ${database}: ${name}: ${failure}`
  return lostPages > 0
    ? `DAMAGED  ${database}: ${name}: ${file}; at least ${lostPages} pages of 8 KiB could not be read`
    : `saved    ${database}: ${name}: ${file}`
}

/** What a salvage has saved and lost, what is lost first. */
export const salvagedInWords = ({ from, isLogLost, pieces }: Salvaged): string => {
  const lines = pieces
    .map(pieceInWords)
    .toSorted((one, other) => one.slice(0, 1).localeCompare(other.slice(0, 1)))
  const whole = pieces.filter(({ failure, lostPages }) => failure === undefined && lostPages === 0).length
  return [
    `Salvaged from a copy of ${from}: ${whole} of ${pieces.length} dumps are whole.`,
    ...(isLogLost
      ? ['Its log could not be replayed: the last changes before the end may be missing or half there.']
      : []),
    'Load schema.sql of a database first, then its tables: psql --file. Numbers (OIDs) are new then.',
    ...lines,
  ].join('\n')
}

/** What the owner has to know or do after an adoption. */
export const warningsOf = (
  { roles, stored }: Omit<HandedOver, 'hasChecksums'>,
  locked: readonly string[],
  media: string | undefined,
): readonly string[] => [
  ...(locked.length > 0
    ? [`the stored passwords of these roles are lost, set them again in Mathesar: ${locked.join(', ')}`]
    : []),
  ...(roles.kept.length > 0
    ? [`roles with a superuser's rights, which Mathesar no longer manages: ${roles.kept.join(', ')}`]
    : []),
  ...(roles.outdated.length > 0
    ? [`roles whose password is stored as md5, set it again for them to log in: ${roles.outdated.join(', ')}`]
    : []),
  ...Object.entries(roles.renamed).map(([from, to]) => `the role ${from} is called ${to} now`),
  ...(stored.otherHosts.length > 0
    ? [
        `servers of these names stay as they are: ${stored.otherHosts.join(', ')}. If one ` +
          'is this cluster, adopt again with `--replace --host NAME`.',
      ]
    : []),
  ...(media === undefined ? ['no media were there: files that people uploaded are not copied'] : []),
]

import { isatty } from 'node:tty'
import { inMiB, inSeconds } from '../core/amounts.ts'
import { SupervisorError } from '../errors.ts'
import type { Bytes } from '../operations/archive/bytes.ts'
import { type BackupOptions, writeBackup } from '../operations/backup.ts'
import { lockOf } from '../operations/locks.ts'
import { planChain, type Planned } from '../operations/chain/plan.ts'
import { tidyLeft } from '../operations/incoming.ts'
import { keepBackup } from '../operations/keep.ts'
import { outsideInWords, outsideOf } from '../operations/outside.ts'
import { openNamedStore, openStores } from '../operations/places/store.ts'
import { lockOperations, type OperationScope } from '../operations/scope.ts'
import { parsePlace } from '../settings/backup-places.ts'
import { didYouMean } from '../settings/near-names.ts'
import { summarizesLog } from '../units/postgres/summaries.ts'
import type { Lock } from '../system/ports.ts'
import { list, show, verify } from './archives.ts'
import { parseArguments, type Usage, usageOf } from './arguments.ts'
import { print } from './output.ts'
import { createProgress, openOperation, tell, throwFirst, untilStopped, withServer } from './operation.ts'

const usage: Usage = usageOf('backup', 'back up')

type Wanted = {
  /** `-` for standard output; none for those of BACKUP_TO. */
  readonly places: readonly string[]
  readonly isPortable: boolean
  /** Only what has changed since the last one of the schedule, where that is possible. */
  readonly isIncremental: boolean
  readonly includesSecrets: boolean
  readonly isScheduled: boolean
}

const warn = ({ isPortable }: Wanted, isLocked: boolean, hasSecrets: boolean): void => {
  if (isPortable)
    tell(
      'A portable archive has the rows, and not what people built in Mathesar (settings, explorations, ' +
        'forms): a dump gives every table another OID.',
    )
  if (isLocked) return
  tell(
    hasSecrets
      ? 'This archive is not encrypted, and has the secret key: who has it can read every stored password.'
      : 'The secret key is not in this archive: without it nobody can decrypt the passwords that Mathesar ' +
          'stores. Set BACKUP_PASSPHRASE to encrypt archives, or give --include-secrets.',
  )
}

/** Where it goes, and whether it builds on what is there. */
const plan = async (
  scope: OperationScope,
  { places, isIncremental }: Wanted,
  lock: Lock | undefined,
): Promise<Planned> => {
  const stores = places.length > 0 ? places.map((text) => openNamedStore(scope, text)) : openStores(scope)
  if (!isIncremental) return { base: undefined, why: undefined, stores, failures: [] }
  const planned = await planChain(scope, stores, lock)
  if (planned.why !== undefined) tell(`a full backup is made: ${planned.why}`)
  return planned
}

/** Keeps the archive in places. What failed in some of them is thrown once the others have it. */
const keep = async (
  scope: OperationScope,
  wanted: Wanted,
  lock: Lock | undefined,
  write: (how: Pick<BackupOptions, 'base' | 'watch'>) => Bytes,
): Promise<void> => {
  const { isScheduled } = wanted
  const planned = await plan(scope, wanted, lock)
  const { made, failures } = await keepBackup(scope, { plan: planned, lock, isScheduled, write })
  for (const place of made.places)
    process.stdout.write(`${place === 'volume' ? `${scope.place.paths.data}/backups` : place}/${made.name}\n`)
  throwFirst(failures)
}

const create = async (scope: OperationScope, wanted: Wanted): Promise<void> => {
  const { system, inForce } = scope
  if (inForce.database.kind === 'external' && !wanted.isPortable)
    throw new SupervisorError('USAGE', 'cannot copy the files of an external database', {
      hint: 'Type `supervisor backup --portable`, or use the backups of its host, which are exact.',
    })
  lockOperations(scope)
  tidyLeft(scope)
  const lock = lockOf(scope)
  const hasSecrets = lock !== undefined || wanted.includesSecrets
  const progress = createProgress(system.clock)
  let written = 0
  const count = async function* (bytes: Bytes): AsyncGenerator<Buffer> {
    for await (const chunk of bytes) {
      written += chunk.length
      yield chunk
    }
  }
  if (!wanted.isScheduled) warn(wanted, lock !== undefined, hasSecrets)
  const elsewhere = outsideInWords(outsideOf(inForce))
  if (elsewhere !== undefined) tell(elsewhere)
  const kind = wanted.isPortable ? 'portable' : 'exact'
  const write = (how: Pick<BackupOptions, 'base' | 'watch'>): Bytes => {
    const plain = writeBackup(scope, { kind, hasSecrets, ...how, onProgress: progress.report })
    return count(lock === undefined ? plain : system.encrypt(plain, lock))
  }
  if (wanted.places[0] === '-') await print(write({}), 'BACKUP_FAILED')
  else await keep(scope, wanted, lock, write)
  const tookMs = progress.end()
  tell(`backed up: ${inMiB(written)} in ${inSeconds(tookMs)}`)
}

/** As the schedule makes it: of an external database there is one kind alone. */
const asScheduled = (scope: OperationScope, wanted: Wanted): Wanted =>
  wanted.isScheduled
    ? {
        ...wanted,
        isIncremental: summarizesLog(scope),
        isPortable: scope.inForce.database.kind === 'external',
      }
    : wanted

const options = {
  portable: { type: 'boolean', default: false },
  incremental: { type: 'boolean', default: false },
  'include-secrets': { type: 'boolean', default: false },
  scheduled: { type: 'boolean', default: false },
  quick: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const

const looks = ['list', 'show', 'verify']

const look = async (
  action: string,
  more: readonly string[],
  isQuick: boolean,
  isJson: boolean,
): Promise<number> => {
  const [argument, ...rest] = more
  if (rest.length > 0) usage('there are too many arguments')
  if (action === 'list') return await untilStopped(list(await openOperation(), isJson, argument))
  if (argument === undefined) return usage(`name the archive to ${action}, or - for standard input`)
  const scope = await openOperation()
  return await untilStopped(action === 'show' ? show(scope, argument) : verify(scope, argument, isQuick))
}

/** Before anything is started or said. */
const refuseNoPlaces = (texts: readonly string[]): void => {
  const wrong = texts.find((text) => text !== '-' && parsePlace(text) === undefined)
  if (wrong === undefined) return
  const meant = didYouMean(wrong, looks)
  if (meant !== '') usage(`there is no \`backup ${wrong}\`${meant}`)
  usage(`${wrong.slice(0, 80)} is not -, \`volume\`, a folder or s3://BUCKET/PREFIX`)
}

/** Makes an archive, or looks into some. */
export const run = async (args: readonly string[]): Promise<number> => {
  const { positionals, values } = parseArguments(args, options, usage)
  const [first, ...more] = positionals
  if (first !== undefined && looks.includes(first)) return await look(first, more, values.quick, values.json)
  refuseNoPlaces(positionals)
  const isTerminal = isatty(1)
  if (positionals.includes('-')) {
    if (more.length > 0) usage('standard output and another place at once')
    if (isTerminal) usage('an archive is nothing for a terminal: write it to a file, `… backup - > FILE`')
  }
  const isForPlaces = values.scheduled || values.incremental
  if (values.incremental && (positionals.includes('-') || values.portable))
    usage('an incremental archive is kept in a place, with those that it builds on, and has no dumps')
  const isForOutput = positionals.length === 0 && !isTerminal && !isForPlaces
  const wanted = {
    places: isForOutput ? ['-'] : positionals,
    isPortable: values.portable,
    isIncremental: values.incremental,
    includesSecrets: values['include-secrets'],
    isScheduled: values.scheduled,
  }
  return await withServer((scope) => create(scope, asScheduled(scope, wanted)))
}

import { minuteOf } from '../core/moment.ts'
import { SupervisorError } from '../errors.ts'
import type { Lock } from '../system/ports.ts'
import { fingerprintOf } from '../units/fingerprint.ts'
import { writeManifestIn } from '../units/manifest.ts'
import { readImageMigrations } from '../units/mathesar/applied.ts'
import { majorOf } from '../units/postgres/programs.ts'
import { readSecret } from '../units/secret-files.ts'
import { cancelSwap, forget, forgetAside, isKept, isWaiting, readJournal, replaced } from '../units/swap.ts'
import { type Description, type Fitness, requireFit } from './archive/description.ts'
import { bytesToRestore, openChain, type Source } from './chain/open.ts'
import {
  bringIn,
  createFlusher,
  isUsed,
  makeRoom,
  requireNoneWaiting,
  requireReplaceable,
  tidyLeft,
  swapIn,
} from './incoming.ts'
import { lockOperations, type OperationScope } from './scope.ts'
import { stage } from './stage.ts'

type RestoreOptions = {
  /** Whether what is there may go aside. */
  readonly mayReplace: boolean
  /** Whether the state that is kept from before the last restore may go: one is kept at a time. */
  readonly mayForget: boolean
  /** Whether the volume is ours alone. Else a supervisor serves from it, and the next start finishes. */
  readonly isAlone: boolean
  readonly lock: Lock | undefined
  readonly onProgress: (read: number, total: number) => void
}

type Restored = {
  readonly description: Description
  /** Whether it is in place; else it will be at the next start. */
  readonly isInPlace: boolean
  /** Where the state before is kept, if there was one. */
  readonly kept: string | undefined
  readonly warnings: readonly string[]
}

/** What this image can serve. */
export const fitnessOf = (scope: OperationScope): Fitness => ({
  postgresMajor: majorOf(scope.place)?.toString(),
  migrations: readImageMigrations(scope),
})

/** What the next start finds instead of an empty volume, should parts of it get lost. */
export const writeManifest = (scope: OperationScope, folder: string, description: Description): void => {
  const { instance, keyFingerprint, supervisor, mathesar, migration, postgres, locale, collation } =
    description
  writeManifestIn(scope, folder, {
    ...(instance === null ? {} : { instance }),
    servedBy: { supervisor, mathesar, migration, postgres, locale, collation },
    keyFingerprint,
    restored: { from: description.at, at: new Date(scope.system.clock.now()).toISOString() },
  })
}

/** The first restore may have been the wrong one: what was there before it may be all that there is. */
const requireNoneKept = (scope: OperationScope): void => {
  const journal = readJournal(scope)
  const last = isWaiting(journal) ? journal.before : journal
  if (!isKept(scope, last)) return
  throw new SupervisorError(
    'RESTORE_REFUSED',
    `cannot restore: the state from before the restore of ${minuteOf(last.at)} UTC is kept, and would go`,
    {
      hint:
        '`supervisor restore --undo` brings it back. Where nobody needs it any more, add `--forget`. ' +
        'Nothing was changed.',
    },
  )
}

/** Where the secret key comes from: the archive, the volume, who gives the command, or nowhere yet. */
type KeySource = 'archive' | 'volume' | 'given' | 'nowhere'

const keySourceOf = (scope: OperationScope, description: Description): KeySource => {
  const isIts = (key: string | undefined): boolean =>
    key !== undefined && fingerprintOf(key) === description.keyFingerprint
  if (description.hasSecrets) return 'archive'
  if (isIts(readSecret(scope, 'secret_key'))) return 'volume'
  return isIts(scope.inForce.settings.SECRET_KEY) ? 'given' : 'nowhere'
}

/** What takes the place of an installation has to serve: without its key it would not start. */
const requireKey = (scope: OperationScope, title: string, source: KeySource): void => {
  if (source !== 'nowhere' || !isUsed(scope)) return
  throw new SupervisorError(
    'RESTORE_REFUSED',
    `cannot restore ${title}: it has no secret key, and that of ${scope.place.paths.data} is another one`,
    {
      hint:
        'Give the key that it was made with, `-e SECRET_KEY=…` (with `docker exec`, too), or restore into ' +
        'a new, empty volume. Nothing was changed.',
    },
  )
}

/** A single user cannot set the superuser's password without one; that of the archive is not in it. */
const prepareSecrets = ({ system, inForce }: OperationScope, folder: string, source: KeySource): void => {
  if (source === 'archive' || source === 'volume') return
  const { SECRET_KEY: key } = inForce.settings
  system.files.makeFolder(`${folder}/secrets`, 0o700)
  system.files.writeWhole(`${folder}/secrets/postgres_password`, system.randomText(50), 0o600)
  if (source === 'given') system.files.writeWhole(`${folder}/secrets/secret_key`, key!, 0o600)
}

const keyWarnings = (
  { inForce: { settings } }: OperationScope,
  { keyFingerprint }: Description,
  source: KeySource,
): readonly string[] => {
  if (source === 'nowhere')
    return [
      'The archive has no secret key. Start with `-e SECRET_KEY=…`, as it was: another one cannot decrypt ' +
        'what Mathesar has stored.',
    ]
  const { SECRET_KEY: key } = settings
  if (source !== 'archive' || key === undefined || fingerprintOf(key) === keyFingerprint) return []
  return [
    'SECRET_KEY is given here, and is not the key of the archive, which has its own. Create the container ' +
      'without SECRET_KEY: with that one it cannot decrypt what Mathesar has stored.',
  ]
}

/** Unpacks, proves and puts in place. Until all is proved, nothing that is there is touched. */
export const restore = async (
  scope: OperationScope,
  source: Source,
  options: RestoreOptions,
): Promise<Restored> => {
  lockOperations(scope)
  requireReplaceable(scope, options.mayReplace)
  if (!options.mayForget) requireNoneKept(scope)
  const chain = await openChain({ system: scope.system, lock: options.lock }, source)
  const { description } = chain.newest
  requireFit(description, fitnessOf(scope))
  const keySource = keySourceOf(scope, description)
  requireKey(scope, source.title, keySource)
  const total = bytesToRestore(chain)
  makeRoom(scope, total)
  const kept = await bringIn(scope, options.isAlone, async (folder) => {
    let read = 0
    const flusher = createFlusher(scope, folder)
    const onProgress = (more: number): void => {
      read += more
      flusher.add(more)
      options.onProgress(read, total)
    }
    await stage(scope, chain, folder, { onProgress, onUnpacked: flusher.flush })
    await flusher.end()
    prepareSecrets(scope, folder, keySource)
    writeManifest(scope, folder, description)
    return keySource === 'volume' ? ['secrets'] : []
  })
  const warnings = keyWarnings(scope, description, keySource)
  return { description, isInPlace: options.isAlone, kept, warnings }
}

/** What an undo came to: a restore that waited is taken back, or the state before takes its place. */
export type Undone =
  | { readonly is: 'taken back' }
  /** Since when it was kept (ISO 8601), and where what it replaces is kept now. */
  | { readonly is: 'brought back'; readonly at: string; readonly kept: string | undefined }

/**
 * Brings back the state from before the last restore; what is there now is kept in its stead. A restore or an
 * undo that waits for the next start is taken back instead.
 */
export const undoRestore = (scope: OperationScope, isAlone: boolean): Undone => {
  lockOperations(scope)
  if (cancelSwap(scope)) return { is: 'taken back' }
  const last = readJournal(scope)
  if (last?.moves === undefined || !isKept(scope, last))
    throw new SupervisorError('RESTORE_REFUSED', 'cannot undo a restore: no state from before one is kept', {
      hint: 'An undo and `supervisor restore --replace` leave one, until `supervisor restore --forget`.',
    })
  const { moves } = last
  const kept = replaced.filter((name) => !moves.some((each) => each.name === name))
  const swap = { kind: 'undo', incoming: last.outgoing, kept } as const
  return { is: 'brought back', at: last.at, kept: swapIn(scope, swap, isAlone) }
}

/** Removes the state from before the last restore. */
export const forgetRestore = (scope: OperationScope): boolean => {
  lockOperations(scope)
  requireNoneWaiting(scope, 'forget', 'RESTORE_REFUSED')
  tidyLeft(scope)
  if (readJournal(scope) === undefined) return false
  forgetAside(scope)
  forget(scope)
  return true
}

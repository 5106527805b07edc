import { SupervisorError } from '../errors.ts'
import type { Lock } from '../system/ports.ts'
import { fingerprintOf } from '../units/fingerprint.ts'
import type { Place } from '../units/place.ts'
import { readControlFile } from '../units/postgres/control-file.ts'
import { majorOf } from '../units/postgres/programs.ts'
import { folderOf, forget, readJournal, replaced } from '../units/swap.ts'
import { type Description, type Fitness, requireFit } from './archive/description.ts'
import { bytesToRestore, openChain, type Source } from './chain/open.ts'
import {
  bringIn,
  createFlusher,
  makeRoom,
  requireReplaceable,
  tidyLeft,
  swapIn,
  volumeOf,
} from './incoming.ts'
import { lockOperations, type OperationScope } from './scope.ts'
import { stage } from './stage.ts'

export type RestoreOptions = {
  /** Whether what is there may go aside. */
  readonly mayReplace: boolean
  /** Whether the volume is ours alone. Else a supervisor serves from it, and the next start finishes. */
  readonly isAlone: boolean
  readonly lock: Lock | undefined
  readonly onProgress: (read: number, total: number) => void
}

export type Restored = {
  readonly description: Description
  /** Whether it is in place; else it will be at the next start. */
  readonly isInPlace: boolean
  /** Where the state before is kept, if there was one. */
  readonly kept: string | undefined
  readonly warnings: readonly string[]
}

/** What this image can serve. */
export const fitnessOf = ({ system, place }: OperationScope): Fitness => {
  const list = system.files.readIfThere(`${place.paths.share}/migrations.json`, 1024 * 1024)
  return {
    postgresMajor: majorOf(place)?.toString(),
    migrations: list === undefined ? undefined : (JSON.parse(list) as string[]),
  }
}

/** What the next start finds instead of an empty volume, should parts of it get lost. */
export const writeManifest = (scope: OperationScope, folder: string, description: Description): void => {
  const { system, place } = scope
  const { instance, keyFingerprint, supervisor, mathesar, migration, postgres, locale, collation } =
    description
  const staged: Place = { ...place, paths: { ...place.paths, data: folder } }
  const manifest = {
    ...(instance === null ? {} : { instance }),
    servedBy: { supervisor, mathesar, migration, postgres, locale, collation },
    keyFingerprint,
    restored: { from: description.at, at: new Date(system.clock.now()).toISOString() },
    cluster: {
      systemIdentifier: readControlFile({ ...scope, place: staged })?.identifier,
      startedAs: place.identities.supervisor.uid,
    },
  }
  system.files.writeWhole(`${folder}/manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`, 0o644)
}

/** Whether the volume has the key of the archive, which then stays where it is. */
const hasItsKey = ({ results: { secrets } }: OperationScope, { keyFingerprint }: Description): boolean =>
  secrets.secretKey !== '' && fingerprintOf(secrets.secretKey) === keyFingerprint

/** A single user cannot set the superuser's password without one; that of the archive is not in it. */
const prepareSecrets = ({ system }: OperationScope, folder: string): void => {
  system.files.makeFolder(`${folder}/secrets`, 0o700)
  system.files.writeWhole(`${folder}/secrets/postgres_password`, system.randomText(50), 0o600)
}

const keyWarning =
  'The archive has no secret key. Start with `-e SECRET_KEY=…`, as it was: another one cannot decrypt ' +
  'what Mathesar has stored.'

/** Unpacks, proves and puts in place. Until all is proved, nothing that is there is touched. */
export const restore = async (
  scope: OperationScope,
  source: Source,
  options: RestoreOptions,
): Promise<Restored> => {
  lockOperations(scope)
  requireReplaceable(scope, options.mayReplace)
  const chain = await openChain({ system: scope.system, lock: options.lock }, source)
  const { description } = chain.newest
  requireFit(description, fitnessOf(scope))
  const total = bytesToRestore(chain)
  makeRoom(scope, total)
  const keepsSecrets = !description.hasSecrets && hasItsKey(scope, description)
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
    if (!description.hasSecrets && !keepsSecrets) prepareSecrets(scope, folder)
    writeManifest(scope, folder, description)
    return keepsSecrets ? ['secrets'] : []
  })
  const warnings = description.hasSecrets || keepsSecrets ? [] : [keyWarning]
  return { description, isInPlace: options.isAlone, kept, warnings }
}

const isKept = ({ system, place }: OperationScope, name: string): boolean =>
  system.files.isThere(folderOf(place.paths, name))

/** Brings back the state from before the last restore; what is there now is kept in its stead. */
export const undoRestore = (scope: OperationScope, isAlone: boolean): string | undefined => {
  const volume = volumeOf(scope)
  lockOperations(scope)
  const last = readJournal(volume)
  if (last?.moves === undefined || !last.isDone || !isKept(scope, last.outgoing))
    throw new SupervisorError('RESTORE_REFUSED', 'cannot undo a restore: no state from before one is kept', {
      hint: 'An undo and `supervisor restore --replace` leave one, until `supervisor restore --forget`.',
    })
  const { moves } = last
  const kept = replaced.filter((name) => !moves.some((each) => each.name === name))
  return swapIn(scope, last.outgoing, kept, isAlone)
}

/** Removes the state from before the last restore. */
export const forgetRestore = (scope: OperationScope): boolean => {
  lockOperations(scope)
  const volume = volumeOf(scope)
  tidyLeft(scope)
  if (readJournal(volume)?.isDone !== true) return false
  forget(volume)
  return true
}

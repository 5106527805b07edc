import { formatArchiveName, parseArchiveName } from '../core/archive-name.ts'
import { SupervisorError, toSupervisorError } from '../errors.ts'
import { chooseRemoved } from '../settings/retention.ts'
import { changeRecord, type MadeBackup, readRecord } from '../units/backup-record.ts'
import { fingerprintOf } from '../units/fingerprint.ts'
import { installationIn, readManifest } from '../units/manifest.ts'
import type { Bytes } from './archive/bytes.ts'
import { spread } from './places/spread.ts'
import type { Store } from './places/store.ts'
import { countBytes } from './sources.ts'
import type { OperationScope } from './scope.ts'

/** Names the installation, in the names of its archives: several may share a place. */
const installationName = (scope: OperationScope): string => {
  const { instance } = installationIn(readManifest(scope))
  return (instance ?? fingerprintOf(scope.results.secrets.secretKey)).replace(/[^A-Za-z0-9]/g, '').slice(0, 8)
}

/** Removes what BACKUP_KEEP no longer keeps of the archives that the schedule has made in a place. */
const thinOut = async (scope: OperationScope, { list, remove }: Store): Promise<void> => {
  const own = installationName(scope)
  const { proved } = readRecord(scope)
  const archives = (await list()).flatMap(({ name }) => {
    const { atMs = 0, by } = parseArchiveName(name) ?? {}
    return by === own ? [{ name, atMs }] : []
  })
  const rule = scope.inForce.settings.BACKUP_KEEP
  const pinned = proved === undefined ? [] : [proved.name]
  for (const name of chooseRemoved(rule, archives, pinned)) await remove(name)
}

/** What one place could not do, where another has the archive. */
const inPart = ({ code, message, hint }: SupervisorError, { places }: MadeBackup): SupervisorError =>
  new SupervisorError(code, `${message}; it is kept in ${places.join(', ')}`, { hint })

type Options = {
  /** The archive, as it is to be kept. */
  readonly archive: Bytes
  readonly isLocked: boolean
  /** Whether it is one of the schedule, of which older ones give way. */
  readonly isScheduled: boolean
}

/**
 * Keeps an archive in places, and notes it. Throws where none has it. Else returns what was made, and what
 * failed in some of the places.
 */
export const keepBackup = async (
  scope: OperationScope,
  stores: readonly Store[],
  { archive, isLocked, isScheduled }: Options,
): Promise<{ readonly made: MadeBackup; readonly failures: readonly SupervisorError[] }> => {
  const { clock } = scope.system
  const atMs = clock.now()
  const by = isScheduled ? installationName(scope) : undefined
  const name = formatArchiveName({ atMs, by }, isLocked)
  const isEmbedded = scope.inForce.database.kind === 'embedded'
  const aboutBytes = isEmbedded ? await countBytes(scope) : 0
  const { bytes, places, failures } = await spread(stores, name, aboutBytes, archive)
  const made = { name, atMs, tookMs: clock.now() - atMs, bytes, places }
  const after: SupervisorError[] = []
  const collect = (error: unknown): void => void after.push(toSupervisorError(error))
  try {
    changeRecord(scope, () => ({ made }))
  } catch (error) {
    collect(error) // The volume may be full, and the archive elsewhere.
  }
  for (const store of isScheduled ? stores : []) {
    if (!places.includes(store.title)) continue
    await thinOut(scope, store).catch(collect)
  }
  return { made, failures: [...failures, ...after].map((error) => inPart(error, made)) }
}

import {
  type ArchiveId,
  findParent,
  formatArchiveName,
  isInFuture,
  parseArchiveName,
} from '../core/archive-name.ts'
import { SupervisorError, toSupervisorError } from '../errors.ts'
import type { Lock } from '../system/ports.ts'
import { chooseRemoved } from '../settings/retention.ts'
import { changeRecord, type MadeBackup, readRecord } from '../units/backup-record.ts'
import { fingerprintOf } from '../units/fingerprint.ts'
import { isVolumeCopied } from '../units/holder.ts'
import { inVolume } from '../units/place.ts'
import type { Scope } from '../units/unit.ts'
import { summarizesLog } from '../units/postgres/summaries.ts'
import type { Bytes } from './archive/bytes.ts'
import type { BackupOptions } from './backup.ts'
import { ChainDraft, endChain } from './chain/draft.ts'
import type { Planned } from './chain/plan.ts'
import { lockInWords } from './locks.ts'
import { type Spread, spread } from './places/spread.ts'
import type { Store } from './places/store.ts'
import { countBytes } from './sources.ts'
import type { OperationScope } from './scope.ts'

/**
 * Names the volume in the names of its archives: others may keep theirs in the same place, among them a copy
 * of this volume, and what was restored from an archive of it. Each removes only its own.
 */
const ownLetters = (scope: OperationScope): string => {
  const { system, place, results } = scope
  const lock = system.files.identityOf(inVolume(place.paths).lock)
  if (lock === undefined) return fingerprintOf(results.secrets.secretKey).slice(0, 8) // Nothing lasts here.
  const { owner } = readRecord(scope)
  if (owner !== undefined && !isVolumeCopied(scope, owner.lock, lock)) return owner.letters
  const letters = system.randomText(8)
  changeRecord(scope, () => ({ owner: { letters, lock } }))
  return letters
}

/** Removes what BACKUP_KEEP no longer keeps of the archives that the schedule has made in a place. */
export const thinOut = async (
  scope: Scope<never>,
  { list, remove }: Pick<Store, 'list' | 'remove'>,
  made: string,
): Promise<void> => {
  const own = parseArchiveName(made)?.by
  const { proved } = readRecord(scope)
  const nowMs = scope.system.clock.now()
  const all = (await list()).map(({ name }) => ({ name, ...parseArchiveName(name) }))
  // What a wrong clock has dated in the future takes no day of the rule, and stays: the clock may be ours.
  const isSubject = ({ by, atMs = 0 }: Partial<ArchiveId>): boolean => by === own && !isInFuture(atMs, nowMs)
  const parentOf = (name: string): string | undefined => findParent(name, all)?.name
  const archives = all.filter(isSubject).map(({ name, atMs = 0 }) => ({ name, atMs, parent: parentOf(name) }))
  const rule = scope.inForce.settings.BACKUP_KEEP
  // What stays in any case, such as that which people made by hand, may build on these.
  const needed = all.flatMap((each) => (isSubject(each) ? [] : (parentOf(each.name) ?? [])))
  const pinned = [...needed, made, ...(proved === undefined ? [] : [proved.name])]
  for (const name of chooseRemoved(rule, archives, pinned)) await remove(name)
}

/** What one place could not do, where another has the archive. */
const inPart = ({ code, message, hint }: SupervisorError, { places }: MadeBackup): SupervisorError =>
  new SupervisorError(code, `${message}; it is kept in ${places.join(', ')}`, { hint })

type Options = {
  readonly plan: Planned
  readonly lock: Lock | undefined
  /** Whether the schedule made it: then older ones of its kind give way. */
  readonly isScheduled: boolean
  /** The archive, as it is to be kept. */
  readonly write: (how: Pick<BackupOptions, 'base' | 'watch'>) => Bytes
}

/** How it is called: also after what, where it builds on another one. */
const nameOf = (
  scope: OperationScope,
  atMs: number,
  { plan: { base }, lock, isScheduled }: Options,
): string => {
  const by = isScheduled ? ownLetters(scope) : undefined
  const after = parseArchiveName(base?.chain.links.at(-1)?.name ?? '')
  return formatArchiveName({ atMs, by, after }, lock !== undefined)
}

type Written = Spread & {
  readonly name: string
  readonly atMs: number
  readonly draft: ChainDraft | undefined
}

const write = async (scope: OperationScope, options: Options): Promise<Written> => {
  const { base, stores } = options.plan
  const atMs = scope.system.clock.now()
  const name = nameOf(scope, atMs, options)
  const isEmbedded = scope.inForce.database.kind === 'embedded'
  const aboutBytes = isEmbedded ? await countBytes(scope) : 0
  const isLink = options.isScheduled && summarizesLog(scope)
  const draft = isLink ? await ChainDraft.begin(scope, name, base?.chain) : undefined
  try {
    const archive = options.write({ base, ...(draft && { watch: draft.watch }) })
    return { name, atMs, draft, ...(await spread(stores, name, aboutBytes, archive)) }
  } catch (error) {
    await draft?.abort()
    throw error
  }
}

/** Where Postgres cannot say what has changed, all of it is copied. */
const writeAtLast = async (scope: OperationScope, options: Options): Promise<Written> => {
  try {
    return await write(scope, options)
  } catch (error) {
    const { code, message } = toSupervisorError(error)
    if (options.plan.base === undefined || code !== 'BACKUP_FAILED') throw error
    scope.system.log.say('warn', `${message}: a full backup is made`)
    endChain(scope)
    return await write(scope, { ...options, plan: { ...options.plan, base: undefined } })
  }
}

/**
 * Keeps an archive in places, and notes it. Throws where none has it. Else returns what was made, and what
 * failed in some of the places. The next one of the schedule may build on this one, if it is of the schedule,
 * too: others may be removed by who made them.
 */
export const keepBackup = async (
  scope: OperationScope,
  options: Options,
): Promise<{ readonly made: MadeBackup; readonly failures: readonly SupervisorError[] }> => {
  const { plan, lock, isScheduled } = options
  const { name, atMs, draft, bytes, places, failures } = await writeAtLast(scope, options)
  const made = { name, atMs, tookMs: scope.system.clock.now() - atMs, bytes, places }
  const after: SupervisorError[] = []
  const collect = (error: unknown): void => void after.push(toSupervisorError(error))
  try {
    changeRecord(scope, () => ({ made }))
    if (draft !== undefined) await draft.keep({ name, atMs, bytes }, lockInWords(lock))
    else if (isScheduled) endChain(scope)
  } catch (error) {
    collect(error) // The volume may be full, and the archive elsewhere.
  }
  for (const store of isScheduled ? plan.stores : []) {
    if (!places.includes(store.title)) continue
    await thinOut(scope, store, name).catch(collect)
  }
  return { made, failures: [...plan.failures, ...failures, ...after].map((error) => inPart(error, made)) }
}

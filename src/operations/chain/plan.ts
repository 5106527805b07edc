import { dayMs, hourMs } from '../../core/amounts.ts'
import { minuteOf } from '../../core/moment.ts'
import { SupervisorError, toSupervisorError } from '../../errors.ts'
import type { Lock } from '../../system/ports.ts'
import { type Chain, readRecord } from '../../units/backup-record.ts'
import { asSuperuser } from '../../units/postgres/connection.ts'
import { readControlFile } from '../../units/postgres/control-file.ts'
import { summarizesLog } from '../../units/postgres/summaries.ts'
import { openArchive } from '../archive/read.ts'
import { keyOf, lockInWords } from '../locks.ts'
import type { Store } from '../places/store.ts'
import type { OperationScope } from '../scope.ts'
import { manifestPath } from './draft.ts'

/**
 * The theory of a chain.
 *
 * A full archive, and archives that each have what has changed since the one before: its parent. Postgres
 * finds that out by summaries of its log, which it keeps for ten days (`summarize_wal`), from the manifest of
 * the parent, which stays in the volume. One archive goes to every place, so each must have every link. The
 * name of an archive has its parent in it, so a place alone tells what belongs together, whatever became of
 * the volume and whether or not the archives can be read.
 *
 * A wrong parent would be silent damage. So a chain goes on only where Postgres has a summary that ends just
 * where the log of the parent begins: a cluster that came from elsewhere since, by a restore, an undo, an
 * upgrade or by hand, has none. Postgres then looks for a gap, and a restore has it compare both ends of each
 * link. Whatever is in doubt makes a full archive.
 */

/** A chain is no longer than that: a restore reads all of it. */
const linkLimit = 31
/** A run of each night is a few seconds early now and then. */
const slackMs = hourMs

type Now = { readonly nowMs: number; readonly fullEveryDays: number; readonly lock: string }

/** Why a chain does not go on, as far as what is known of it tells. */
export const whyEnded = (chain: Chain, { nowMs, fullEveryDays, lock }: Now): string | undefined => {
  const [full, ...since] = chain.links
  const last = since.at(-1) ?? full
  if (nowMs - full.atMs >= fullEveryDays * dayMs - slackMs)
    return `the last full one is of ${minuteOf(full.atMs)} UTC`
  if (last.atMs > nowMs) return `the last one is of ${minuteOf(last.atMs)} UTC: the clock was set back`
  if (last.atMs > nowMs - 1000) return 'the last one is of this very second'
  if (chain.links.length >= linkLimit) return `${since.length} build on the last full one already`
  if (since.reduce((sum, { bytes }) => sum + bytes, 0) >= full.bytes)
    return 'what has changed since the last full one is more than it has'
  return lock === chain.lock ? undefined : 'archives are encrypted in another way now'
}

const whyNotByPostgres = async (scope: OperationScope, { identifier, start }: Chain) => {
  if (readControlFile(scope)?.identifier !== identifier) return 'the last one is of another cluster'
  const reaches = await asSuperuser(scope, async (client) => {
    const { rows } = await client.query<{ reaches: boolean }>(
      `SELECT EXISTS (SELECT FROM pg_available_wal_summaries()
        WHERE tli = $1::bigint AND end_lsn = $2::pg_lsn) AS reaches`,
      [start.timeline, start.lsn],
    )
    return rows[0]?.reaches === true
  })
  return reaches ? undefined : 'Postgres has no summary of its log since the last one'
}

/** Whether the container can read what it writes: not with public keys alone. */
const canRead = (scope: OperationScope, { lock }: Chain): boolean => {
  const key = keyOf(scope)
  return lock === 'none' || (key !== undefined && (lock === 'passphrase') === 'passphrase' in key)
}

/** Why a place lacks what the next archive would build on. Throws where it cannot be used. */
const whyNotIn = async (
  scope: OperationScope,
  { title, list, read }: Store,
  chain: Chain,
): Promise<string | undefined> => {
  const stored = new Map((await list()).map(({ name, bytes }) => [name, bytes]))
  const lost = chain.links.find(({ name, bytes }) => stored.get(name) !== bytes)
  if (lost !== undefined) return `${lost.name} is not whole in ${title}`
  if (!canRead(scope, chain)) return undefined
  const { name } = chain.links.at(-1)!
  try {
    const { entries } = await openArchive(scope.system, read(name), keyOf(scope))
    await entries.return(undefined)
    return undefined
  } catch (error) {
    const { code, message } = toSupervisorError(error)
    if (code === 'BACKUP_PLACE_FAILED') throw error
    return `${name} in ${title} does not open: ${message}`
  }
}

/** What an archive builds on. */
export type Base = {
  readonly chain: Chain
  /** The manifest of its last link, for Postgres. */
  readonly manifest: string
}

export type Planned = {
  /** `undefined`: a full one is made. */
  readonly base: Base | undefined
  /** Why it is. */
  readonly why: string | undefined
  /** The places that can be used, and what is wrong with the others. */
  readonly stores: readonly Store[]
  readonly failures: readonly SupervisorError[]
}

/** Decides whether an archive for these places may have only what has changed. */
export const planChain = async (
  scope: OperationScope,
  stores: readonly Store[],
  lock: Lock | undefined,
): Promise<Planned> => {
  const { system, inForce } = scope
  const full = (why: string): Planned => ({ base: undefined, why, stores, failures: [] })
  if (!summarizesLog(scope)) return full('BACKUP_FULL_EVERY is 0, or BACKUP_SCHEDULE is off')
  const { chain } = readRecord(scope)
  const known = { nowMs: system.clock.now(), fullEveryDays: inForce.settings.BACKUP_FULL_EVERY }
  if (chain === undefined) return full('there is none yet that it could build on')
  const why = whyEnded(chain, { ...known, lock: lockInWords(lock) })
  if (why !== undefined) return full(why)
  const manifest = manifestPath(scope, chain.links.at(-1)!.name)
  if (!system.files.isThere(manifest)) return full('the manifest of the last one is gone')
  const whyServer = await whyNotByPostgres(scope, chain)
  if (whyServer !== undefined) return full(whyServer)
  const usable: Store[] = []
  const failures: SupervisorError[] = []
  for (const store of stores) {
    try {
      const whyPlace = await whyNotIn(scope, store, chain)
      if (whyPlace !== undefined) return full(whyPlace)
      usable.push(store)
    } catch (error) {
      failures.push(toSupervisorError(error)) // Nobody knows what it has: nothing is built on that.
    }
  }
  if (usable.length === 0) throw failures[0]!
  return { base: { chain, manifest }, why: undefined, stores: usable, failures }
}

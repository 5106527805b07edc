import { MiB } from '../../core/amounts.ts'
import { SupervisorError } from '../../errors.ts'
import { inVolume } from '../../units/place.ts'
import { asSuperuser } from '../../units/postgres/connection.ts'
import { replaced } from '../../units/swap.ts'
import { type Base, usableBases, walKeepOf } from '../../units/undo.ts'
import { bringIn, makeRoom, requireReplaceable } from '../incoming.ts'
import type { OperationScope } from '../scope.ts'
import { askBeside, lookIntoEach, withSideServer } from '../server.ts'
import { countBytes } from '../sources.ts'
import { makeEmptyFiles, makeOwnFolder, unpackCluster, verifyCluster } from '../stage.ts'

/** Where to go back to: a moment, or just before a place in the log, which was at a moment. */
export type Target = { readonly atMs: number; readonly lsn?: string }

const iso = (ms: number): string => new Date(ms).toISOString()

/** Nothing is kept. */
export const noWindow = ({ inForce }: Pick<OperationScope, 'inForce'>): SupervisorError => {
  const next =
    inForce.settings.UNDO_SPACE > 0
      ? 'The first copy is made half a minute after the start: `supervisor status` says since when, or ' +
        'what is in its way.'
      : 'Turn it on for the next time: `supervisor config set UNDO_SPACE=512` (MiB); it begins half a ' +
        'minute later.'
  return new SupervisorError('UNDO_REFUSED', 'cannot go back: nothing is kept for it yet', {
    hint: `${next} To go back now: \`supervisor backup list\`.`,
  })
}

/** The newest base that is older than the moment. */
const chooseBase = (scope: OperationScope, { atMs }: Target): Base => {
  const bases = usableBases(scope)
  const base = bases.find(({ endMs }) => endMs <= atMs)
  const oldest = bases.at(-1)
  if (oldest === undefined) throw noWindow(scope)
  if (base !== undefined) return base
  throw new SupervisorError(
    'UNDO_REFUSED',
    `cannot go back to ${iso(atMs)}: what is kept begins at ${iso(oldest.endMs)}`,
    {
      hint: 'Go back less far, or restore a backup: `supervisor backup list`. Nothing was changed.',
    },
  )
}

/**
 * Ends the file of the log, so that all of it can be read, after a commit that is later than any moment that
 * somebody may ask for: Postgres stops at the first one that is.
 */
const endLog = (scope: OperationScope): Promise<void> =>
  asSuperuser(scope, async (client) => {
    await client.query('SELECT pg_current_xact_id()')
    await client.query('SELECT pg_switch_wal()')
  })

const quoted = (path: string): string => `'${path.replaceAll("'", String.raw`'\''`)}'`

/** What has Postgres replay the log up to the target. Nobody connects meanwhile. */
const parametersOf = (
  { place }: OperationScope,
  { atMs, lsn }: Target,
): Readonly<Record<string, string>> => ({
  restore_command: `cp ${quoted(`${inVolume(place.paths).cluster}/pg_wal`)}/%f "%p"`,
  recovery_target_timeline: 'current',
  recovery_target_action: 'promote',
  hot_standby: 'off',
  ...(lsn === undefined
    ? { recovery_target_time: iso(atMs).replace('Z', '+00') } // It knows no Z.
    : { recovery_target_lsn: lsn, recovery_target_inclusive: 'off' }),
})

/** Looks into each database, and gives when the last change was; `null` where there was none. */
export const proveOpens = async (scope: OperationScope, folder: string): Promise<string | null> => {
  await lookIntoEach(scope, folder)
  const [last] = await askBeside<{ at: string | null }>(
    scope,
    folder,
    'template1',
    `SELECT to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS at`,
  )
  return last?.at ?? null
}

type Recovered = {
  /** When the last change was that it has, in UTC; `null` where there was none since the base. */
  readonly lastChange: string | null
  /** Where the state is that is undone. */
  readonly kept: string | undefined
}

/** The base to go back with. There is room for the cluster of then, and the log can be read to its end. */
export const requireWindow = async (scope: OperationScope, target: Target): Promise<Base> => {
  const base = chooseBase(scope, target)
  const walBytes = walKeepOf(scope.inForce.settings.UNDO_SPACE, undefined) * MiB
  makeRoom(scope, (await countBytes(scope)) + walBytes)
  await endLog(scope)
  return base
}

/**
 * Makes the cluster of a moment in `postgres` of a folder, with nothing of the one that serves touched. `act`
 * has its server, which then shuts down in order.
 */
export const recoverInto = async <T>(
  scope: OperationScope,
  folder: string,
  { base, target, what }: { readonly base: Base; readonly target: Target; readonly what: string },
  act: () => Promise<T>,
): Promise<T> => {
  const { system, place } = scope
  makeOwnFolder(scope, folder, undefined, 0o711)
  await unpackCluster(scope, folder, system.readStream(`${inVolume(place.paths).undo}/${base.name}`))
  await verifyCluster(scope, `${folder}/postgres`, ['--no-parse-wal'])
  await makeEmptyFiles(scope, folder, 'recovery.signal')
  const parameters = parametersOf(scope, target)
  const side = { folder, what, code: 'UNDO_REFUSED', isKept: true, user: 'postgres', parameters } as const
  return await withSideServer(scope, side, act)
}

/**
 * Brings the cluster to what it was, beside the one that serves, and has the next start put it in its place.
 * All else of the installation stays. Until it is proved to open, nothing is touched.
 */
export const undoTo = async (scope: OperationScope, target: Target): Promise<Recovered> => {
  requireReplaceable(scope, true)
  const base = await requireWindow(scope, target)
  let lastChange: string | null = null
  const kept = await bringIn(
    scope,
    false,
    async (folder) => {
      lastChange = await recoverInto(scope, folder, { base, target, what: 'undo' }, () =>
        proveOpens(scope, folder),
      )
      return replaced.filter((name) => name !== 'postgres' && name !== 'undo')
    },
    'undo',
  )
  return { lastChange, kept }
}

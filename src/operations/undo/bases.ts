import { MiB } from '../../core/amounts.ts'
import { reserveBytes } from '../../core/space.ts'
import { SupervisorError } from '../../errors.ts'
import { inVolume } from '../../units/place.ts'
import { asSuperuser, asSuperuserIn } from '../../units/postgres/connection.ts'
import { asSuperuserOf, libpqEnvironment } from '../../units/postgres/libpq.ts'
import { asPostgres } from '../../units/postgres/programs.ts'
import { requireFreeBytes } from '../../units/space.ts'
import {
  type Base,
  baseBytesOf,
  chooseObsolete,
  describedIn,
  isUsable,
  listBases,
  type Names,
  readNames,
  type TableName,
} from '../../units/undo.ts'
import type { Bytes } from '../archive/bytes.ts'
import { countBytes } from '../sources.ts'
import { outputOf } from '../programs.ts'
import type { OperationScope } from '../scope.ts'

/** How much smaller a copy of the cluster is likely to be, where none was made yet. */
const guessedRatio = 3
/** After how many bytes the space that is left is looked at. */
const lookEveryBytes = 4 * MiB
/** With more names than that, those of tables long gone are forgotten. */
const tableLimit = 200_000

const removeBase = ({ system, place }: OperationScope, base: Base): void => {
  const folder = inVolume(place.paths).undo
  system.files.remove(`${folder}/${describedIn(base)}`)
  system.files.remove(`${folder}/${base.name}`)
}

const tooSmall = (limitBytes: number): SupervisorError =>
  new SupervisorError(
    'UNDO_REFUSED',
    'cannot keep a copy of the cluster for an undo: it takes more than half of UNDO_SPACE, which is ' +
      `${Math.floor(limitBytes / MiB)} MiB`,
    { hint: 'Raise UNDO_SPACE, or set it to 0. Backups are made all the same.' },
  )

const copyCommand = [
  'pg_basebackup',
  '--pgdata=-',
  '--format=tar',
  '--wal-method=none',
  '--compress=client-zstd:3',
  '--checkpoint=fast',
  '--no-password',
  '--label=undo',
] as const

const readCluster = (scope: OperationScope): Bytes => {
  const { place, results } = scope
  const env = libpqEnvironment(place, asSuperuserOf(place.paths, results.secrets.superuserPassword))
  return outputOf(scope, { what: 'copy the cluster', command: asPostgres(place, copyCommand, env) })
}

const requireRoom = (scope: OperationScope): void =>
  requireFreeBytes(scope, scope.place.paths.data, reserveBytes, {
    what: 'keep a copy of the cluster for an undo',
  })

/** Writes the copy, unless it grows larger than it may be. Gives its bytes. */
const writeCopy = async (scope: OperationScope, path: string, limitBytes: number): Promise<number> => {
  const file = await scope.system.createFile(path)
  let [written, lookedAt] = [0, 0]
  try {
    requireRoom(scope)
    for await (const chunk of readCluster(scope)) {
      written += chunk.length
      if (written > limitBytes) throw tooSmall(limitBytes)
      if (written - lookedAt > lookEveryBytes) {
        requireRoom(scope)
        lookedAt = written
      }
      await file.write(chunk)
    }
    await file.finish()
    return written
  } catch (error) {
    await file.abort()
    throw error
  }
}

/** Makes a base, within what UNDO_SPACE leaves. Older ones give way, those of no use any more first. */
export const makeBase = async (scope: OperationScope): Promise<Base> => {
  const { system, place, inForce } = scope
  const folder = inVolume(place.paths).undo
  const limitBytes = baseBytesOf(inForce.settings.UNDO_SPACE)
  system.files.makeFolder(folder, 0o700)
  const before = listBases(scope)
  for (const base of before.filter((each) => !isUsable(scope, each))) removeBase(scope, base)
  const usable = before.filter((each) => isUsable(scope, each))
  const nextBytes = before[0]?.bytes ?? (await countBytes(scope)) / guessedRatio
  for (const base of chooseObsolete(usable, nextBytes * 1.1, limitBytes)) removeBase(scope, base)
  const leftBytes = limitBytes - listBases(scope).reduce((sum, { bytes }) => sum + bytes, 0)
  const { startLsn, startFile } = await asSuperuser(scope, async (client) => {
    const { rows } = await client.query<{ startLsn: string; startFile: string }>(
      `SELECT pg_current_wal_lsn()::text AS "startLsn", pg_walfile_name(pg_current_wal_lsn()) AS "startFile"`,
    )
    return rows[0]!
  })
  const at = new Date(system.clock.now()).toISOString().replaceAll(/[:.]/g, '-')
  const name = `base-${at}.tar.zst`
  const bytes = await writeCopy(scope, `${folder}/${name}`, leftBytes)
  const base: Base = { name, endMs: system.clock.now(), startLsn, startFile, bytes }
  system.files.writeWhole(`${folder}/${describedIn(base)}`, `${JSON.stringify(base)}\n`, 0o600)
  return base
}

type Found = { readonly file: number; readonly oid: number; readonly name: string }

const readTables = (scope: OperationScope, database: string): Promise<readonly Found[]> =>
  asSuperuserIn(scope, database, async (client) => {
    const { rows } = await client.query<Found>(
      `SELECT relfilenode::bigint::float8 AS file, pg_class.oid::bigint::float8 AS oid,
          format('%I.%I', nspname, relname) AS name
        FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE relkind = 'r' AND pg_class.oid >= 16384 AND relpersistence = 'p' LIMIT ${tableLimit}`,
    )
    return rows
  })

/** The tables that are there now. A database that nobody may enter has none that are known. */
export const readPresentNames = async (scope: OperationScope): Promise<Names> => {
  const databases = await asSuperuser(scope, async (client) => {
    const { rows } = await client.query<{ oid: string; name: string; isOpen: boolean }>(
      'SELECT oid::text, datname AS name, datallowconn AND NOT datistemplate AS "isOpen" FROM pg_database',
    )
    return rows
  })
  const tables: Record<string, TableName> = {}
  for (const database of databases.filter(({ isOpen }) => isOpen)) {
    const found = await readTables(scope, database.name).catch((): readonly Found[] => [])
    for (const { file, oid, name } of found) tables[`${database.oid}/${file}`] = { oid, name }
  }
  return {
    atMs: scope.system.clock.now(),
    databases: Object.fromEntries(databases.map(({ oid, name }) => [oid, name])),
    tables,
  }
}

/** Notes the names of now beside those that were: what is dropped later has one. */
export const noteNames = async (scope: OperationScope): Promise<void> => {
  const { system, place } = scope
  const [before, now] = [readNames(scope), await readPresentNames(scope)]
  const merged = Object.entries({ ...before.tables, ...now.tables })
  const tables = merged.length > tableLimit ? now.tables : Object.fromEntries(merged)
  const names: Names = { atMs: now.atMs, databases: { ...before.databases, ...now.databases }, tables }
  system.files.makeFolder(inVolume(place.paths).undo, 0o700)
  system.files.writeWhole(`${inVolume(place.paths).undo}/names.json`, `${JSON.stringify(names)}\n`, 0o600)
}

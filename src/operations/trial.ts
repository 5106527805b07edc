import { reserveBytes } from '../core/space.ts'
import { compareMigrations, type Migration, readInternal } from '../units/mathesar/applied.ts'
import { requireFreeBytes } from '../units/space.ts'
import { appRole, internalDatabase } from '../units/postgres/connection.ts'
import { textOf } from './archive/bytes.ts'
import { type Count, countRows } from './count.ts'
import { fitnessOf } from './restore.ts'
import { outputOf, runToEnd, tool } from './programs.ts'
import type { OperationScope } from './scope.ts'
import { asUser, withSideServer } from './server.ts'

/** A copy of an installation, for another image to be tried on. */

/** What a start reads. Media stay where they are: nobody looks at them meanwhile. */
const needed = ['postgres', 'secrets', 'config', 'history', 'manifest.json'] as const

const sizeOf = async (scope: OperationScope, paths: readonly string[]): Promise<number> => {
  const argv = ['du', '--summarize', '--bytes', '--total', ...paths] as const
  const told = await textOf(outputOf(scope, { what: 'measure the volume', command: tool(argv) }))
  return Number(/(\d+)\s+total\s*$/.exec(told)?.[1] ?? 0)
}

const trial = { what: 'try this image', code: 'TRIAL_FAILED', isKept: true, user: 'postgres' } as const

/** Copies what a start needs into a folder. Blocks are shared where the file system can. Gives its bytes. */
export const copyInstallation = async (scope: OperationScope, folder: string): Promise<number> => {
  const { system, place } = scope
  const { data } = place.paths
  const there = needed.map((name) => `${data}/${name}`).filter((path) => system.files.isThere(path))
  const bytes = await sizeOf(scope, there)
  requireFreeBytes(scope, folder, bytes + reserveBytes, {
    what: `copy the volume to ${folder}`,
    hint: 'Nothing was changed. Mount a folder with more room, and name it: `… --in /FOLDER`.',
  })
  const argv = ['cp', '--archive', '--reflink=auto', '--sparse=auto', '--target-directory', folder] as const
  const command = tool([...argv, ...there])
  await runToEnd(scope, { what: 'copy the volume', command, code: 'TRIAL_FAILED' })
  return bytes
}

/** What a cluster has before a start, or after it. */
type Contents = { readonly counts: readonly Count[]; readonly applied: readonly Migration[] }

/** Looks into the copy, with a server of its own. */
export const lookInto = async (scope: OperationScope, folder: string): Promise<Contents> =>
  await withSideServer(scope, { ...trial, folder }, async () => ({
    counts: await countRows(scope, folder),
    applied: (await asUser(scope, folder, [appRole, internalDatabase], readInternal)).applied,
  }))

/** The migrations that the image adds. */
export const missingIn = (scope: OperationScope, { applied }: Contents): readonly Migration[] =>
  compareMigrations(fitnessOf(scope).migrations ?? [], applied).missing

/** Whether the data is of the Postgres that the image has: another one cannot even count the rows. */
export const isOfOurMajor = (scope: OperationScope): boolean => {
  const { system, place } = scope
  const version = system.files.readIfThere(`${place.paths.data}/postgres/PG_VERSION`, 1024)?.trim()
  return version === fitnessOf(scope).postgresMajor
}

/** What is another in the databases of people: Mathesar's own may change as it likes. */
export const differencesOf = (before: readonly Count[], after: readonly Count[]): readonly string[] =>
  before.flatMap(({ database, tables, rows }) => {
    const now = after.find((count) => count.database === database)
    if (now === undefined) return `${database} is gone`
    if (database === internalDatabase || (now.tables === tables && now.rows === rows)) return []
    return `${database} had ${rows} rows in ${tables} tables, and has ${now.rows} in ${now.tables}`
  })

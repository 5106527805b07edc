import { appEnvironment, appProgram, appScopeOf } from '../units/mathesar/environment.ts'
import { asPostgres, checkAll } from '../units/postgres/programs.ts'
import { folderOf } from '../units/swap.ts'
import { requireFit } from './archive/description.ts'
import { type ArchiveChain, bytesToRestore } from './chain/open.ts'
import { type Count, countRows } from './count.ts'
import { makeRestoreFolder, makeRoom } from './incoming.ts'
import { runToEnd } from './programs.ts'
import { fitnessOf } from './restore.ts'
import { lockOperations, type OperationScope } from './scope.ts'
import { programsConnectTo, socketIn, withSideServer } from './server.ts'
import { stage } from './stage.ts'

/** What a proof counted. `restoreMs`: from the archive to a server that answers. */
export type Proof = {
  readonly databases: number
  readonly tables: number
  readonly rows: number
  readonly restoreMs: number
}

const superuser = 'postgres'

/** Every page of every table, and every index against its table. */
const checkPages = (scope: OperationScope, folder: string): Promise<void> =>
  runToEnd(scope, {
    what: 'use this archive',
    command: asPostgres(scope.place, checkAll, programsConnectTo(scope, folder, superuser)),
    code: 'BACKUP_DAMAGED',
  })

const totalOf = (counts: readonly Count[]): Omit<Proof, 'restoreMs'> => ({
  databases: counts.length,
  tables: counts.reduce((sum, { tables }) => sum + tables, 0),
  rows: counts.reduce((sum, { rows }) => sum + rows, 0),
})

/** Mathesar reads what it keeps there, by its own models, as the user and the role that it always has. */
const checkModels = (scope: OperationScope, folder: string): Promise<void> => {
  const { place, inForce, results } = scope
  const secretKey = results.secrets.secretKey || 'a key that decrypts nothing'
  const app = appScopeOf(place, inForce, { ...results.secrets, secretKey })
  return runToEnd(scope, {
    what: 'use this archive, as Mathesar checks it',
    command: appProgram(place, ['check_models.py'], {
      ...appEnvironment(app),
      POSTGRES_HOST: socketIn(folder),
    }),
    code: 'BACKUP_DAMAGED',
  })
}

/**
 * Restores an archive, with those that it builds on, into a scratch folder, and has a server of its own prove
 * that it is whole.
 */
export const prove = async (
  scope: OperationScope,
  chain: ArchiveChain,
  onProgress: (read: number, total: number) => void,
): Promise<Proof> => {
  const { system } = scope
  lockOperations(scope)
  requireFit(chain.newest.description, fitnessOf(scope))
  makeRestoreFolder(scope)
  const total = bytesToRestore(chain)
  makeRoom(scope, total)
  const beganMs = system.clock.now()
  const folder = folderOf(scope, `verify-${system.randomText(8)}`)
  try {
    let read = 0
    const count = (more: number): void => {
      read += more
      onProgress(read, total)
    }
    await stage(scope, chain, folder, { onProgress: count })
    const what = { what: 'use this archive', code: 'BACKUP_DAMAGED' } as const
    const side = { folder, ...what, isKept: false, user: superuser, isForMathesar: true } as const
    return await withSideServer(scope, side, async () => {
      const restoreMs = system.clock.now() - beganMs
      await checkPages(scope, folder)
      const counts = await countRows(scope, folder)
      await checkModels(scope, folder)
      return { ...totalOf(counts), restoreMs }
    })
  } finally {
    system.files.remove(folder)
  }
}

import { expect, test } from 'vitest'
import type { OperationScope } from '../../../src/operations/scope.ts'
import { withSideServer } from '../../../src/operations/server.ts'
import { failureOf } from '../failure.ts'
import { createScope } from '../fakes/scope.ts'

const side = {
  folder: '/data/restore/new',
  what: 'undo',
  code: 'UNDO_REFUSED',
  isKept: true,
  user: 'postgres',
} as const
const unused = (): never => {
  throw new Error('it is not used here')
}

test('a server beside that dies ends what is asked of it with the code of the operation', async () => {
  const { scope, disk } = createScope()
  disk.files.makeFolder(side.folder, 0o700)
  const ended = Promise.resolve({ code: 0, signal: null })
  const server = { pid: 7, ended, signal: () => {}, signalGroup: () => {}, killGroup: () => {} }
  const streams = {
    streamProgram: unused,
    readStream: unused,
    readBlocks: unused,
    sizeOf: unused,
    createFile: unused,
    trust: unused,
    request: unused,
    encrypt: unused,
    decrypt: unused,
  }
  const system: OperationScope['system'] = {
    ...scope.system,
    ...streams,
    startProcess: () => server,
    retry: async (act) => await act(),
    withClient: async (_, use) => await use({ query: async () => ({ rows: [], rowCount: 0 }) }),
  }
  const dies = async (): Promise<never> => {
    throw new Error('Connection terminated unexpectedly')
  }
  const failure = await failureOf(() => withSideServer({ ...scope, system }, side, dies))
  expect(failure).toMatchObject({
    code: 'UNDO_REFUSED',
    message: 'cannot undo: Connection terminated unexpectedly',
  })
})

import type { Streams } from '../../src/system/ports.ts'
import type { Actor } from './actor.ts'
import { DiskError } from './disk.ts'
import { runProgram } from './programs.ts'

const textOf = async (bytes: AsyncIterable<Buffer>): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of bytes) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString()
}

const unknown = (what: string) => (): never => {
  throw new Error(`the simulated world has no ${what}`)
}

/** The bytes that pass through an operation: few here, and all at once. */
export const createSimulatedStreams = (actor: Actor): Streams => {
  const { container, world, files } = actor
  return {
    async *streamProgram(command, input) {
      actor.call()
      world.oracle.checkText('an argv', command.argv.join(' '))
      const text = input && (await textOf(input))
      const parent = actor.asParent(undefined)
      const { outcome, lines, written } = await runProgram(container, command, parent, undefined, text)
      if (written !== '') yield Buffer.from(written)
      return { outcome, lines }
    },
    async *readStream(path) {
      const text = files.asFiles().readIfThere(path)
      if (text === undefined) throw new DiskError('ENOENT', path)
      yield Buffer.from(text)
    },
    readBlocks: unknown('log of Postgres'),
    sizeOf: (path) => files.asFiles().readIfThere(path)?.length ?? 0,
    createFile: async (path) => files.begin(path),
    trust: unknown('authorities'),
    request: unknown('other hosts'),
    encrypt: unknown('encryption'),
    decrypt: unknown('encryption'),
  }
}

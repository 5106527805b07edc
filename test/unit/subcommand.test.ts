import { describe, expect, test } from 'vitest'
import { runSubcommand } from '../../src/cli/run/subcommand.ts'
import type { ProgramResult } from '../../src/system/ports.ts'
import { failureOf } from './failure.ts'

/** A command that writes these chunks, each into the memory of the one before. */
const stage = (chunks: Iterable<Buffer>) => {
  const memory = Buffer.alloc(1024 * 1024)
  let isOver = false
  async function* streamProgram(): AsyncGenerator<Buffer, ProgramResult> {
    try {
      for (const chunk of chunks) yield memory.subarray(0, chunk.copy(memory))
      return { outcome: { code: 0, signal: null }, lines: [] }
    } finally {
      isOver = true
    }
  }
  return { streamProgram, isOver: () => isOver }
}

describe('a command in a process of its own', () => {
  test('hands over what it wrote, also where a chunk ends within a letter', async () => {
    const text = Buffer.from('["straße", "naïve"]')
    const { streamProgram } = stage(Array.from(text, (byte) => Buffer.from([byte])))
    expect((await runSubcommand({ streamProgram }, ['backup', 'list'])).output).toBe(text.toString())
  })

  test('is ended where it writes too much', async () => {
    const { streamProgram, isOver } = stage(Array.from({ length: 6 }, () => Buffer.alloc(1024 * 1024, 'x')))
    const failure = await failureOf(() => runSubcommand({ streamProgram }, ['backup', 'list']))
    expect(failure).toMatchObject({ code: 'BACKUP_FAILED', message: expect.stringContaining('too long') })
    expect(isOver()).toBe(true)
  })
})

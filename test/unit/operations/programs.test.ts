import { describe, expect, test } from 'vitest'
import type { Outcome } from '../../../src/core/outcome.ts'
import { runToEnd } from '../../../src/operations/programs.ts'
import { failureOf } from '../failure.ts'
import { createScope } from '../fakes/scope.ts'

/** How it fails that `pg_verifybackup` ended so. */
const failureAfter = async (outcome: Outcome, ...lines: readonly string[]): Promise<unknown> => {
  const { scope } = createScope()
  // oxlint-disable-next-line require-yield
  async function* streamProgram(): AsyncGenerator<Buffer, { outcome: Outcome; lines: readonly string[] }> {
    return { outcome, lines }
  }
  const system = { log: scope.system.log, streamProgram }
  const command = { argv: ['pg_verifybackup'], env: {}, cwd: '/' } as const
  const program = { what: 'use this archive', command, code: 'BACKUP_DAMAGED' } as const
  return await failureOf(() => runToEnd({ system }, program))
}
const meaningOf = async (outcome: Outcome, ...lines: readonly string[]): Promise<unknown> =>
  ((await failureAfter(outcome, ...lines)) as { code?: unknown }).code

describe('an archive', () => {
  test('is damaged where the program that reads it says so', async () => {
    const line = 'pg_verifybackup: error: checksum mismatch for file "base/5/1259"'
    expect(await meaningOf({ code: 1, signal: null }, line)).toBe('BACKUP_DAMAGED')
    expect(await meaningOf({ code: 1, signal: null })).toBe('BACKUP_DAMAGED')
  })

  test.each([
    [{ code: 126, signal: null }, 'cannot start pg_verifybackup: spawn pg_verifybackup EAGAIN'],
    [{ code: 126, signal: null }, 'setpriv: failed to execute pg_verifybackup: Cannot allocate memory'],
    [{ code: 1, signal: null }, 'pg_verifybackup: error: out of memory'],
    [{ code: 2, signal: null }, 'tar: Cannot fork: Resource temporarily unavailable'],
    [{ code: 2, signal: null }, 'tar (child): zstd: Cannot exec: No such file or directory'],
    [{ code: null, signal: 'SIGKILL' }, ''],
  ] as const)('is not called damaged where it could not be read (%o %s)', async (outcome, line) => {
    expect(await meaningOf(outcome, line)).toBe('BACKUP_FAILED')
  })

  test.each([
    'tar: base/1: Cannot mkdir: No space left on device',
    'tar: ./large: Wrote only 512 of 10240 bytes',
  ])('is not blamed for a full disk, nor is anybody told to start a container (%s)', async (line) => {
    expect(await failureAfter({ code: 2, signal: null }, line)).toMatchObject({
      code: 'VOLUME_FULL',
      message: `cannot use this archive: no space left (${line})`,
      hint: expect.stringMatching(/type the same again.*as before\.$/),
    })
  })
})

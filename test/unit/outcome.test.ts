import { describe, expect, test } from 'vitest'
import { exitNumber, inWords } from '../../src/core/outcome.ts'

describe('the outcome of a process', () => {
  test.each([
    [{ code: 0, signal: null }, 0, 'exited cleanly (exit code 0)'],
    [{ code: 3, signal: null }, 3, 'failed with exit code 3'],
    [{ code: null, signal: 'SIGTERM' }, 143, 'was terminated by SIGTERM'],
    [
      { code: null, signal: 'SIGKILL' },
      137,
      'was killed (SIGKILL), by hand or by the kernel (out of memory)',
    ],
    [
      { code: null, signal: 'SIGBUS' },
      135,
      'was terminated by SIGBUS, usually memory that is not there: ' +
        'a full /dev/shm, huge pages, a disk that fails',
    ],
  ] as const)('%j is %d, %s', (outcome, number, words) => {
    expect(exitNumber(outcome)).toBe(number)
    expect(inWords(outcome)).toBe(words)
  })

  test('is not a success when nobody knows it', () => {
    expect(exitNumber({ code: null, signal: null })).toBe(1)
  })
})

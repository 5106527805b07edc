import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { timeScript } from '../../bench/time-script.ts'

const took = (...argv: readonly string[]) =>
  spawnSync('bash', ['-euc', timeScript, 'bash', ...argv], { encoding: 'utf8' })

test('the bench takes the time of a command alone, and none of one that fails', () => {
  const { stdout } = took('true')
  expect(stdout).toMatch(/^\d+\n$/)
  expect(Number(took('sleep', '0.05').stdout)).toBeGreaterThanOrEqual(50_000)
  expect(took('false')).toMatchObject({ status: 1, stdout: '' })
})

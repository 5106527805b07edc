import { expect, test } from 'vitest'
import { runBackgroundJob } from '../../src/daemon/background-job.ts'
import { createScope } from './fakes/scope.ts'

test('a command of ours that a stop ends leaves no timer behind, however slowly it goes', async () => {
  const { scope, clock, replies } = createScope()
  replies.program = () => new Promise(() => {})
  const stopping = new AbortController()
  const job = { name: 'promote', args: ['promote', '--copy'], niceness: 0, limitMs: 1000 }
  void runBackgroundJob({ ...scope, program: ['supervisor'] }, job, stopping.signal)
  expect(clock.armed).toBe(1)
  stopping.abort()
  expect(clock.armed).toBe(0)
})

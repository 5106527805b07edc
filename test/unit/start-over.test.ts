import { expect, test, vi } from 'vitest'
import { createProgress } from '../../src/cli/operation.ts'
import { startOverAndWait } from '../../src/cli/undo.ts'
import { createClock } from './fakes/clock.ts'
import { startDaemon } from './fakes/daemon.ts'

const hourMs = 3_600_000

test('a command waits for a start as long as ever, though the clock is set meanwhile', async () => {
  const clock = createClock()
  const status = { ready: true, supervisor: { startedAt: '2026-10-01T12:00:00.000Z' } }
  const { run, asked, close } = await startDaemon(() => ({ status: 200, body: status }))
  vi.stubEnv('SUPERVISOR_RUN', run)
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  try {
    const over = startOverAndWait(clock)
    await vi.waitFor(() => expect([asked.length, clock.armed]).toEqual([3, 1]))
    clock.jump(hourMs)
    status.supervisor.startedAt = '2026-10-01T13:00:00.000Z'
    await clock.advance(300)
    await over
    expect(said.mock.calls).toEqual([['Mathesar is ready.\n']])
  } finally {
    said.mockRestore()
    vi.unstubAllEnvs()
    close()
  }
})

test('what takes a second takes no hour less where the clock is set back', async () => {
  const clock = createClock()
  const progress = createProgress(clock)
  clock.jump(-hourMs)
  await clock.advance(1000)
  expect(progress.end()).toBe(1000)
})

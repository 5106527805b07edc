import { describe, expect, test } from 'vitest'
import { runSteps, type Step } from '../../src/core/step.ts'

type Script = { fails?: string; stops?: string; stopsInUndo?: string; undoFails?: string }

/**
 * Steps of which everything that happens is written down. The one that `fails` names throws; `stops` has
 * everything stop in it, `stopsInUndo` in its undo.
 */
const stage = ({ fails, stops, stopsInUndo, undoFails }: Script = {}) => {
  const happened: string[] = []
  const stopping = new AbortController()
  const stepOf = (name: string): Step => ({
    name,
    run: async (signal) => {
      happened.push(`run ${name}`)
      if (name === stops) stopping.abort(new Error('everything stops'))
      if (name === stops) signal.throwIfAborted()
      if (name === fails) throw new Error(`${name} failed`)
    },
    undo: async () => {
      happened.push(`undo ${name}`)
      if (name === stopsInUndo) stopping.abort(new Error('everything stops'))
      if (name === undoFails) throw new Error('it is stuck')
    },
  })
  const run = (commit = (): void => void happened.push('commit')): Promise<void> =>
    runSteps([stepOf('a'), { name: 'b', run: () => void happened.push('run b') }, stepOf('c')], {
      signal: stopping.signal,
      report: (step) => void happened.push(`report ${step}`),
      commit,
    })
  return { happened, run, stopping, did: () => happened.filter((what) => !what.startsWith('report')) }
}

describe('steps', () => {
  test('run in their order, each reported as it begins, and then commit', async () => {
    const { happened, run } = stage()
    await run()
    expect(happened).toEqual(['report a', 'run a', 'report b', 'run b', 'report c', 'run c', 'commit'])
  })

  test('are undone in the reverse order when one fails, the failed one too', async () => {
    const { run, did } = stage({ fails: 'c' })
    await expect(run()).rejects.toThrow('c failed')
    expect(did()).toEqual(['run a', 'run b', 'run c', 'undo c', 'undo a'])
  })

  test('that have not begun are not undone', async () => {
    const { run, did } = stage({ fails: 'a' })
    await expect(run()).rejects.toThrow('a failed')
    expect(did()).toEqual(['run a', 'undo a'])
  })

  test('are undone when the commit fails', async () => {
    const { run, did } = stage()
    const commit = (): never => {
      throw new Error('the disk is full')
    }
    await expect(run(commit)).rejects.toThrow('the disk is full')
    expect(did().slice(-2)).toEqual(['undo c', 'undo a'])
  })

  test('are all undone, also when one cannot be: that is reported, and the first error counts', async () => {
    const { happened, run, did } = stage({ fails: 'c', undoFails: 'c' })
    await expect(run()).rejects.toThrow('c failed')
    expect(did().slice(-2)).toEqual(['undo c', 'undo a'])
    expect(happened).toContain('report going back')
    expect(happened).toContain('report cannot undo "c": it is stuck')
  })

  test('are not undone when everything stops: the next boot makes what it needs', async () => {
    const { run, did } = stage({ stops: 'a' })
    await expect(run()).rejects.toThrow('everything stops')
    expect(did()).toEqual(['run a'])
  })

  test('are undone no further when everything stops meanwhile', async () => {
    const { run, did } = stage({ fails: 'c', stopsInUndo: 'c' })
    await expect(run()).rejects.toThrow('c failed')
    expect(did()).toEqual(['run a', 'run b', 'run c', 'undo c'])
  })

  test('commit nothing once everything stops, also when the last step did not look', async () => {
    const { run, did, stopping } = stage()
    const running = run()
    stopping.abort(new Error('everything stops'))
    await expect(running).rejects.toThrow('everything stops')
    expect(did()).toEqual(['run a'])
  })

  test('that are none commit', async () => {
    let isCommitted = false
    const { signal } = new AbortController()
    await runSteps([], { signal, report: () => {}, commit: () => void (isCommitted = true) })
    expect(isCommitted).toBe(true)
  })
})

test('a step that is cut off by a stop is told as that, however it ends', async () => {
  const stopping = new AbortController()
  const reason = new Error('everything stops')
  const cutOff = runSteps(
    [
      {
        name: 'waits',
        run: async () => {
          stopping.abort(reason)
          throw new Error('The operation was aborted')
        },
      },
    ],
    { signal: stopping.signal, report: () => {}, commit: () => {} },
  )
  await expect(cutOff).rejects.toBe(reason)
})

import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { orAborted } from '../../src/core/abort.ts'

describe('waiting until something is there, or a signal aborts', () => {
  test('ends with what comes first', async () => {
    const stop = new AbortController()
    await orAborted(Promise.resolve(), stop.signal)
    const waiting = orAborted(new Promise(() => {}), stop.signal)
    stop.abort(new Error('everything stops'))
    await expect(waiting).rejects.toThrow('everything stops')
    await expect(orAborted(new Promise(() => {}), stop.signal)).rejects.toThrow('everything stops')
  })

  test('leaves nothing at a signal that lasts', async () => {
    const { signal } = new AbortController()
    await orAborted(Promise.resolve(), signal)
    await orAborted(Promise.reject(new Error('it is away')), signal).catch(() => {})
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})

import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Queue } from '../../src/daemon/config/queue.ts'

describe('what interrupts the changes', () => {
  test('waits for what interrupted them before, also when that fails', async () => {
    const queue = new Queue(() => Promise.reject(new Error('nothing is to be carried out')))
    const seen: string[] = []
    const interrupt = (name: string, act: () => Promise<void>): Promise<void> =>
      queue.interrupt(async () => {
        seen.push(`${name} begins`)
        await delay(5)
        await act()
        seen.push(`${name} ends`)
      })
    const first = interrupt('the first', async () => {})
    const second = interrupt('the second', () => Promise.reject(new Error('it failed')))
    const third = interrupt('the third', async () => {})
    await first
    await expect(second).rejects.toThrow('it failed')
    await third
    expect(seen).toEqual([
      'the first begins',
      'the first ends',
      'the second begins',
      'the third begins',
      'the third ends',
    ])
    expect(queue.isWorking).toBe(false)
  })
})

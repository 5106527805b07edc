import { describe, expect, test } from 'vitest'
import type { Problem } from '../../src/core/status.ts'
import { Keepers } from '../../src/daemon/keeper.ts'
import { settle } from './fakes/clock.ts'

const problemOf = (unit: string): Problem => ({ unit, code: null, message: 'is away', hint: null })

const stage = () => {
  const did: string[] = []
  const slow = Promise.withResolvers<void>()
  const keepers = new Keepers()
  keepers.add('boot', {
    start: () => void did.push('holds the volume'),
    stop: () => void did.push('lets the volume go'),
    problems: () => [problemOf('volume')],
  })
  keepers.add('boot', { stop: () => slow.promise })
  const backups = keepers.add('ready', {
    start: () => void did.push('looks at the schedule'),
    stop: () => void did.push('ends the backup'),
    problems: () => [problemOf('backup')],
    status: () => 'due',
  })
  return { keepers, backups, did, slow }
}

describe('keepers', () => {
  test('begin with the boot, or once Mathesar is ready', () => {
    const { keepers, did } = stage()
    keepers.start('boot')
    expect(did).toEqual(['holds the volume'])
    keepers.start('ready')
    expect(did).toEqual(['holds the volume', 'looks at the schedule'])
  })

  test('end in the order in which they were added, and none waits for a slow one', async () => {
    const { keepers, did, slow } = stage()
    let isOver = false
    const stopped = keepers.stop().then(() => {
      isOver = true
    })
    await Promise.resolve()
    expect([did, isOver]).toEqual([['lets the volume go', 'ends the backup'], false])
    slow.resolve()
    await stopped
  })

  test('are all waited for where one fails', async () => {
    const { keepers, slow } = stage()
    keepers.add('ready', { stop: () => Promise.reject(new Error('its file is gone')) })
    let isOver = false
    const stopped = keepers.stop().finally(() => (isOver = true))
    await settle()
    expect(isOver).toBe(false)
    slow.resolve()
    await expect(stopped).rejects.toThrow('its file is gone')
  })

  test('tell their problems in that order, and are asked for more by who added them', () => {
    const { keepers, backups } = stage()
    expect(keepers.problems().map(({ unit }) => unit)).toEqual(['volume', 'backup'])
    expect(backups.status()).toBe('due')
  })
})

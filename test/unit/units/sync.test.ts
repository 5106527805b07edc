import { describe, expect, test } from 'vitest'
import { sync } from '../../../src/units/postgres/sync.ts'
import { readFile } from '../configurations.ts'
import { failureOf } from '../failure.ts'
import { createScope, externalDatabase, never, placeOf } from '../fakes/scope.ts'

const mark = '/data/postgres/supervisor.unsynced'

describe('the task `sync`', () => {
  test('waits until a new cluster is on the disk, and only then removes the mark', async () => {
    const { scope, disk, programs, replies } = createScope()
    disk.put(mark, 'x')
    let whileRunning: string | undefined
    replies.program = async () => {
      whileRunning = disk.text(mark)
      return { outcome: { code: 0, signal: null }, lines: [] }
    }
    await sync.run(scope, never)
    expect(programs[0]!.command).toMatchObject({
      argv: ['sync', '--file-system', '.'],
      cwd: '/data/postgres',
    })
    expect([whileRunning, disk.text(mark)]).toEqual(['x', undefined])
    expect(disk.acts).toEqual([`removeWhole ${mark}`])
  })

  test('has nothing to do for a cluster that is there', async () => {
    const { scope, programs } = createScope()
    await sync.run(scope, never)
    expect(programs).toEqual([])
  })

  test('keeps the mark when it fails: the next boot starts over', async () => {
    const { scope, disk, replies } = createScope()
    disk.put(mark, 'x')
    replies.program = async () => ({ outcome: { code: 1, signal: null }, lines: ['Input/output error'] })
    expect((await failureOf(() => sync.run(scope, never))).message).toContain('Input/output error')
    expect(disk.text(mark)).toBe('x')
  })

  test('is left out with an external database', () => {
    expect(sync.skip!(readFile(externalDatabase), placeOf())).toBe('the database is external')
    expect(sync.skip!(readFile(''), placeOf())).toBeUndefined()
  })
})

import { describe, expect, test } from 'vitest'
import { formatArchiveName } from '../../../src/core/archive-name.ts'
import { SupervisorError } from '../../../src/errors.ts'
import { thinOut } from '../../../src/operations/keep.ts'
import { findArchive, type Store } from '../../../src/operations/places/store.ts'
import { changeRecord } from '../../../src/units/backup-record.ts'
import { failureOf } from '../failure.ts'
import { createScope } from '../fakes/scope.ts'

const day = 24 * 3_600_000
const [ours, theirs] = ['a1B2c3D4', 'z9Y8x7W6']

const stage = (config = '') => {
  const { scope, clock } = createScope({ config })
  const named = (days: number, by?: string, parentDays?: number): string => {
    const atMs = clock.now() + days * day
    const after = parentDays === undefined ? undefined : { atMs: clock.now() + parentDays * day, by }
    return formatArchiveName({ atMs, by, after }, false)
  }
  const placeWith = (...names: readonly string[]) => {
    const left = new Set(names)
    const store: Store = {
      title: 'a place',
      list: async () => [...left].map((name) => ({ name, bytes: 1 })),
      remove: async (name) => void left.delete(name),
      read: () => {
        throw new Error('nobody reads')
      },
      begin: () => Promise.reject(new Error('nobody writes')),
    }
    return { store, left }
  }
  const newestOf = async (...names: readonly string[]): Promise<string> =>
    (await findArchive(scope, [placeWith(...names).store], 'newest')).name
  return { scope, named, placeWith, newestOf }
}

describe('the newest archive', () => {
  test('is by when it was made, whoever made it', async () => {
    const { named, newestOf } = stage()
    expect(await newestOf(named(-2, ours), named(-1), named(-3))).toBe(named(-1))
    expect(await newestOf('mine.tar', `mine-${named(-1).slice('mathesar-'.length)}`)).toMatch(/^mine-20/)
  })

  test('is none that a clock has dated in the future, unless there are no others', async () => {
    const { named, newestOf } = stage()
    expect(await newestOf(named(-2), named(0.5), named(400))).toBe(named(0.5))
    expect(await newestOf(named(400), named(500))).toBe(named(500))
  })

  test('is of this installation where it has any, and else of the only one', async () => {
    const { scope, named, newestOf } = stage()
    expect(await newestOf(named(-2, theirs), named(-1, theirs))).toBe(named(-1, theirs))
    changeRecord(scope, () => ({ owner: { letters: ours, lock: { device: '1', inode: '1', born: '1' } } }))
    expect(await newestOf(named(-2, ours), named(-1, theirs))).toBe(named(-2, ours))
    expect(await newestOf(named(-2, ours), named(-1))).toBe(named(-1))
    expect(await newestOf(named(-1, theirs))).toBe(named(-1, theirs))
  })

  test('is nobody’s where there are several others: the newest of each is named', async () => {
    const { named, newestOf } = stage()
    const all = [named(-3, ours), named(-2, ours), named(-1, theirs)]
    expect(await failureOf(() => newestOf(...all))).toMatchObject({
      code: 'USAGE',
      message: 'cannot tell which is the newest: there are backups of 2 installations',
      hint: `Name one. The newest of each: ${named(-2, ours)}, ${named(-1, theirs)}.`,
    })
  })
})

describe('an archive that is named', () => {
  test('is found where an earlier place cannot be looked into', async () => {
    const { scope, named, placeWith } = stage()
    const away = {
      ...placeWith().store,
      list: () =>
        Promise.reject(new SupervisorError('BACKUP_PLACE_FAILED', 'cannot use /backups: it is away')),
    }
    const { store } = placeWith(named(-1))
    expect(await findArchive(scope, [away, store], named(-1))).toEqual({ store, name: named(-1) })
    expect(await failureOf(() => findArchive(scope, [store], 'nwest'))).toMatchObject({
      message: 'cannot find nwest: it is not in a place: did you mean newest?',
    })
    const failure = { code: 'BACKUP_PLACE_FAILED', message: 'cannot use /backups: it is away' }
    for (const name of [named(-2), 'newest'])
      expect(await failureOf(() => findArchive(scope, [away, store], name))).toMatchObject(failure)
  })
})

describe('what BACKUP_KEEP no longer keeps', () => {
  test('is removed of this installation alone', async () => {
    const { scope, named, placeWith } = stage('BACKUP_KEEP=1 last')
    const { store, left } = placeWith(named(-2, ours), named(-1, ours), named(-2, theirs), named(-3))
    await thinOut(scope, store, named(-1, ours))
    expect([...left]).toEqual([named(-1, ours), named(-2, theirs), named(-3)])
  })

  test('does not give way to what a clock has dated in the future, which stays', async () => {
    const { scope, named, placeWith } = stage('BACKUP_KEEP=2 daily')
    const future = [named(400, ours), named(401, ours, 400), named(402, ours, -9)]
    const { store, left } = placeWith(...future, named(-9, ours), named(-2, ours), named(-1, ours))
    await thinOut(scope, store, named(-1, ours))
    expect([...left]).toEqual([...future, named(-9, ours), named(-2, ours), named(-1, ours)])
    const { store: more, left: rest } = placeWith(...future, ...[-9, -3, -2, -1].map((d) => named(d, ours)))
    await thinOut(scope, more, named(-1, ours))
    expect([...rest]).toEqual([...future, named(-9, ours), named(-2, ours), named(-1, ours)])
  })
})

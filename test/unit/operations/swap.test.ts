import { describe, expect, test } from 'vitest'
import { swapProblems } from '../../../src/daemon/swap-problems.ts'
import { makeRoom, requireNoneWaiting } from '../../../src/operations/incoming.ts'
import {
  beginSwap,
  cancelSwap,
  finishBegun,
  finishSwap,
  forget,
  namedIn,
  readJournal,
  resumeSwap,
  type SwapKind,
  tidy,
  UnsureSwap,
} from '../../../src/units/swap.ts'
import { createFiles, errorWith } from '../fakes/files.ts'
import { createScope } from '../fakes/scope.ts'

const names = ['postgres/PG_VERSION', 'secrets/secret_key', 'config/mathesar.env', 'media/a', 'manifest.json']
const swap = {
  kind: 'restore',
  incoming: 'new',
  outgoing: 'old',
  kept: [],
  at: '2026-11-28T10:15:30.000Z',
} as const

/** A volume with an old state in force and a new one beside. Dies in the call that comes after so many. */
const stage = (callsLeft = Number.POSITIVE_INFINITY) => {
  const disk = createFiles()
  for (const name of names) {
    disk.put(`/data/${name}`, 'old')
    disk.put(`/data/restore/new/${name}`, 'new')
  }
  disk.put('/data/history/1', 'old')
  let left = callsLeft
  let isDead = false
  disk.failOn(() => {
    if (isDead || left-- <= 0) isDead = true
    return isDead ? new Error('it died') : undefined
  })
  return {
    disk,
    volume: { system: { files: disk.files }, place: { paths: { data: '/data' } } },
    revive: () => {
      left = Number.POSITIVE_INFINITY
      isDead = false
    },
    state: () => names.map((name) => disk.text(`/data/${name}`)),
  }
}

describe('a swap of the state of a volume', () => {
  test('puts the new one in place and keeps the old one beside', () => {
    const { volume, disk, state } = stage()
    beginSwap(volume, swap)
    expect(finishSwap(volume)).toBe(true)
    expect(state()).toEqual(names.map(() => 'new'))
    expect(disk.text('/data/history/1')).toBeUndefined()
    for (const name of [...names, 'history/1']) expect(disk.text(`/data/restore/old/${name}`)).toBe('old')
    expect(disk.files.isThere('/data/restore/new')).toBe(false)
    expect(finishSwap(volume)).toBe(false)
  })

  test('is finished before another begins, which would take what it put aside for old', () => {
    const { volume, disk, revive } = stage(40)
    beginSwap(volume, swap)
    expect(() => finishSwap(volume)).toThrow('it died')
    revive()
    expect(readJournal(volume)).toMatchObject({ isDone: false, moves: expect.any(Array) })
    expect(finishBegun(volume)).toBe(true)
    for (const name of [...names, 'history/1']) expect(disk.text(`/data/restore/old/${name}`)).toBe('old')
    expect(finishBegun(volume)).toBe(false)
    beginSwap(volume, { ...swap, incoming: 'other' })
    expect(finishBegun(volume), 'one that waits for the next start').toBe(false)
  })

  test('leaves the journal of before where the disk has the new one and fails to say so', () => {
    const { volume, disk } = stage()
    const failing = {
      ...volume,
      system: {
        files: {
          ...disk.files,
          writeWhole: (...args: Parameters<typeof disk.files.writeWhole>) => {
            disk.files.writeWhole(...args)
            if (args[1].includes('"new"')) throw errorWith('EIO')
            return true
          },
        },
      },
    }
    expect(() => beginSwap(failing, swap)).toThrow('EIO')
    expect(readJournal(volume)).toBeUndefined()
    beginSwap(volume, { ...swap, incoming: 'other' })
    expect(() => beginSwap(failing, swap)).toThrow('EIO')
    expect(readJournal(volume)?.incoming).toBe('other')
    disk.failOn((act, path) =>
      act === 'writeWhole' && disk.text(path)?.includes('"new"') ? errorWith('EIO') : undefined,
    )
    expect(() => beginSwap(failing, swap)).toThrow(UnsureSwap)
  })

  test('is whole after a death in any call: all old before the journal, all new after the next start', () => {
    const counts = { old: 0, new: 0 }
    for (let calls = 0; ; calls++) {
      const { volume, disk, state, revive } = stage(calls)
      let hasDied = false
      try {
        beginSwap(volume, swap)
        finishSwap(volume)
      } catch {
        hasDied = true
      }
      revive()
      resumeSwap(volume, () => true)
      const [first] = state()
      expect(state()).toEqual(names.map(() => first))
      expect(disk.text('/data/history/1')).toBe(first === 'old' ? 'old' : undefined)
      if (first === 'new') expect(disk.text('/data/restore/old/history/1')).toBe('old')
      counts[first as 'old' | 'new'] += 1
      if (!hasDied) break
    }
    expect(counts.old).toBe(2) // It reads the journal, and writes it.
    expect(counts.new).toBeGreaterThan(30)
  })

  test('waits for whoever has the volume', () => {
    const { volume, state } = stage()
    beginSwap(volume, swap)
    resumeSwap(volume, () => false)
    expect(state()).toEqual(names.map(() => 'old'))
  })

  test('leaves what it is to keep', () => {
    const { volume, disk } = stage()
    disk.files.remove('/data/restore/new/secrets')
    beginSwap(volume, { ...swap, kept: ['secrets'] })
    finishSwap(volume)
    expect(disk.text('/data/secrets/secret_key')).toBe('old')
    expect(disk.text('/data/media/a')).toBe('new')
  })

  test('is taken back before the next start, with the state that was kept until then', () => {
    const { volume, disk, state } = stage()
    beginSwap(volume, swap)
    expect(cancelSwap(volume)).toBe(true)
    expect(readJournal(volume)).toBeUndefined()
    expect(disk.files.listFolder('/data/restore')).toEqual([])
    expect(cancelSwap(volume)).toBe(false)

    for (const name of names) disk.put(`/data/restore/new/${name}`, 'new')
    beginSwap(volume, swap)
    finishSwap(volume)
    const before = readJournal(volume)
    for (const incoming of ['newer', 'newest']) {
      for (const name of names) disk.put(`/data/restore/${incoming}/${name}`, incoming)
      beginSwap(volume, { ...swap, incoming, outgoing: 'then' })
      expect(namedIn(readJournal(volume))).toContain('old')
    }
    expect(cancelSwap(volume)).toBe(true)
    beginSwap(volume, { ...swap, incoming: 'old', outgoing: 'then' })
    expect(cancelSwap(volume), 'an undo').toBe(true)
    expect(readJournal(volume)).toEqual(before)
    expect(disk.files.listFoldersIn('/data/restore')).toEqual(['old'])
    expect(state()).toEqual(names.map(() => 'new'))
    expect(cancelSwap(volume), 'one that is done').toBe(false)
  })

  test('is not taken back once something has moved', () => {
    const { volume, state, revive } = stage(40)
    beginSwap(volume, swap)
    expect(() => finishSwap(volume)).toThrow('it died')
    revive()
    expect(cancelSwap(volume)).toBe(false)
    expect(finishSwap(volume)).toBe(true)
    expect(state()).toEqual(names.map(() => 'new'))
  })

  test('goes back the same way, and forgets the state before when it is told to', () => {
    const { volume, disk, state } = stage()
    beginSwap(volume, swap)
    finishSwap(volume)
    beginSwap(volume, { ...swap, incoming: 'old', outgoing: 'newer' })
    finishSwap(volume)
    expect(state()).toEqual(names.map(() => 'old'))
    expect(disk.text('/data/restore/newer/media/a')).toBe('new')
    tidy(volume, ['newer'])
    expect(disk.text('/data/restore/newer/media/a')).toBe('new')
    forget(volume)
    expect(readJournal(volume)).toBeUndefined()
    expect(disk.files.listFolder('/data/restore')).toEqual([])
  })
})

describe('room for another state', () => {
  test('is made of what cut-off operations left, and not of the states before and to come', () => {
    const { scope, disk } = createScope()
    for (const name of ['cut', 'old', 'new']) disk.put(`/data/restore/${name}/postgres/PG_VERSION`, '17')
    beginSwap(scope, swap)
    makeRoom(scope, 1)
    expect(disk.files.listFoldersIn('/data/restore').toSorted()).toEqual(['new', 'old'])
  })

  test('that waits for the next start lets nothing be given away', () => {
    const { scope, disk } = createScope()
    const send = (): void => requireNoneWaiting(scope, 'send', 'MOVE_FAILED')
    expect(send).not.toThrow()
    disk.put('/data/restore/new/postgres/PG_VERSION', '17')
    beginSwap(scope, swap)
    expect(send).toThrow('cannot send: a restore of 2026-11-28 10:15 UTC waits for the next start')
    finishSwap(scope)
    expect(send).not.toThrow()
  })
})

describe('the status', () => {
  const waitingIn = (kind: SwapKind) => {
    const { scope, disk } = createScope()
    disk.put('/data/restore/new/postgres/PG_VERSION', '17')
    beginSwap(scope, { ...swap, kind })
    return { scope, disk }
  }

  test.each([
    ['restore', 'a restore of 2026-11-28 10:15 UTC waits for the next start'],
    ['undo', 'an undo of 2026-11-28 10:15 UTC waits for the next start'],
    ['upgrade', 'an upgrade of Postgres of 2026-11-28 10:15 UTC waits for the next start'],
  ] as const)('says that %s waits for the next start, until it is in place', (kind, words) => {
    const { scope } = waitingIn(kind)
    expect(swapProblems(scope)).toEqual([
      {
        unit: 'supervisor',
        code: null,
        message: expect.stringContaining(words),
        hint: expect.stringContaining('`supervisor restore --undo` takes it back'),
      },
    ])
    finishSwap(scope)
    expect(swapProblems(scope)).toEqual([])
  })

  test('says nothing of it once it is taken back, or where none was begun', () => {
    const { scope } = waitingIn('restore')
    cancelSwap(scope)
    expect(swapProblems(scope)).toEqual([])
    expect(swapProblems(createScope().scope)).toEqual([])
  })

  test('can be read on a disk that fails', () => {
    const { scope, disk } = waitingIn('restore')
    disk.failOn(() => errorWith('EIO'))
    expect(swapProblems(scope)).toEqual([])
  })
})

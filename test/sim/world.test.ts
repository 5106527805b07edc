import { describe, expect, test } from 'vitest'
import { Disk } from './disk.ts'
import { Edits } from './edits.ts'
import { Random } from './random.ts'
import { Timeline } from './timeline.ts'
import { World } from './world.ts'

describe('the timeline', () => {
  test('lets things happen in the order of their time, and of their making where that is the same', () => {
    const timeline = new Timeline()
    const random = new Random(1)
    const happened: [number, number][] = []
    for (let index = 0; index < 500; index++) {
      const ms = random.between(0, 50)
      timeline.after(ms, () => void happened.push([ms, index]))
    }
    while (timeline.step());
    expect(happened).toHaveLength(500)
    expect(happened).toEqual(happened.toSorted(([a, i], [b, j]) => a - b || i - j))
  })

  test('forgets what was canceled', () => {
    const timeline = new Timeline()
    const happened: string[] = []
    timeline.after(5, () => void happened.push('kept'))
    timeline.after(1, () => void happened.push('canceled'))()
    while (timeline.step());
    expect(happened).toEqual(['kept'])
  })
})

describe('a disk that loses its power', () => {
  const disks = Array.from({ length: 200 }, (_, seed) => new Disk(new Random(seed)))

  test('keeps what was synced, and its name', () => {
    for (const disk of disks) {
      disk.makeFolder('/a/b')
      disk.write('/a/b/synced', 'whole')
      disk.sync(disk.find('/a/b/synced'))
      disk.losePower()
      expect(disk.read('/a/b/synced')).toBe('whole')
    }
  })

  test('keeps the old file or the new one where the new one was synced before it took the name', () => {
    const kept = new Set<string | undefined>()
    for (const disk of disks) {
      disk.makeFolder('/b')
      disk.write('/b/file', 'old')
      disk.syncAll()
      disk.write('/b/temporary', 'new')
      disk.sync(disk.find('/b/temporary'))
      disk.rename('/b/temporary', '/b/file')
      disk.losePower()
      kept.add(disk.read('/b/file'))
    }
    expect(kept).toEqual(new Set(['new', 'old']))
  })

  test('may have any part of what was not synced', () => {
    const kept = new Set<string | undefined>()
    for (const disk of disks) {
      disk.makeFolder('/c')
      disk.write('/c/file', 'abc')
      disk.losePower()
      kept.add(disk.read('/c/file'))
    }
    expect(kept).toEqual(new Set(['', 'a', 'ab', 'abc', undefined]))
  })
})

describe('the order of edits', () => {
  const begin = () => {
    const world = new World({ seed: 1 })
    return { world, edits: new Edits(world) }
  }
  const volume = new Disk(new Random(1))
  volume.write('/file', 'PUBLIC_URL=http://m1.example\n')
  volume.syncAll()

  test('lets a boot go by nothing but what was acknowledged, and what was edited since', () => {
    const { world, edits } = begin()
    edits.acknowledge(edits.propose('a', 1), 1, volume, '/file')
    edits.edit(2)
    edits.requireAllowed(1, 'boots')
    edits.requireAllowed(2, 'boots')
    expect(world.violations).toEqual([])
    edits.requireAllowed(0, 'boots')
    expect(world.violations.map(({ invariant }) => invariant)).toEqual(['acknowledged'])
  })

  test('lets nothing that was refused be in force', () => {
    const { world, edits } = begin()
    edits.refuse(edits.propose('a', 3), true)
    edits.requireAllowed(3, 'boots')
    expect(world.violations.map(({ invariant }) => invariant)).toContain('refused')
  })

  test('takes a half that was refused not for the whole that was written meanwhile', () => {
    const [half, whole] = ['PUBLIC_URL=http://m3.example\n', 'PUBLIC_URL=http://m3.example\nDEBUG=true\n']
    const refusedOf = (onDisk: string): readonly string[] => {
      const { world, edits } = begin()
      world.volume.makeFolder('/config')
      world.volume.write('/config/mathesar.env', onDisk)
      edits.edit(3)
      edits.seeWrite('/config/mathesar.env.rejected', half)
      edits.seeWrite('/config/mathesar.env', 'PUBLIC_URL=http://m4.example\n')
      edits.requireAllowed(3, 'serves')
      return world.violations.map(({ invariant }) => invariant)
    }
    expect(refusedOf(half)).toContain('refused')
    expect(refusedOf(whole)).toEqual([])
  })

  test('still waits for what was proposed to one container when another one exits', () => {
    const { world, edits } = begin()
    const [first, second] = [edits.propose('a', 1), edits.propose('a', 2)]
    edits.forget('b')
    edits.acknowledge(first, 1, volume, '/file')
    edits.requireAllowed(2, 'serves')
    expect(world.violations).toEqual([])
    edits.forget('a')
    edits.acknowledge(second, 1, volume, '/file')
    edits.requireAllowed(2, 'serves')
    expect(world.violations.map(({ invariant }) => invariant)).toEqual(['acknowledged'])
  })

  test('knows when what was acknowledged is not on the disk', () => {
    const { world, edits } = begin()
    edits.acknowledge(edits.propose('a', 4), 4, volume, '/file')
    expect(world.violations.map(({ invariant }) => invariant)).toEqual(['acknowledged'])
  })
})

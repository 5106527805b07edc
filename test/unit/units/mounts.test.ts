import { describe, expect, test } from 'vitest'
import { parseMounts } from '../../../src/system/mounts.ts'
import { mountOf, mountWarnings } from '../../../src/units/mounts.ts'
import { placeOf } from '../fakes/scope.ts'

const paths = { ...placeOf().paths, data: '/var/lib/mathesar' }
const anonymous = `/var/lib/docker/volumes/${'a1'.repeat(32)}/_data`
const named = '/var/lib/docker/volumes/mathesar/_data'

type Line = readonly [point: string, root: string, fileSystem?: string]

/** What is mounted in a container. */
const mounts = (...lines: readonly Line[]): ReturnType<typeof parseMounts> =>
  parseMounts(
    [['/', '/', 'overlay'] as const, ...lines]
      .map(([point, root, type = 'ext4'], at) => `${at} 1 8:1 ${root} ${point} rw - ${type} x rw`)
      .join('\n'),
  )
const warnings = (...lines: readonly Line[]): readonly string[] => mountWarnings(mounts(...lines), paths)
const keep = 'To keep it, start with `-v mathesar:/var/lib/mathesar`'

describe('what is mounted', () => {
  test('is nothing to speak of where the volume lasts', () => {
    expect(warnings(['/var/lib/mathesar', named])).toEqual([])
    expect(warnings(['/var/lib', '/srv/lib'])).toEqual([])
    expect(mountWarnings(new Map(), paths)).toEqual([])
  })

  test('may be a file or folder of ours, and what is none of ours, beside a volume that lasts', () => {
    const points = ['/config/mathesar.env', '/postgres', '/postgres/pg_wal', '/backups']
    const below = points.map((point) => [`/var/lib/mathesar${point}`, '/srv'] as const)
    expect(warnings(['/var/lib/mathesar', named], ...below)).toEqual([])
  })

  test.each([
    [
      'an anonymous volume',
      ['/var/lib/mathesar', anonymous],
      /is an anonymous volume: a new container does not/,
    ],
    ['memory', ['/var/lib/mathesar', '/', 'tmpfs'], /is in memory \(tmpfs at \/var\/lib\/mathesar\)/],
    ['an emptyDir', ['/var/lib/mathesar', '/pods/x/volumes/kubernetes.io~empty-dir/y'], /is an emptyDir/],
    ['nothing', ['/proc', '/', 'proc'], /is in the container itself/],
  ] as const)('is %s: what will be lost is said', (_, line, words) => {
    const [warning, ...more] = warnings(line)
    expect(warning).toMatch(words)
    expect(warning).toContain(keep)
    expect(more).toEqual([])
  })

  test.each(['/var/lib', '/var/lib/mathesar/data'])('is beside the data: nothing is kept in %s', (point) => {
    expect(warnings([point, '/srv/hd'], ['/var/lib/mathesar', anonymous]).slice(1)).toEqual([
      `nothing is kept in what is mounted at ${point}: mount it at /var/lib/mathesar`,
    ])
  })

  test.each(['/var/lib/postgresql', '/var/lib/postgresql/data', '/etc/postgresql', '/code/.secrets'])(
    'is where another image keeps what lasts: nothing is kept in %s',
    (point) => {
      expect(warnings(['/var/lib/mathesar', named], [point, '/srv/hd'])).toEqual([
        `nothing is kept in what is mounted at ${point}: mount it at /var/lib/mathesar`,
      ])
    },
  )
})

test('a path is in the mount that is nearest above it', () => {
  const all = mounts(['/var/lib/mathesar', named], ['/var/lib/mathesar/postgres', '/fast', 'xfs'])
  const points = ['/etc', '/var/lib/mathesar2', '/var/lib/mathesar/media', '/var/lib/mathesar/postgres/base']
  expect(points.map((path) => mountOf(all, path).point)).toEqual([
    '/',
    '/',
    '/var/lib/mathesar',
    '/var/lib/mathesar/postgres',
  ])
})

import { describe, expect, test } from 'vitest'
import { readLimits } from '../../src/system/cgroup.ts'
import { parseMounts } from '../../src/system/mounts.ts'

type Files = Readonly<Record<string, string>>
const limits = (mountinfo: readonly string[], membership: readonly string[], files: Files) =>
  readLimits(parseMounts(mountinfo.join('\n')).values(), membership.join('\n'), (path) => files[path])

const v1 = (root: string): string[] => [
  `32 31 0:29 ${root} /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct`,
  `33 31 0:30 ${root} /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory`,
  `34 31 0:31 ${root} /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids`,
]
const v2 = (root: string): string[] => [`30 29 0:26 ${root} /sys/fs/cgroup ro - cgroup2 cgroup rw`]
const infinity = Number.POSITIVE_INFINITY
const none = { memoryBytes: infinity, cpus: infinity, processes: infinity }

describe('the limits of a container', () => {
  test.each<[string, readonly string[], readonly string[], Files]>([
    [
      'version 1, of which Docker mounts its own part',
      v1('/docker/a1'),
      ['9:pids:/docker/a1', '4:memory:/docker/a1', '1:cpu,cpuacct:/docker/a1', '0::/docker/a1'],
      {
        '/sys/fs/cgroup/memory/memory.limit_in_bytes': '268435456\n',
        '/sys/fs/cgroup/pids/pids.max': '12\n',
        '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '20000\n',
        '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
      },
    ],
    [
      'version 2, in a namespace of its own',
      v2('/'),
      ['0::/'],
      {
        '/sys/fs/cgroup/memory.max': '268435456\n',
        '/sys/fs/cgroup/cpu.max': '20000 100000\n',
        '/sys/fs/cgroup/pids.max': '12\n',
      },
    ],
    [
      'version 2, in the namespace of the host',
      v2('/'),
      ['0::/system.slice/docker-a1.scope'],
      {
        '/sys/fs/cgroup/system.slice/docker-a1.scope/memory.max': '268435456\n',
        '/sys/fs/cgroup/system.slice/docker-a1.scope/cpu.max': '20000 100000\n',
        '/sys/fs/cgroup/system.slice/docker-a1.scope/pids.max': '12\n',
      },
    ],
    [
      'groups above it, each with a limit of its own',
      v2('/'),
      ['0::/pod/init'],
      {
        '/sys/fs/cgroup/pod/init/memory.max': 'max\n',
        '/sys/fs/cgroup/pod/init/cpu.max': 'max 100000\n',
        '/sys/fs/cgroup/pod/init/pids.max': 'max\n',
        '/sys/fs/cgroup/pod/pids.max': '12\n',
        '/sys/fs/cgroup/pod/memory.max': '268435456\n',
        '/sys/fs/cgroup/pod/cpu.max': '400000 100000\n',
        '/sys/fs/cgroup/cpu.max': '20000 100000\n',
      },
    ],
    [
      'a group beside the one that is mounted',
      v2('/'),
      ['0::/../b2'],
      {
        '/sys/fs/cgroup/memory.max': '268435456\n',
        '/sys/fs/cgroup/cpu.max': '20000 100000\n',
        '/sys/fs/cgroup/pids.max': '12\n',
      },
    ],
  ])('are those of %s', (_, mountinfo, membership, files) => {
    expect(limits(mountinfo, membership, files)).toEqual({
      memoryBytes: 268_435_456,
      cpus: 0.2,
      processes: 12,
    })
  })

  test('are none where none is set, or nothing can be read', () => {
    const unlimited = {
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '-1',
      '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '-1',
      '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000',
    }
    expect(limits(v1('/'), ['4:memory:/', '1:cpu,cpuacct:/'], unlimited)).toEqual(none)
    const max = { '/sys/fs/cgroup/memory.max': 'max', '/sys/fs/cgroup/cpu.max': 'max 100000' }
    expect(limits(v2('/'), ['0::/'], max)).toEqual(none)
    expect(limits(v2('/'), ['0::/'], {})).toEqual(none)
    expect(limits([], [''], {})).toEqual(none)
  })
})

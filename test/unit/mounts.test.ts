import { describe, expect, test } from 'vitest'
import { parseMounts, whyStale } from '../../src/system/mounts.ts'

const mountinfo = `21 1 0:20 / / rw,relatime - overlay overlay rw,lowerdir=/a
36 21 0:31 / /proc rw,nosuid shared:5 - proc proc rw
40 21 253:1 /data/my\\040volume /var/lib/mathesar rw,relatime shared:1 master:2 - ext4 /dev/vda1 rw
41 40 253:1 /home/me/mathesar.env//deleted /var/lib/mathesar/config/mathesar.env rw - ext4 /dev/vda1 rw
42 21 0:50 / /mnt/twice rw - tmpfs first rw
43 21 0:51 /sub /mnt/twice rw - nfs4 second:/x rw
`

describe('the mounts', () => {
  test('have their root and file system by their point, and the last one of several counts', () => {
    const mounts = parseMounts(mountinfo)
    expect(
      [...mounts.values()].map(({ point, root, fileSystem }) => `${point} ${root} ${fileSystem}`),
    ).toEqual([
      '/ / overlay',
      '/proc / proc',
      '/var/lib/mathesar /data/my volume ext4',
      '/var/lib/mathesar/config/mathesar.env /home/me/mathesar.env//deleted ext4',
      '/mnt/twice /sub nfs4',
    ])
  })
})

describe('a mounted file', () => {
  const mount = { kind: 'file', point: '/p', root: '/home/me/mathesar.env' } as const

  test('is up to date while its name is the same, and when the mount is gone', () => {
    expect(whyStale(mount, mount.root)).toBeUndefined()
    expect(whyStale(mount, undefined)).toBeUndefined()
  })

  test.each([
    ['/home/me/mathesar.env//deleted', 'replaced or deleted'],
    ['/home/me/mathesar.env~', 'moved to /home/me/mathesar.env~'],
  ])('is stale when its name is %s', (root, became) => {
    const effect = 'the container keeps the old one until it is started again'
    const advice = 'mount its folder instead of the file, and changes arrive'
    expect(whyStale(mount, root)).toBe(`the mounted file was ${became} on the host: ${effect}; ${advice}`)
    expect(whyStale({ ...mount, kind: 'folder' }, root)).toBe(
      `the mounted folder was ${became} on the host: ${effect}`,
    )
  })

  test('is stale from the start when it was replaced before', () => {
    const root = `${mount.root}//deleted`
    expect(whyStale({ ...mount, root }, root)).toContain('replaced or deleted')
  })
})

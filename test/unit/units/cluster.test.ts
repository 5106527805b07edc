import { describe, expect, test } from 'vitest'
import { parseMounts } from '../../../src/system/mounts.ts'
import { cluster } from '../../../src/units/postgres/cluster.ts'
import { failureOf } from '../failure.ts'
import { errorWith } from '../fakes/files.ts'
import { createScope, externalDatabase, never, placeOf, singleUser } from '../fakes/scope.ts'
import { readFile } from '../configurations.ts'

const folder = '/data/postgres'
const mark = `${folder}/supervisor.unsynced`
const template = '/share/cluster.tar.zst'

/** A system whose `tar` and `initdb` make a cluster, as far as anybody looks. */
const stage = (...options: Parameters<typeof createScope>) => {
  const at = createScope(...options)
  at.replies.program = async ({ command }) => {
    at.disk.put(`${command.cwd}/PG_VERSION`, '17\n')
    return { outcome: { code: 0, signal: null }, lines: [] }
  }
  return at
}
const withCluster = (version = '17\n') => {
  const at = stage()
  at.disk.put(`${folder}/PG_VERSION`, version)
  return at
}

describe('the task `cluster` on a new volume', () => {
  test('marks the folder, unpacks the template beside the mark, and moves it up', async () => {
    const { scope, disk, programs } = stage()
    disk.put(template, 'an archive')
    expect(await cluster.run(scope, never)).toMatchObject({ isFresh: true })
    const [program] = programs
    expect(program).toMatchObject({
      unit: 'cluster',
      command: { user: scope.place.identities.postgres, cwd: `${folder}/new` },
    })
    expect(program!.command.argv.join(' ')).toBe(
      `tar --extract --zstd --file ${template} --directory ${folder}/new --no-same-owner`,
    )
    expect(disk.text(`${folder}/PG_VERSION`)).toBe('17\n')
    expect(disk.text(mark)).toContain('may not be on the disk yet')
    expect(disk.modeOf(folder)).toBe('0700 101:102')
    expect(scope.system.files.listFolder(folder)).toEqual(['PG_VERSION', 'supervisor.unsynced'])
    expect(disk.acts.indexOf(`writeWhole ${mark}`)).toBeLessThan(
      disk.acts.indexOf(`makeFolder ${folder}/new`),
    )
  })

  test('never removes the folder itself, which may be a mount point, nor lost+found', async () => {
    const { scope, disk } = stage()
    for (const name of ['lost+found/x', '.mabc-1.tmp']) disk.put(`${folder}/${name}`, 'x')
    expect(await cluster.run(scope, never)).toMatchObject({ isFresh: true })
    expect(disk.acts).not.toContain(`remove ${folder}`)
    expect(scope.system.files.listFolder(folder)).toEqual(['PG_VERSION', 'lost+found', 'supervisor.unsynced'])
  })

  test('runs initdb without a template, with the password of a file that no argument shows', async () => {
    const { scope, disk, programs } = stage()
    await cluster.run(scope, never)
    const argv = programs[0]!.command.argv
    expect(argv.slice(0, 3)).toEqual(['/usr/lib/postgresql/17/bin/initdb', '--pgdata', `${folder}/new`])
    expect(argv).toEqual(
      expect.arrayContaining(['--auth=scram-sha-256', '--data-checksums', '--pwfile=/run/m/etc/bootstrap']),
    )
    expect(disk.text('/run/m/etc/bootstrap')).toBe('bootstrap')
  })

  test('gives a program nothing of the environment of the container', async () => {
    const { scope, programs } = stage({ place: { environment: { SECRET_KEY: 'hunter2', PGHOST: 'x' } } })
    await cluster.run(scope, never)
    expect(Object.keys(programs[0]!.command.env).toSorted()).toEqual(['LANG', 'LC_ALL', 'PATH', 'TZ'])
  })

  test('changes to no user where there is one', async () => {
    const { scope, disk, programs } = stage({ place: { identities: singleUser } })
    await cluster.run(scope, never)
    expect([programs[0]!.command.user, disk.modeOf(folder)]).toEqual([undefined, '0700 0:0'])
  })

  test('starts over where an earlier boot was cut off', async () => {
    const { scope, disk } = stage()
    disk.put(`${folder}/new/half`, 'x')
    disk.put(`${folder}/base/half`, 'x')
    disk.put(mark, 'x')
    await cluster.run(scope, never)
    expect(scope.system.files.listFolder(folder)).toEqual(['PG_VERSION', 'supervisor.unsynced'])
  })

  test.each([
    [['initdb: error: No space left on device', 'removing data'], 'VOLUME_FULL', 'no space left'],
    [
      ['tar: ./a: Cannot open: Permission denied', 'tar: Error is not recoverable: exiting now'],
      'CLUSTER_NOT_MADE',
      'initdb failed with exit code 1: tar: ./a: Cannot open: Permission denied',
    ],
    [['it broke'], 'CLUSTER_NOT_MADE', 'initdb failed with exit code 1: it broke'],
    [[], 'CLUSTER_NOT_MADE', 'initdb failed with exit code 1: it said nothing'],
  ])(
    'that fails with %j ends in %s, and leaves what the next boot makes anew',
    async (lines, code, message) => {
      const { scope, replies, disk } = stage()
      replies.program = async () => ({ outcome: { code: 1, signal: null }, lines })
      expect(await failureOf(() => cluster.run(scope, never))).toMatchObject({
        code,
        message: expect.stringContaining(message),
      })
      expect([disk.text(`${folder}/PG_VERSION`), disk.text(mark)]).toEqual([undefined, expect.any(String)])
    },
  )
})

describe('the task `cluster` on a volume with data', () => {
  test('runs nothing and changes nothing', async () => {
    const { scope, programs, disk } = withCluster()
    expect(await cluster.run(scope, never)).toMatchObject({ isFresh: false })
    expect(programs).toEqual([])
    expect(disk.acts.filter((act) => /^(write|rename)/.test(act))).toEqual([])
  })

  test('starts over where the cluster was never wholly on the disk: nothing was stored in it', async () => {
    const { scope, disk, programs } = withCluster()
    disk.put(mark, 'x')
    expect(await cluster.run(scope, never)).toMatchObject({ isFresh: true })
    expect(programs).toHaveLength(1)
  })

  test('of another major version touches nothing', async () => {
    const { scope, disk } = withCluster('15\n')
    expect(await failureOf(() => cluster.run(scope, never))).toMatchObject({
      code: 'CLUSTER_OTHER_MAJOR',
      message: 'cannot start Postgres 17 on /data/postgres: its data is of Postgres 15',
    })
    expect(disk.acts.filter((act) => !act.startsWith('read'))).toEqual([])
  })

  test('of no Postgres touches nothing', async () => {
    const { scope, disk } = stage()
    disk.put(`${folder}/photo.jpg`, 'x')
    expect(await failureOf(() => cluster.run(scope, never))).toMatchObject({
      code: 'CLUSTER_DAMAGED',
      message: 'cannot use /data/postgres: it is not empty, but has no PG_VERSION',
    })
    expect(disk.text(`${folder}/photo.jpg`)).toBe('x')
  })

  test('names a version that cannot be read', async () => {
    const { scope, disk } = withCluster()
    disk.failOn((_, path) => (path.endsWith('PG_VERSION') ? errorWith('EIO') : undefined))
    expect(await failureOf(() => cluster.run(scope, never))).toMatchObject({
      code: 'CLUSTER_DAMAGED',
      message: `cannot read ${folder}/PG_VERSION: EIO: it is refused`,
    })
  })
})

describe('the task `cluster` on a volume that was copied', () => {
  test('has the empty folders made anew by Postgres that a backup left out, and says so', async () => {
    const { scope, disk, replies, programs, said } = withCluster()
    disk.put(`${folder}/global/pg_control`, Buffer.alloc(32))
    disk.put(`${folder}/pg_notify/0000`, 'x')
    replies.program = async ({ command }) => {
      for (const path of command.argv.slice(3)) disk.files.makeFolder(path, 0o700)
      return { outcome: { code: 0, signal: null }, lines: [] }
    }
    await cluster.run(scope, never)
    const [program] = programs
    expect(program?.command).toMatchObject({ user: scope.place.identities.postgres, cwd: '/' })
    expect(program?.command.argv.slice(0, 3)).toEqual(['mkdir', '--mode=700', '--parents'])
    expect(program?.command.argv).toContain(`${folder}/pg_logical/snapshots`)
    expect(disk.acts).not.toContain(`setOwner ${folder}/pg_logical/snapshots`)
    expect(said).toEqual([
      expect.stringMatching(
        /^warn empty folders of Postgres were missing and are created again: pg_commit_ts, /,
      ),
    ])
    expect(said[0]).not.toContain('pg_notify')
    said.length = 0
    await cluster.run(scope, never)
    expect(said).toEqual([])
  })

  test('names what is in the way of an empty folder, such as a link that leads nowhere', async () => {
    const { scope, disk, replies } = withCluster()
    disk.put(`${folder}/global/pg_control`, Buffer.alloc(32))
    const why = `mkdir: cannot create directory '${folder}/pg_notify': File exists`
    replies.program = async () => ({ outcome: { code: 1, signal: null }, lines: [why] })
    expect(await failureOf(() => cluster.run(scope, never))).toMatchObject({
      code: 'CLUSTER_UNUSABLE',
      message: `cannot make the empty folders of ${folder} that are missing: ${why}`,
    })
  })

  test.each([
    ['modes', 0o755, 101, 'does not keep modes: the folder has 0755, not 0700'],
    ['owners', 0o700, 1000, "does not keep owners: the folder is user 1000's, not 101's"],
  ])('names a file system that does not keep %s', async (_, mode, uid, message) => {
    for (const at of [withCluster(), stage()]) {
      const { scope, disk, replies, programs } = at
      disk.files.makeFolder(folder, 0o700)
      disk.ignoreOwnersOf(folder, { mode, uid, gid: 0 })
      replies.mounts = () => parseMounts('1 1 8:1 / /data rw - fuse.bindfs x rw')
      replies.program = async () => ({ outcome: { code: 1, signal: null }, lines: [] })
      expect(await failureOf(() => cluster.run(scope, never))).toMatchObject({
        code: 'VOLUME_NOT_WRITABLE',
        message: `cannot use ${folder}: its file system (fuse.bindfs) ${message}`,
        hint: expect.stringContaining('use a named volume'),
      })
      expect(programs.filter(({ command }) => command.argv[0] !== 'test')).toEqual([])
    }
  })

  test('takes a file system that names root, when Postgres says that the folder is its own', async () => {
    const { scope, disk, programs } = withCluster()
    disk.ignoreOwnersOf(folder, { mode: 0o700, uid: 0, gid: 0 })
    expect(await cluster.run(scope, never)).toMatchObject({ isFresh: false })
    expect(programs.map(({ command }) => command.argv.join(' '))).toEqual([`test -O ${folder}`])
  })

  test('names what the file system refuses', async () => {
    const { scope, disk } = stage()
    disk.failOn((act, path) => (act === 'setOwner' && path === folder ? errorWith('EPERM') : undefined))
    expect(await failureOf(() => cluster.run(scope, never))).toMatchObject({ code: 'VOLUME_NOT_WRITABLE' })
  })
})

describe('the task `cluster` on a volume whose cluster has served', () => {
  const control = (identifier: number): Buffer => {
    const bytes = Buffer.alloc(32)
    bytes.writeUInt32LE(identifier)
    return bytes
  }
  const served = (manifest: string) => {
    const at = stage()
    at.disk.put('/data/manifest.json', manifest)
    return at
  }
  const ofCluster7 = JSON.stringify({ cluster: { systemIdentifier: '7', startedAs: 0 } })
  const missing = {
    code: 'CLUSTER_DAMAGED',
    message: 'cannot find the cluster that has served from this volume: there is none in /data/postgres',
    hint:
      'Mount or restore what was in /data/postgres, and where it is a link, what it leads to. ' +
      'To start over with an empty installation, remove /data/manifest.json; nothing was changed.',
  }

  test('takes the same one', async () => {
    const { scope, disk } = served(ofCluster7)
    disk.put(`${folder}/PG_VERSION`, '17\n')
    disk.put(`${folder}/global/pg_control`, control(7))
    expect(await cluster.run(scope, never)).toMatchObject({ isFresh: false })
  })

  test.each<[string, (disk: ReturnType<typeof stage>['disk']) => void]>([
    ['nothing', () => {}],
    ['an empty folder', (disk) => disk.files.makeFolder(folder, 0o700)],
    ['a file system that is new', (disk) => disk.files.makeFolder(`${folder}/lost+found`, 0o700)],
    ['a cluster that was never whole', (disk) => disk.put(mark, 'x')],
  ])('makes none in its place where there is %s', async (_, prepare) => {
    const { scope, disk, programs } = served(ofCluster7)
    prepare(disk)
    disk.acts.length = 0
    expect(await failureOf(() => cluster.run(scope, never))).toMatchObject(missing)
    expect([programs, disk.acts.filter((act) => !/^(read|list)/.test(act))]).toEqual([[], []])
  })

  test.each(['', 'nonsense', '[]', '{"cluster":{}}'])('misses it too where it remembers %j', async (text) => {
    const { scope } = served(text)
    expect(await failureOf(() => cluster.run(scope, never))).toMatchObject(missing)
  })

  test('takes the one that is there where it remembers nothing of it', async () => {
    const { scope, disk } = served('nonsense')
    disk.put(`${folder}/PG_VERSION`, '17\n')
    disk.put(`${folder}/global/pg_control`, control(8))
    expect(await cluster.run(scope, never)).toMatchObject({ isFresh: false })
  })

  test('refuses another one, and names both', async () => {
    const { scope, disk } = served(ofCluster7)
    disk.put(`${folder}/PG_VERSION`, '17\n')
    disk.put(`${folder}/global/pg_control`, control(8))
    expect(await failureOf(() => cluster.run(scope, never))).toMatchObject({
      code: 'CLUSTER_DAMAGED',
      message: expect.stringContaining('is another one (its system identifier is 8, not 7)'),
    })
  })

  test('makes one where the manifest speaks of other things alone', async () => {
    const { scope } = served('{"instance":"a"}')
    expect(await cluster.run(scope, never)).toMatchObject({ isFresh: true })
  })
})

describe('a server that an earlier supervisor left behind', () => {
  test('is stopped first, and its lock file removed once it is gone', async () => {
    const { scope, disk, replies, signals, clock, said } = withCluster()
    disk.put(`${folder}/postmaster.pid`, `4711\n${folder}\n`)
    let isThere = true
    replies.isProcessIn = (where, pid) => isThere && where === folder && pid === 4711
    const run = cluster.run(scope, never)
    await clock.advance(1000)
    expect([signals, disk.text(`${folder}/postmaster.pid`)]).toEqual([['SIGINT 4711'], `4711\n${folder}\n`])
    isThere = false
    await clock.advance(50)
    await run
    expect(disk.text(`${folder}/postmaster.pid`)).toBeUndefined()
    expect(said).toEqual(['warn Postgres 4711 of an earlier supervisor still runs: it is stopped first'])
  })

  test('is not waited for once everything stops', async () => {
    const { scope, disk, replies, clock } = withCluster()
    disk.put(`${folder}/postmaster.pid`, '4711\n')
    replies.isProcessIn = () => true
    const stopping = new AbortController()
    const run = cluster.run(scope, stopping.signal)
    await clock.advance(100)
    stopping.abort(new Error('everything stops'))
    await expect(run).rejects.toThrow('everything stops')
  })

  test.each(['', '4711\n', '-1\n', '0\n', 'nonsense\n', '\0\n'])(
    'that is gone leaves a lock file %j, which is removed, and no process is signalled',
    async (text) => {
      const { scope, disk, signals, replies } = withCluster()
      replies.isProcessIn = (_, pid) => pid <= 0
      disk.put(`${folder}/postmaster.pid`, text)
      await cluster.run(scope, never)
      expect([signals, disk.text(`${folder}/postmaster.pid`)]).toEqual([[], undefined])
    },
  )

  test('may have left anything in place of its lock file', async () => {
    const { scope, disk, signals } = withCluster()
    disk.put(`${folder}/postmaster.pid/x`, 'a folder')
    await cluster.run(scope, never)
    expect([signals, scope.system.files.isThere(`${folder}/postmaster.pid`)]).toEqual([[], false])
  })
})

test('the task `cluster` is left out with an external database', () => {
  expect(cluster.skip!(readFile(externalDatabase), placeOf())).toBe('the database is external')
  expect(cluster.skip!(readFile(''), placeOf())).toBeUndefined()
})

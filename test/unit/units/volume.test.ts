import { describe, expect, test } from 'vitest'
import { parseMounts } from '../../../src/system/mounts.ts'
import { volume } from '../../../src/units/volume.ts'
import { failureOf } from '../failure.ts'
import { errorWith } from '../fakes/files.ts'
import { createScope, externalDatabase, never, singleUser } from '../fakes/scope.ts'

const external = externalDatabase
const withKey = { environment: { SECRET_KEY: 'a key of the platform' } }

describe('the task `volume`', () => {
  test('creates every folder with its owner and mode', async () => {
    const { scope, disk } = createScope()
    expect(await volume.run(scope, never)).toEqual({
      isEphemeral: false,
      media: '/data/media',
      temporary: '/data/tmp',
      buffer: '/data/buffer',
      holder: expect.objectContaining({ host: 'box', copied: null }),
    })
    const modes = Object.fromEntries(
      ['config', 'secrets', 'history', 'media', 'tmp', 'buffer'].map((name) => [
        name,
        disk.modeOf(`/data/${name}`),
      ]),
    )
    expect(modes).toEqual({
      config: '0750 0:8001',
      secrets: '0700 0:0',
      history: '0700 0:0',
      media: '0750 8000:8001',
      tmp: '0700 8000:8001',
      buffer: '0700 8001:8002',
    })
    const ofRun = ['control', 'etc', 'app', 'door', 'postgres'].map((name) => disk.modeOf(`/run/m/${name}`))
    expect(ofRun).toEqual(['0700 0:0', '0755 0:0', '0750 0:8001', '0750 0:8002', '0755 101:102'])
  })

  test('gives nothing away where there is one user', async () => {
    const { scope, disk } = createScope({ place: { identities: singleUser } })
    await volume.run(scope, never)
    const folders = ['/data/config', '/data/media', '/run/m/app', '/run/m/postgres']
    expect(folders.map((path) => disk.modeOf(path))).toEqual(['0750 0:0', '0750 0:0', '0750 0:0', '0755 0:0'])
  })

  test('empties the folder of temporary files, and nothing else', async () => {
    const { scope, disk, replies } = createScope()
    const removed: string[] = []
    replies.program = async ({ command: { argv } }) => {
      if (argv.includes('rm')) removed.push(...argv.slice(argv.indexOf('--') + 1))
      return { outcome: { code: 0, signal: null }, lines: [''] }
    }
    for (const path of ['/data/tmp/old', '/data/media/kept', '/data/config/mathesar.env']) disk.put(path, 'x')
    await volume.run(scope, never)
    expect(disk.text('/data/tmp/old')).toBeUndefined()
    expect(removed).toEqual([expect.stringMatching(/^\/data\/\.left-/)])
    expect(disk.text(`${removed[0]}/old`)).toBe('x')
    expect([disk.text('/data/media/kept'), disk.text('/data/config/mathesar.env')]).toEqual(['x', 'x'])
  })

  test('that is full is rid of what a cut-off restore left, and names the state it keeps', async () => {
    const { scope, disk, replies } = createScope()
    replies.program = async ({ command: { argv } }) => {
      for (const path of argv.slice(argv.indexOf('--') + 1)) disk.files.remove(path)
      return { outcome: { code: 0, signal: null }, lines: [''] }
    }
    for (const name of ['cut', 'old']) disk.put(`/data/restore/${name}/postgres/PG_VERSION`, '17')
    const journal = { incoming: 'new', outgoing: 'old', kept: [], moves: [], at: 'now', isDone: true }
    disk.put('/data/restore/journal.json', JSON.stringify(journal))
    disk.failOn((act) =>
      act === 'requireSpace' && disk.files.isThere('/data/restore/cut') ? errorWith('ENOSPC') : undefined,
    )
    await volume.run(scope, never)
    expect(disk.files.listFoldersIn('/data/restore')).toEqual(['old'])
    disk.failOn((act) => (act === 'requireSpace' ? errorWith('ENOSPC') : undefined))
    expect(await failureOf(() => volume.run(scope, never))).toMatchObject({
      code: 'VOLUME_FULL',
      message: 'cannot use /data: no space left',
      hint: expect.stringContaining('restore --forget'),
    })
    expect(disk.files.listFoldersIn('/data/restore')).toEqual(['old'])
  })

  test('takes the lock before it touches anything in the volume', async () => {
    const { scope, disk, replies } = createScope()
    replies.lock = () => false
    expect(await failureOf(() => volume.run(scope, never))).toMatchObject({
      code: 'VOLUME_IN_USE',
      message: 'cannot use /data: another supervisor uses it',
    })
    expect(disk.acts.filter((act) => !act.startsWith('read'))).toEqual(['makeFolder /data'])
  })

  test('leaves a config folder that is mounted read-only as it is', async () => {
    const { scope, disk } = createScope()
    disk.failOn((act, path) =>
      act === 'setOwner' && path === '/data/config' ? errorWith('EROFS') : undefined,
    )
    expect(await volume.run(scope, never)).toMatchObject({ isEphemeral: false })
  })

  test.each([
    ['ENOSPC', 'VOLUME_FULL', 'cannot use /data: no space left'],
    ['EROFS', 'VOLUME_NOT_WRITABLE', 'cannot use /data as user 0: EROFS: it is refused'],
    ['EACCES', 'VOLUME_NOT_WRITABLE', 'cannot use /data as user 0: EACCES: it is refused'],
    ['EIO', 'VOLUME_NOT_WRITABLE', 'cannot use the disk: EIO: it is refused'],
  ])('that cannot be written (%s) ends in %s', async (errno, code, message) => {
    const { scope, disk } = createScope()
    disk.failOn((act) => (act === 'requireSpace' ? errorWith(errno) : undefined))
    expect(await failureOf(() => volume.run(scope, never))).toMatchObject({ code, message })
  })

  test.each([
    ['EROFS', {}, undefined, 'leave off `:ro`'],
    ['EACCES', {}, undefined, 'SELinux: add `:Z`'],
    ['EPERM', {}, undefined, 'no_root_squash'],
    ['EACCES', { identities: singleUser }, undefined, '-R 1000:0 /data`'],
    ['EACCES', { identities: singleUser }, 0, 'start without `--user`'],
    ['EACCES', { identities: singleUser }, 7, '`--user 7:0`, as before'],
  ])(
    'that cannot be written (%s, %j, made as %j) has a hint that would work',
    async (errno, place, by, hint) => {
      const { scope, disk } = createScope({ place })
      if (by !== undefined)
        disk.put('/data/manifest.json', JSON.stringify({ cluster: { systemIdentifier: '7', startedAs: by } }))
      disk.failOn((act) => (act === 'requireSpace' ? errorWith(errno) : undefined))
      expect((await failureOf(() => volume.run(scope, never))).hint).toContain(hint)
    },
  )

  test('whose data may not be looked at is refused, not a fault of ours', async () => {
    const { scope } = createScope({ place: { identities: singleUser } })
    const isThere = (): never => {
      throw errorWith('EACCES')
    }
    const closed = { ...scope, system: { ...scope.system, files: { ...scope.system.files, isThere } } }
    expect((await failureOf(() => volume.run(closed, never))).code).toBe('VOLUME_NOT_WRITABLE')
  })

  test('that fails by a fault of ours is no fault of the disk', async () => {
    const { scope, disk } = createScope()
    disk.failOn((act) => (act === 'requireSpace' ? new TypeError('ours') : undefined))
    expect((await failureOf(() => volume.run(scope, never))).code).toBe('INTERNAL')
  })

  test('names the folder of the run when that is the one that cannot be written', async () => {
    const { scope, disk } = createScope()
    disk.failOn((_, path) => (path === '/run/m/etc' ? errorWith('EACCES') : undefined))
    expect(await failureOf(() => volume.run(scope, never))).toMatchObject({
      code: 'VOLUME_NOT_WRITABLE',
      message: 'cannot use /run/m as user 0: EACCES: it is refused',
      hint: expect.stringContaining('`--tmpfs /run/m`'),
    })
  })

  test.each([
    ['0775 1000:100', 0o775, 1000],
    ['0711 1000:100', 0o700, 1000],
    ['2771 1000:100', 0o2770, 1000],
    ['0775 1000:100', 0o777, 1000],
    ['0755 0:100', 0o1777, 0],
    ['0755 0:100', 0o700, 0],
  ])('has %s after it had %o of user %d', async (after, mode, uid) => {
    const { scope, disk } = createScope()
    disk.setOwner('/data', { uid, gid: 100 }, mode)
    await volume.run(scope, never)
    expect(disk.modeOf('/data')).toBe(after)
  })

  test('says what is mounted beside it, and what will be lost, where anything has to last', async () => {
    const usual = parseMounts('1 1 8:1 / / rw - overlay x rw\n2 1 8:1 /x /var/lib/postgresql rw - ext4 x rw')
    const warnings = async (
      options?: Parameters<typeof createScope>[0],
      mounts = usual,
    ): Promise<readonly string[]> => {
      const { scope, replies, said } = createScope(options)
      replies.mounts = () => mounts
      await volume.run(scope, never)
      return said.filter((line) => line.startsWith('warn'))
    }
    expect(await warnings()).toEqual([
      expect.stringContaining('/data is in the container itself'),
      expect.stringContaining('nothing is kept in what is mounted at /var/lib/postgresql'),
    ])
    const uploads = expect.stringContaining('FILE_STORAGE_DICT names a storage that lasts')
    expect(await warnings({ config: external, place: withKey })).toEqual([uploads])
    const elsewhere = { environment: { ...withKey.environment, FILE_STORAGE_DICT: '{"default": {}}' } }
    expect(await warnings({ config: external, place: elsewhere })).toEqual([])
    const lasts = parseMounts('1 1 8:1 / / rw - overlay x rw\n2 1 8:1 /x /data/media rw - ext4 x rw')
    expect(await warnings({ config: external, place: withKey }, lasts)).toEqual([])
  })
})

describe('a cluster of another image', () => {
  test.each(['/data', '/data/mathesar', '/data/17/main', '/old/main'])(
    'in %s is not overlooked',
    async (folder) => {
      const { scope, disk, replies } = createScope()
      replies.mounts = () => parseMounts('1 1 8:1 /x /var/lib/postgresql rw - ext4 x rw')
      disk.put(`${folder.replace('/old', '/var/lib/postgresql')}/PG_VERSION`, '15\n')
      disk.acts.length = 0
      expect(await failureOf(() => volume.run(scope, never))).toMatchObject({
        code: 'CLUSTER_UNUSABLE',
        message: expect.stringContaining('there is a cluster of another image in '),
      })
      expect(disk.acts.filter((act) => !act.startsWith('read'))).toEqual([])
    },
  )

  test.each(['/data/media/x', '/data/tmp'])('is nothing that Mathesar put into %s', async (folder) => {
    const { scope, disk } = createScope()
    disk.put(`${folder}/PG_VERSION`, '15\n')
    expect(await volume.run(scope, never)).toMatchObject({ isEphemeral: false })
  })

  test('may lie beside ours', async () => {
    const { scope, disk } = createScope()
    for (const name of ['old', 'postgres']) disk.put(`/data/${name}/PG_VERSION`, '17\n')
    expect(await volume.run(scope, never)).toMatchObject({ isEphemeral: false })
  })
})

describe('the owners of the data', () => {
  const version = '/data/postgres/PG_VERSION'
  const stage = (owner: number, secretsOwner: number, manifest?: string) => {
    const at = createScope()
    at.disk.put(version, '17\n', 0o600, { uid: owner, gid: 0 })
    at.disk.put('/data/media/photo', 'x', 0o600, { uid: owner, gid: 0 })
    for (const path of ['/data/postgres', '/data/media'])
      at.disk.setOwner(path, { uid: owner, gid: 0 }, 0o700)
    at.disk.setOwner('/data/secrets', { uid: secretsOwner, gid: 0 }, 0o700)
    if (manifest !== undefined) at.disk.put('/data/manifest.json', manifest)
    return at
  }
  const startedAs = (uid: number): string => JSON.stringify({ cluster: { startedAs: uid } })

  test('made with --user are refused as root, and the hint says how to start', async () => {
    const { scope, disk } = stage(1000, 1000, startedAs(1000))
    const failure = await failureOf(() => volume.run(scope, never))
    expect(failure.message).toBe(
      'cannot use /data as root: its data belongs to user 1000, and Postgres would run as user 101',
    )
    expect(failure.hint).toBe('Start with `--user 1000:0` or `-e PUID=1000`, as before; nothing was changed.')
    expect(disk.modeOf(version)).toBe('0600 1000:0')
  })

  test('that may be those of a restore are refused with both ways on', async () => {
    const { hint } = await failureOf(() => volume.run(stage(1000, 1000).scope, never))
    expect(hint).toContain('Start with `--user 1000:0` or `-e PUID=1000` if it was made so.')
    expect(hint).toContain('-R 101:102 /data/postgres')
  })

  test.each([
    ['root', 0, 0, undefined],
    ['user 1000, and only the data', 1000, 0, undefined],
    ['user 1000 of a volume that root had made', 1000, 1000, startedAs(0)],
  ] as const)('that a restore gave to %s are given back', async (_, owner, secretsOwner, manifest) => {
    const { scope, disk, said } = stage(owner, secretsOwner, manifest)
    await volume.run(scope, never)
    expect([disk.modeOf(version), disk.modeOf('/data/media/photo')]).toEqual([
      '0600 101:102',
      '0600 8000:8001',
    ])
    expect(said.filter((line) => line.startsWith('warn'))).toEqual([
      "warn 2 files in /data/postgres were not postgres's: given back",
      "warn 2 files in /data/media were not mathesar's: given back",
    ])
  })

  test('that are right are not looked for', async () => {
    const { scope, disk } = createScope()
    await volume.run(scope, never)
    await volume.run(scope, never)
    expect(disk.acts.filter((act) => act.startsWith('giveTree'))).toHaveLength(1)
  })

  test('takes anybody’s data where the database is another one', async () => {
    const { scope, disk } = createScope({ config: external })
    disk.put('/data/postgres/PG_VERSION', '17\n', 0o600, { uid: 1000, gid: 0 })
    expect(await volume.run(scope, never)).toMatchObject({ isEphemeral: false })
  })
})

describe('a volume that cannot be written', () => {
  const readOnly = (errno: string) => (_: string, path: string) =>
    path.startsWith('/data') ? errorWith(errno) : undefined

  test.each(['EROFS', 'EACCES', 'EPERM'])(
    'is not needed (%s) where the platform brings a database and a key',
    async (errno) => {
      const { scope, disk, said } = createScope({ config: external, place: withKey })
      disk.failOn(readOnly(errno))
      expect(await volume.run(scope, never)).toEqual({
        isEphemeral: true,
        media: '/run/m/media',
        temporary: '/run/m/tmp',
        buffer: '/run/m/buffer',
      })
      expect([disk.modeOf('/run/m/media'), disk.modeOf('/run/m/tmp')]).toEqual([
        '0750 8000:8001',
        '0700 8000:8001',
      ])
      expect(said.at(-1)).toMatch(/^warn uploaded files are gone with this container/)
    },
  )

  test.each([
    ['a full disk', external, withKey, 'ENOSPC', 'VOLUME_FULL'],
    ['the embedded database', '', withKey, 'EROFS', 'VOLUME_NOT_WRITABLE'],
    ['no key', external, {}, 'EROFS', 'VOLUME_NOT_WRITABLE'],
  ])('is needed with %s', async (_, config, place, errno, code) => {
    const { scope, disk } = createScope({ config, place })
    disk.failOn(readOnly(errno))
    expect(await failureOf(() => volume.run(scope, never))).toMatchObject({ code })
  })

  test('is not taken for one when another container has its lock', async () => {
    const { scope, replies } = createScope({ config: external, place: withKey })
    replies.lock = () => false
    expect(await failureOf(() => volume.run(scope, never))).toMatchObject({ code: 'VOLUME_IN_USE' })
  })
})

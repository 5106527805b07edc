import { describe, expect, test } from 'vitest'
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
    const { scope, disk } = createScope()
    for (const path of ['/data/tmp/old', '/data/media/kept', '/data/config/mathesar.env']) disk.put(path, 'x')
    await volume.run(scope, never)
    expect(disk.text('/data/tmp/old')).toBeUndefined()
    expect([disk.text('/data/media/kept'), disk.text('/data/config/mathesar.env')]).toEqual(['x', 'x'])
  })

  test('takes the lock before it touches anything in the volume', async () => {
    const { scope, disk, replies } = createScope()
    replies.lock = () => false
    expect(await failureOf(() => volume.run(scope, never))).toMatchObject({
      code: 'VOLUME_IN_USE',
      message: 'cannot use /data: another supervisor uses it',
    })
    expect(disk.acts).toEqual(['makeFolder /data'])
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
    ['EROFS', 'VOLUME_NOT_WRITABLE', 'cannot write: EROFS: it is refused'],
    ['EACCES', 'VOLUME_NOT_WRITABLE', 'cannot use /data as user 0: EACCES: it is refused'],
    ['EIO', 'VOLUME_NOT_WRITABLE', 'cannot use the disk: EIO: it is refused'],
  ])('that cannot be written (%s) ends in %s', async (errno, code, message) => {
    const { scope, disk } = createScope()
    disk.failOn((act) => (act === 'requireSpace' ? errorWith(errno) : undefined))
    expect(await failureOf(() => volume.run(scope, never))).toMatchObject({ code, message })
  })

  test('names the folder of the run when that is the one that cannot be written', async () => {
    const { scope, disk } = createScope()
    disk.failOn((_, path) => (path === '/run/m/etc' ? errorWith('EACCES') : undefined))
    expect(await failureOf(() => volume.run(scope, never))).toMatchObject({
      code: 'VOLUME_NOT_WRITABLE',
      message: 'cannot use /run/m as user 0: EACCES: it is refused',
    })
  })

  test('refuses as root data that was made with --user, and says how to start', async () => {
    const { scope, disk } = createScope()
    disk.put('/data/postgres/PG_VERSION', '17\n', 0o600, { uid: 1000, gid: 0 })
    const failure = await failureOf(() => volume.run(scope, never))
    expect(failure.message).toBe(
      'cannot use /data as root: its data belongs to user 1000, and Postgres would run as user 101',
    )
    expect(failure.hint).toContain('--user 1000:0')
    expect(disk.modeOf('/data/postgres/PG_VERSION')).toBe('0600 1000:0')
  })

  test.each([0, 101])('takes data of user %d as root', async (uid) => {
    const { scope, disk } = createScope()
    disk.put('/data/postgres/PG_VERSION', '17\n', 0o600, { uid, gid: uid })
    expect(await volume.run(scope, never)).toMatchObject({ isEphemeral: false })
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
      const { scope, disk } = createScope({ config: external, place: withKey })
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

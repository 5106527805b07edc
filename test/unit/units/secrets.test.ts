import { describe, expect, test } from 'vitest'
import { secrets } from '../../../src/units/secrets.ts'
import { failureOf } from '../failure.ts'
import { errorWith } from '../fakes/files.ts'
import { createScope, externalDatabase, never, singleUser } from '../fakes/scope.ts'

const given = { environment: { SECRET_KEY: 'the given key' } }
const [keyFile, passwordFile] = ['/data/secrets/secret_key', '/data/secrets/postgres_password']
const dataFile = '/data/postgres/PG_VERSION'
const ephemeral = {
  isEphemeral: true,
  media: '/run/m/media',
  temporary: '/run/m/tmp',
  buffer: '/run/m/buffer',
}

describe('the task `secrets` on a new volume', () => {
  test('creates a key and a password, and keeps both for the supervisor alone', async () => {
    const { scope, disk } = createScope()
    const made = await secrets.run(scope, never)
    expect(made).toEqual({
      secretKey: '1'.padEnd(50, 'r'),
      isKeyPending: false,
      superuserPassword: '2'.padEnd(50, 'r'),
    })
    expect([disk.text(keyFile), disk.text(passwordFile)]).toEqual(['1'.padEnd(50, 'r'), '2'.padEnd(50, 'r')])
    expect([disk.modeOf(keyFile), disk.modeOf(passwordFile)]).toEqual(['0600 0:0', '0600 0:0'])
    expect(await secrets.run(scope, never), 'once more').toEqual(made)
  })

  test('keeps the key that is given', async () => {
    const { scope, disk } = createScope({ place: given })
    expect(await secrets.run(scope, never)).toMatchObject({ secretKey: 'the given key', isKeyPending: false })
    expect(disk.text(keyFile)).toBe('the given key')
  })

  test('with an external database makes no password, and does not keep a new key yet', async () => {
    const { scope, disk } = createScope({ config: externalDatabase })
    expect(await secrets.run(scope, never)).toEqual({
      secretKey: '1'.padEnd(50, 'r'),
      isKeyPending: true,
      superuserPassword: undefined,
    })
    expect([disk.text(keyFile), disk.text(passwordFile)]).toEqual([undefined, undefined])
  })

  test('with an external database keeps the key that is given at once', async () => {
    const { scope, disk } = createScope({ config: externalDatabase, place: given })
    expect(await secrets.run(scope, never)).toMatchObject({ isKeyPending: false })
    expect(disk.text(keyFile)).toBe('the given key')
  })
})

describe('the task `secrets` on a volume with secrets', () => {
  test('reads them, without the blanks of an editor', async () => {
    const { scope, disk } = createScope()
    disk.put(keyFile, ' the kept key\n')
    disk.put(passwordFile, 'the kept password\r\n')
    expect(await secrets.run(scope, never)).toEqual({
      secretKey: 'the kept key',
      isKeyPending: false,
      superuserPassword: 'the kept password',
    })
  })

  test('goes by the key that is given, says so when it is another one, and leaves the kept one', async () => {
    const { scope, disk, said } = createScope({ place: given })
    disk.put(keyFile, 'the kept key')
    expect(await secrets.run(scope, never)).toMatchObject({ secretKey: 'the given key' })
    expect(disk.text(keyFile)).toBe('the kept key')
    expect(said).toEqual([
      expect.stringMatching(/^warn SECRET_KEY differs from \/data\/secrets\/secret_key, and cannot/),
    ])
    disk.put(keyFile, 'the given key')
    await secrets.run(scope, never)
    expect(said).toHaveLength(1)
  })

  test('makes no key in place of one that is gone with the cluster: that may come back', async () => {
    const { scope, disk } = createScope()
    disk.put('/data/manifest.json', '{"cluster":{"systemIdentifier":"7"}}')
    expect(await failureOf(() => secrets.run(scope, never))).toMatchObject({ code: 'SECRETS_MISSING' })
    expect(disk.text(keyFile)).toBeUndefined()
  })

  test('names the file that cannot be read', async () => {
    const { scope, disk } = createScope()
    disk.failOn((act, path) => (path === keyFile && act === 'readIfThere' ? errorWith('EIO') : undefined))
    expect(await failureOf(() => secrets.run(scope, never))).toMatchObject({
      code: 'SECRETS_MISSING',
      message: `cannot read ${keyFile}: EIO: it is refused`,
    })
  })

  test('hides what it returns from the log', async () => {
    const { scope, logText } = createScope({ place: given })
    await secrets.run(scope, never)
    scope.system.log.say('info', `a program says the given key and ${'1'.padEnd(50, 'r')}`)
    expect(logText()).toContain('a program says [redacted] and [redacted]')
  })
})

describe('the task `secrets` on a volume with data', () => {
  test('never makes another key in place of one that is lost', async () => {
    const { scope, disk } = createScope()
    disk.put(dataFile, '17\n')
    expect(await failureOf(() => secrets.run(scope, never))).toMatchObject({
      code: 'SECRETS_MISSING',
      message: `cannot find ${keyFile}, but the volume holds data that was encrypted with it`,
    })
    expect(disk.text(keyFile)).toBeUndefined()
  })

  test('goes on with the key that is given, and keeps it', async () => {
    const { scope, disk } = createScope({ place: given })
    disk.put(dataFile, '17\n')
    expect(await secrets.run(scope, never)).toMatchObject({ secretKey: 'the given key' })
    expect(disk.text(keyFile)).toBe('the given key')
  })

  test('makes another password as root, who can always set it, and as no other user', async () => {
    const asRoot = createScope({ place: given })
    asRoot.disk.put(dataFile, '17\n')
    expect(await secrets.run(asRoot.scope, never)).toMatchObject({ superuserPassword: '1'.padEnd(50, 'r') })
    const asUser = createScope({ place: { ...given, identities: singleUser } })
    asUser.disk.put(dataFile, '17\n')
    expect(await failureOf(() => secrets.run(asUser.scope, never))).toMatchObject({
      code: 'SECRETS_MISSING',
      message: expect.stringContaining(passwordFile),
    })
  })
})

test('the task `secrets` neither reads nor writes a volume that cannot be written', async () => {
  const { scope, disk } = createScope({
    config: externalDatabase,
    place: given,
    results: { volume: ephemeral },
  })
  expect(await secrets.run(scope, never)).toEqual({
    secretKey: 'the given key',
    isKeyPending: false,
    superuserPassword: undefined,
  })
  expect(disk.acts).toEqual([])
})

import { describe, expect, test } from 'vitest'
import { config } from '../../../src/units/mathesar/files.ts'
import { filesOf, read } from '../configurations.ts'
import { createScope, never, rootIdentities } from '../fakes/scope.ts'

const sso = 'version: 1\noidc_providers: {}\n'
const storage = 'default: {}\n'

describe('the task `config`', () => {
  test('copies the checked files to where Mathesar reads them, and nobody else', async () => {
    const { scope, disk } = createScope({
      config: read(filesOf('DEBUG=true\n', { 'sso.yml': sso, 'file_storage.yml': storage })),
    })
    expect(await config.run(scope, never)).toBeUndefined()
    expect([disk.text('/run/m/app/sso.yml'), disk.text('/run/m/app/file_storage.yml')]).toEqual([
      sso,
      storage,
    ])
    expect(disk.modeOf('/run/m/app/sso.yml')).toBe('0644 0:0')
    expect(disk.text('/run/m/app/mathesar.env')).toBeUndefined()
  })

  test('hands over the hosts that are permitted, and the name by which the supervisor asks', async () => {
    const { scope, disk } = createScope({ config: 'ALLOWED_HOSTS=a.org,private\nPUBLIC_URL=http://b.org\n' })
    await config.run(scope, never)
    expect(disk.text('/run/m/app/hosts')).toBe('a.org,private,b.org,supervisor.invalid')
    expect(disk.modeOf('/run/m/app/hosts')).toBe('0644 0:0')
  })

  test('removes the copy of a file that is gone', async () => {
    const { scope, disk } = createScope({ config: read(filesOf(undefined, { 'file_storage.yml': storage })) })
    disk.put('/run/m/app/sso.yml', sso)
    await config.run(scope, never)
    expect([disk.text('/run/m/app/sso.yml'), disk.text('/run/m/app/file_storage.yml')]).toEqual([
      undefined,
      storage,
    ])
  })

  test('asks the parsers of Mathesar, as its user, about what it does not have yet', async () => {
    const { scope, disk, programs } = createScope({
      config: read(filesOf(undefined, { 'sso.yml': sso, 'file_storage.yml': storage })),
    })
    disk.put('/run/m/app/file_storage.yml', storage)
    await config.run(scope, never)
    expect(programs).toEqual([
      {
        unit: 'config',
        command: {
          argv: ['/usr/bin/python3', '-I', '/etc/check_config.py'],
          cwd: '/code',
          user: rootIdentities.mathesar,
          env: { LANG: 'C.UTF-8', 'PROPOSED_sso.yml': sso },
        },
      },
    ])
  })

  test.each(['SSO_CONFIG_DICT', 'OIDC_CONFIG_DICT', 'FILE_STORAGE_DICT'])(
    'asks them about %s',
    async (name) => {
      const { scope, programs } = createScope({ config: `${name}={}\n` })
      await config.run(scope, never)
      expect(programs.map(({ command }) => command.env)).toEqual([
        { LANG: 'C.UTF-8', [`PROPOSED_${name}`]: '{}' },
      ])
    },
  )

  test.each([
    [
      ['WARNING a: b', 'ERROR sso.yml, line 1: it has a tag'],
      'CONFIG_INVALID',
      'cannot use the configuration: sso.yml, line 1: it has a tag',
    ],
    [
      ['Killed'],
      'CONFIG_NOT_CHECKED',
      'cannot check the configuration: python3 failed with exit code 1: Killed',
    ],
    [
      [],
      'CONFIG_NOT_CHECKED',
      'cannot check the configuration: python3 failed with exit code 1: it said nothing',
    ],
  ])('hands over nothing when they said %j', async (lines, code, message) => {
    const { scope, disk, replies } = createScope({ config: read(filesOf(undefined, { 'sso.yml': sso })) })
    replies.program = async () => ({ outcome: { code: 1, signal: null }, lines })
    await expect(config.run(scope, never)).rejects.toMatchObject({ code, message })
    expect(disk.text('/run/m/app/sso.yml')).toBeUndefined()
  })

  test.each([
    [{}, 'CONFIG_INVALID'],
    [{ SSO_CONFIG_DICT: '{"a":1}' }, 'SETTING_INVALID'],
  ])('tells a fault of the environment %j from one of the file: %s', async (environment, code) => {
    const { scope, replies } = createScope({
      place: { environment },
      config: 'SSO_CONFIG_DICT={"a":1}\n',
    })
    const lines = ['ERROR SSO_CONFIG_DICT: it has no mapping oidc_providers']
    replies.program = async () => ({ outcome: { code: 1, signal: null }, lines })
    await expect(config.run(scope, never)).rejects.toMatchObject({ code })
  })

  test('does not write a copy that is the same already', async () => {
    const { scope, disk } = createScope({ config: read(filesOf(undefined, { 'sso.yml': sso })) })
    await config.run(scope, never)
    await config.run(scope, never)
    expect(disk.acts.filter((act) => act.startsWith('writeWhole'))).toEqual([
      'writeWhole /run/m/app/sso.yml',
      'writeWhole /run/m/app/hosts',
      'writeWhole /run/m/app/activity',
    ])
  })
})

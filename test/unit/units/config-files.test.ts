import { describe, expect, test } from 'vitest'
import { config } from '../../../src/units/mathesar/files.ts'
import { filesOf, read } from '../configurations.ts'
import { createScope, never } from '../fakes/scope.ts'

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

  test('removes the copy of a file that is gone', async () => {
    const { scope, disk } = createScope({ config: read(filesOf(undefined, { 'file_storage.yml': storage })) })
    disk.put('/run/m/app/sso.yml', sso)
    await config.run(scope, never)
    expect([disk.text('/run/m/app/sso.yml'), disk.text('/run/m/app/file_storage.yml')]).toEqual([
      undefined,
      storage,
    ])
  })

  test('does not write a copy that is the same already', async () => {
    const { scope, disk } = createScope({ config: read(filesOf(undefined, { 'sso.yml': sso })) })
    await config.run(scope, never)
    await config.run(scope, never)
    expect(disk.acts.filter((act) => act.startsWith('writeWhole'))).toEqual(['writeWhole /run/m/app/sso.yml'])
  })
})

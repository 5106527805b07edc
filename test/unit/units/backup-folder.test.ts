import { describe, expect, test } from 'vitest'
import { requireNewUsable } from '../../../src/units/backup-folder.ts'
import { readFile } from '../configurations.ts'
import { failureOf } from '../failure.ts'
import { createScope } from '../fakes/scope.ts'

describe('a change of BACKUP_TO', () => {
  const change = async (before: string, after: string, ...points: readonly string[]) => {
    const { scope, disk, replies } = createScope()
    disk.files.makeFolder('/backups', 0o755)
    const mounts = ['/', ...points].map((point) => [point, { point, root: '/', fileSystem: 'ext4' }] as const)
    replies.mounts = () => new Map(mounts)
    const [from, to] = [before, after].map((value) => readFile(`BACKUP_TO=${value}\n`))
    return await failureOf(async () => requireNewUsable(scope, from!, to!)).catch(() => 'in force')
  }

  test('is refused where it names a folder that nothing is mounted at', async () => {
    expect(await change('volume', 'volume,/backups')).toMatchObject({
      code: 'BACKUP_PLACE_FAILED',
      message: 'cannot back up to /backups: nothing is mounted there',
    })
    expect(await change('volume', '/nowhere', '/backups')).toMatchObject({
      message: 'cannot use /nowhere: it is not there',
      hint: 'Mount a folder: `-v /srv/backups:/nowhere`.',
    })
  })

  test('is not where the folder is mounted, or was named before', async () => {
    expect(await change('volume', '/backups,s3://bucket', '/backups')).toBe('in force')
    expect(await change('/backups', '/backups,volume')).toBe('in force')
  })
})

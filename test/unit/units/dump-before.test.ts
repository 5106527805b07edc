import { describe, expect, test } from 'vitest'
import { dumpBefore } from '../../../src/units/mathesar/dump-before.ts'
import { errorWith } from '../fakes/files.ts'
import { createScope, externalDatabase, never } from '../fakes/scope.ts'

const stage = (code: number, options: Parameters<typeof createScope>[0] = {}) => {
  const at = createScope({ config: externalDatabase, ...options })
  at.replies.program = async ({ command }) => {
    at.disk.put(command.argv.at(-1)!.replace('--file=', ''), 'a dump')
    return { outcome: { code, signal: null }, lines: ['pg_dump: error: server version mismatch'] }
  }
  return at
}

describe('a dump of an external database before an upgrade', () => {
  test('is in the volume, by day and version; four are kept', async () => {
    const { scope, disk, programs, said } = stage(0)
    for (const day of [1, 2, 3, 4]) disk.put(`/data/kept/1969-01-0${day}-before-0.9.0.dump`, '')
    await dumpBefore(scope, '0.11.0', never)
    expect(disk.files.listFolder('/data/kept')).toEqual([
      '1969-01-02-before-0.9.0.dump',
      '1969-01-03-before-0.9.0.dump',
      '1969-01-04-before-0.9.0.dump',
      expect.stringMatching(/^\d{4}-\d\d-\d\d-before-0\.11\.0\.dump$/),
    ])
    expect(programs[0]!.command.argv).not.toContain('the password')
    expect(said.at(-1)).toMatch(
      /^info the internal database before Mathesar 0\.11\.0 is kept as \/data\/kept\//,
    )
  })

  test('that fails is said, and keeps no upgrade from going on', async () => {
    const { scope, disk, said } = stage(1)
    await dumpBefore(scope, '0.11.0', never)
    expect(disk.files.listFolder('/data/kept')).toEqual([])
    expect(said).toEqual([
      'warn no dump is kept of before the upgrade: pg_dump failed with exit code 1: pg_dump: error: server ' +
        'version mismatch',
    ])
  })

  test.each(['syncFile', 'renameWhole'])('that the disk refuses (%s) is said, too', async (refused) => {
    const { scope, disk, said } = stage(0)
    disk.failOn((act) => (act === refused ? errorWith('EIO') : undefined))
    await dumpBefore(scope, '0.11.0', never)
    expect(disk.files.listFolder('/data/kept')).toEqual([])
    expect(said).toEqual([expect.stringMatching(/^warn no dump is kept of before the upgrade: EIO/)])
  })

  test('that fails leaves the one of an earlier try', async () => {
    const { scope, disk, replies } = stage(0)
    await dumpBefore(scope, '0.11.0', never)
    const [name] = disk.files.listFolder('/data/kept')
    const dump = replies.program
    replies.program = async (...asked) => ({
      ...(await dump(...asked)),
      outcome: { code: 1, signal: null },
    })
    await dumpBefore(scope, '0.11.0', never)
    expect(disk.files.listFolder('/data/kept')).toEqual([name])
  })

  test('is not made where nothing lasts', async () => {
    const { scope, programs } = stage(0, {
      results: { volume: { isEphemeral: true, media: '', temporary: '', buffer: '' } },
    })
    await dumpBefore(scope, '0.11.0', never)
    expect(programs).toEqual([])
  })
})

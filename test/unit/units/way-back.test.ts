import { describe, expect, test } from 'vitest'
import { crashHint, wayBackHint } from '../../../src/units/postgres/way-back.ts'
import { createScope } from '../fakes/scope.ts'

const stage = (lines: readonly string[] = []) => {
  const { scope, disk } = createScope()
  const log = { ...scope.system.log, tail: () => [...lines] }
  return { scope: { ...scope, system: { ...scope.system, log } }, disk }
}

describe('where the cluster cannot be used', () => {
  test('the newest archive of the volume is named, with the command that brings it back', () => {
    const { scope, disk } = stage()
    for (const name of [
      'mathesar-2026-11-02T03-30-00Z.tar',
      'mathesar-Ab12Cd34-2026-11-26T03-30-00Z.tar.age',
    ])
      disk.put(`/data/backups/${name}`, 'x')
    disk.put('/data/backups/photo.tar', 'x')
    expect(wayBackHint(scope)).toContain(
      'a backup of 2026-11-26 03:30 UTC, and `docker run --rm --volumes-from CONTAINER IMAGE ' +
        'restore /data/backups/mathesar-Ab12Cd34-2026-11-26T03-30-00Z.tar.age --replace` brings it back',
    )
  })

  test('without one, a backup from elsewhere and the salvage are', () => {
    const hint = wayBackHint(stage().scope)
    expect(hint).toContain('restore - --replace < FILE')
    expect(hint).toContain('rescue --salvage /saved')
  })

  test.each([
    ['PANIC:  could not locate a valid checkpoint record', true],
    ['FATAL:  could not open file "global/pg_filenode.map": No such file or directory', true],
    ['FATAL:  could not open file "x": Permission denied', false],
    ['FATAL:  could not map anonymous shared memory: Cannot allocate memory', false],
  ])('the last lines of Postgres tell it: %s', (line, isTold) => {
    expect(crashHint(stage([line]).scope) !== undefined).toBe(isTold)
  })

  test('what ALTER SYSTEM has set is looked at first', () => {
    const { scope, disk } = stage(['PANIC:  x'])
    disk.put('/data/postgres/postgresql.auto.conf', "shared_preload_libraries = 'x'\n")
    expect(crashHint(scope)).toContain('ALTER SYSTEM has set shared_preload_libraries')
  })
})

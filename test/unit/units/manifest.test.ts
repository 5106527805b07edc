import { describe, expect, test } from 'vitest'
import { fingerprintOf } from '../../../src/units/fingerprint.ts'
import { manifest, readManifest } from '../../../src/units/manifest.ts'
import { version } from '../../../src/version.ts'
import { readFile } from '../configurations.ts'
import { createScope, externalDatabase, never, placeOf, singleUser } from '../fakes/scope.ts'

const path = '/data/manifest.json'

/** A volume whose cluster has this identifier. */
const stage = (identifier: number, ...options: Parameters<typeof createScope>) => {
  const at = createScope(...options)
  const bytes = Buffer.alloc(32)
  bytes.writeUInt32LE(identifier)
  at.disk.put('/data/postgres/global/pg_control', bytes)
  return at
}
const installation = {
  instance: expect.stringMatching(/^\w{20}$/),
  createdAt: expect.stringMatching(/Z$/),
  servedBy: {
    supervisor: version,
    mathesar: '0.11.0',
    migration: 'mathesar.0012_x',
    postgres: '17.9',
    locale: 'und',
    collation: 'ICU 153.128',
  },
  keyFingerprint: fingerprintOf('the secret key'),
  lastBoot: { at: expect.stringMatching(/Z$/), after: 'clean stop' },
}

describe('the task `manifest`', () => {
  test('notes what serves from the volume, and for whom; of the key its fingerprint alone', async () => {
    const { scope, disk } = stage(7)
    disk.put('/code/mathesar/__init__.py', 'default = 1\n\n__version__ = "0.11.0"\n')
    disk.put(
      '/share/migrations.json',
      '["auth.0001_i", "mathesar.0011_w", "mathesar.0012_x", "sites.0001_i"]',
    )
    await manifest.run(scope, never)
    const cluster = { systemIdentifier: '7', startedAs: 0 }
    expect(JSON.parse(disk.text(path)!)).toEqual({ ...installation, cluster })
    expect(disk.modeOf(path)).toBe('0644 0:0')
    expect(disk.text(path)).not.toContain('the secret key')
  })

  test('keeps who the installation is, and what it does not know', async () => {
    const { scope, disk } = stage(7, {
      place: { identities: singleUser },
      results: { cluster: { isFresh: false, wasShutDown: false } },
    })
    const before = { instance: 'a', createdAt: 'then', more: 1 }
    disk.put(path, JSON.stringify({ ...before, cluster: { systemIdentifier: '7', startedAs: 0, born: 'x' } }))
    await manifest.run(scope, never)
    expect(JSON.parse(disk.text(path)!)).toMatchObject({
      ...before,
      servedBy: { mathesar: null, migration: null },
      lastBoot: { after: 'unclean stop' },
      cluster: { systemIdentifier: '7', startedAs: 1000, born: 'x' },
    })
  })

  test('replaces one that cannot be read, and says so', async () => {
    const { scope, disk, said } = stage(7)
    disk.put(path, 'nonsense')
    await manifest.run(scope, never)
    expect(readManifest(scope).cluster).toEqual({ systemIdentifier: '7', startedAs: 0 })
    expect(said).toEqual([expect.stringMatching(/^warn cannot read \/data\/manifest.json: /)])
  })

  test('is left out with an external database', () => {
    expect(manifest.skip!(readFile(externalDatabase), placeOf())).toBe('the database is external')
  })
})

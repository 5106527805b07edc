import { describe, expect, test } from 'vitest'
import { manifest, readManifest } from '../../../src/units/manifest.ts'
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
const isWrite = (act: string): boolean => act === `writeWhole ${path}`

describe('the task `manifest`', () => {
  test('notes which cluster serves, and for whom', async () => {
    const { scope, disk } = stage(7)
    await manifest.run(scope, never)
    expect(JSON.parse(disk.text(path)!)).toEqual({ cluster: { systemIdentifier: '7', startedAs: 0 } })
    expect(disk.modeOf(path)).toBe('0644 0:0')
  })

  test('writes nothing where that is noted', async () => {
    const { scope, disk } = stage(7)
    for (let boot = 0; boot < 2; boot++) await manifest.run(scope, never)
    expect(disk.acts.filter(isWrite)).toHaveLength(1)
  })

  test('notes another user, and keeps what it does not know', async () => {
    const { scope, disk } = stage(7, { place: { identities: singleUser } })
    disk.put(path, '{"instance":"a","cluster":{"systemIdentifier":"7","startedAs":0,"born":"x"}}')
    await manifest.run(scope, never)
    expect(JSON.parse(disk.text(path)!)).toEqual({
      instance: 'a',
      cluster: { systemIdentifier: '7', startedAs: 1000, born: 'x' },
    })
  })

  test('replaces one that cannot be read, and says so', async () => {
    const { scope, disk, said } = stage(7)
    disk.put(path, 'nonsense')
    await manifest.run(scope, never)
    expect(readManifest(scope)).toEqual({ cluster: { systemIdentifier: '7', startedAs: 0 } })
    expect(said).toEqual([expect.stringMatching(/^warn cannot read \/data\/manifest.json: /)])
  })

  test('is left out with an external database', () => {
    expect(manifest.skip!(readFile(externalDatabase), placeOf())).toBe('the database is external')
  })
})

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { formatArchiveName } from '../../../src/core/archive-name.ts'
import { SupervisorError } from '../../../src/errors.ts'
import type { Bytes } from '../../../src/operations/archive/bytes.ts'
import { checkArchive } from '../../../src/operations/archive/read.ts'
import { type Description, formatOf } from '../../../src/operations/archive/description.ts'
import { readmeOf } from '../../../src/operations/archive/readme.ts'
import { manifestPath, parseLabel } from '../../../src/operations/chain/draft.ts'
import {
  ancestorsOf,
  bytesToRestore,
  naming,
  openChain,
  type Source,
} from '../../../src/operations/chain/open.ts'
import { pickFrom } from '../../../src/operations/chain/pick.ts'
import { planChain, whyEnded } from '../../../src/operations/chain/plan.ts'
import { lockInWords } from '../../../src/operations/locks.ts'
import type { Store } from '../../../src/operations/places/store.ts'
import type { OperationScope } from '../../../src/operations/scope.ts'
import { type Chain, changeRecord, type Link } from '../../../src/units/backup-record.ts'
import { failureOf } from '../failure.ts'
import { createScope } from '../fakes/scope.ts'
import { asBytes, collect, description, entriesSaying, packed } from './archives.ts'

const hour = 3_600_000
const day = 24 * hour
const nowMs = Date.parse('2026-10-01T12:00:00Z')
const by = 'a1B2c3D4'

const nameOf = (atMs: number, parentMs?: number): string =>
  formatArchiveName({ atMs, by, after: parentMs === undefined ? undefined : { atMs: parentMs, by } }, false)

/** One full archive of 100 bytes so many days ago, and one of `bytes` a day since. */
const chainOf = (days: number, bytes = 10): Chain => {
  const links = Array.from({ length: days }, (_, index): Link => {
    const atMs = nowMs - (days - index) * day
    return {
      name: nameOf(atMs, index === 0 ? undefined : atMs - day),
      atMs,
      bytes: index === 0 ? 100 : bytes,
    }
  }) as [Link, ...Link[]]
  return { links, identifier: '7', start: { timeline: 1, lsn: '0/2000028' }, lock: 'none' }
}

describe('a chain of backups', () => {
  const now = { nowMs, fullEveryDays: 7, lock: 'none' }

  test('goes on for a week of nights, whichever second each begins in', () => {
    for (const days of [1, 2, 6]) expect(whyEnded(chainOf(days), now)).toBeUndefined()
    expect(whyEnded(chainOf(7), now)).toBe('the last full one is of 2026-09-24 12:00 UTC')
    expect(whyEnded(chainOf(7), { ...now, nowMs: nowMs - 20_000 })).toMatch(/^the last full one/)
    expect(whyEnded(chainOf(6), { ...now, nowMs: nowMs + 20_000 })).toBeUndefined()
  })

  test('ends where it gets long or large, or is encrypted in another way, or the clock was set back', () => {
    expect(whyEnded(chainOf(31), { ...now, fullEveryDays: 100 })).toMatch(/^30 build on the last full one/)
    expect(whyEnded(chainOf(6, 20), now)).toMatch(/more than it has$/)
    expect(whyEnded(chainOf(2), { ...now, lock: 'passphrase' })).toMatch(/encrypted in another way/)
    expect(whyEnded(chainOf(2), { ...now, nowMs: nowMs - day - 1 })).toMatch(/the clock was set back$/)
    expect(whyEnded(chainOf(2), { ...now, nowMs: nowMs - day + 999 })).toMatch(/this very second$/)
  })

  test('remembers public keys, and of a passphrase only that there is one', () => {
    expect(lockInWords(undefined)).toBe('none')
    expect(lockInWords({ passphrase: 'hunter2' })).toBe('passphrase')
    expect(lockInWords({ keys: ['age1b', 'age1a'] })).toBe('age1a,age1b')
  })

  test('knows where the log of a backup begins', () => {
    const label =
      'START WAL LOCATION: 1A/2000028 (file 000000030000001A00000002)\nCHECKPOINT LOCATION: 1A/2000080\n' +
      'BACKUP METHOD: streamed\nBACKUP FROM: primary\nSTART TIME: x\nLABEL: supervisor\nSTART TIMELINE: 3\n'
    expect(parseLabel(label)).toEqual({ timeline: 3, lsn: '1A/2000028' })
    expect(parseLabel('')).toBeUndefined()
  })
})

describe('whether a backup builds on the last one', () => {
  const chain = chainOf(2)
  const [full, last] = chain.links as [Link, Link]

  const head = async (): Promise<Buffer> =>
    packed(await entriesSaying({ ...description, mathesarBackup: 2, parent: full.name }))

  const storeWith = async (fields: Partial<Store> = {}): Promise<Store> => {
    const archive = await head()
    return {
      title: 'volume',
      list: async () => chain.links,
      read: () => asBytes(archive),
      begin: () => Promise.reject(new Error('nothing is written')),
      remove: async () => {},
      ...fields,
    }
  }

  const stage = (config = '') => {
    const fake = createScope({ config })
    const { scope, disk, volume, database } = fake
    const control = Buffer.alloc(128)
    control.writeBigUInt64LE(7n, 0)
    disk.put(`${volume.cluster}/global/pg_control`, control)
    disk.put(manifestPath(scope, last.name), '{}')
    changeRecord(scope, () => ({ chain: { ...chain, identifier: '7' } }))
    database.answerWith(() => [{ reaches: true }])
    return { ...fake, scope: scope as OperationScope }
  }

  const whyOf = async (stores: readonly Store[], set: (at: ReturnType<typeof stage>) => void = () => {}) => {
    const at = stage()
    set(at)
    const { base, why } = await planChain(at.scope, stores, undefined)
    expect(base === undefined).toBe(why !== undefined)
    return why
  }

  test('it does where every place has all of the chain, and Postgres knows what has changed', async () => {
    expect(await whyOf([await storeWith(), await storeWith({ title: '/backups' })])).toBeUndefined()
  })

  test('it is a full one, and says why, in each case of doubt', async () => {
    const store = await storeWith()
    const short = await storeWith({
      title: '/b',
      list: async () => [full, { ...last, bytes: last.bytes - 1 }],
    })
    expect(await whyOf([store, short])).toBe(`${last.name} is not whole in /b`)
    expect(await whyOf([store, await storeWith({ list: async () => [last] })])).toMatch(
      /is not whole in volume$/,
    )
    expect(await whyOf([await storeWith({ read: () => asBytes(Buffer.from('x')) })])).toMatch(/does not open/)
    expect(await whyOf([store], ({ database }) => database.answerWith(() => [{ reaches: false }]))).toMatch(
      /^Postgres has no summary of its log/,
    )
    expect(
      await whyOf([store], ({ disk, scope }) => disk.files.remove(manifestPath(scope, last.name))),
    ).toMatch(/^the manifest of the last one is gone/)
    expect(await whyOf([store], ({ scope }) => changeRecord(scope, () => ({ chain: undefined })))).toMatch(
      /^there is none yet/,
    )
    const other = { chain: { ...chain, identifier: '8' } }
    expect(await whyOf([store], ({ scope }) => changeRecord(scope, () => other))).toMatch(
      /of another cluster$/,
    )
  })

  test('a place that cannot be asked is left out, and named', async () => {
    const failure = new SupervisorError('BACKUP_PLACE_FAILED', 'cannot use s3://b: it is away')
    const away = await storeWith({ title: 's3://b', list: () => Promise.reject(failure) })
    const store = await storeWith()
    const { base, stores, failures } = await planChain(stage().scope, [away, store], undefined)
    expect([base === undefined, stores, failures]).toEqual([false, [store], [failure]])
    expect(await failureOf(() => planChain(stage().scope, [away], undefined))).toBe(failure)
  })
})

describe('a tar that passes by', () => {
  test('is the same behind, and its files are handed over, wherever it is cut', async () => {
    const folder = mkdtempSync('/tmp/pick-')
    try {
      const script =
        'mkdir d; printf label > backup_label; seq 300 > backup_manifest; : > e; seq 1000 > d/other; ' +
        'tar --format=ustar -c backup_label d e backup_manifest'
      const tar = execFileSync('sh', ['-euc', script], { cwd: folder })
      for (const length of [1, 511, 512, 513, 4096, tar.length]) {
        const chunks = Array.from({ length: Math.ceil(tar.length / length) }, (_, index) =>
          tar.subarray(index * length, (index + 1) * length),
        )
        const found: Record<string, string> = {}
        const picked = pickFrom(asBytes(...chunks), (name) =>
          name.startsWith('backup_')
            ? async (piece) => void (found[name] = (found[name] ?? '') + piece.toString())
            : undefined,
        )
        expect((await collect(picked)).equals(tar)).toBe(true)
        expect(Object.keys(found)).toEqual(['backup_label', 'backup_manifest'])
        expect(found.backup_label).toBe('label')
        expect(found.backup_manifest).toMatch(/^1\n2\n[^]*\n300\n$/)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('an archive that builds on another', () => {
  const { links } = chainOf(3)
  const [full, second, third] = links.map(({ name }) => name) as [string, string, string]

  const archiveOf = async (parent?: string, fields: Partial<Description> = {}): Promise<Buffer> => {
    const said = { ...description, mathesarBackup: formatOf(parent), ...(parent && { parent }), ...fields }
    return packed(await entriesSaying(said, ['postgres.tar.zst', Buffer.from(parent ?? 'full')]))
  }

  const opener = { system: { decrypt: (bytes: Bytes): Bytes => bytes }, lock: undefined }

  const sourceIn = (there: Readonly<Record<string, Buffer>>, name: string): Source => ({
    title: name,
    open: () => asBytes(there[name]!),
    shelf: {
      title: 'the place',
      list: async () => Object.entries(there).map(([each, { length }]) => ({ name: each, bytes: length })),
      read: (each) => asBytes(there[each]!),
    },
  })

  const shelf = async (): Promise<Record<string, Buffer>> => ({
    [full]: await archiveOf(),
    [second]: await archiveOf(full),
    [third]: await archiveOf(second),
  })

  test('is opened with all of them, the full one first', async () => {
    const { parents, newest } = await openChain(opener, sourceIn(await shelf(), third))
    expect([...parents, newest].map((link) => link.description.parent)).toEqual([undefined, full, second])
    for (const link of [...parents, newest]) expect(await collectNames(await link.open())).toHaveLength(2)
    const there = await shelf()
    const estimate = 2 * description.databaseBytes + 4 * (there[second]!.length + there[third]!.length)
    expect(bytesToRestore({ parents, newest })).toBe(estimate)
  })

  test('is found by its parent also when that was decrypted or encrypted since', async () => {
    const { [full]: whole, ...others } = await shelf()
    const { parents } = await openChain(opener, sourceIn({ ...others, [`${full}.age`]: whole! }, third))
    expect(parents).toHaveLength(2)
  })

  test('is refused alone, or with one missing, with words that name it', async () => {
    const { [full]: _, ...others } = await shelf()
    const alone = { ...sourceIn(others, second), title: 'this archive', shelf: undefined }
    expect(await failureOf(() => openChain(opener, alone))).toMatchObject({
      code: 'BACKUP_INCOMPLETE',
      message: expect.stringContaining(`cannot use this archive: it has only what has changed since ${full}`),
      hint: expect.stringContaining('restore /FOLDER/ARCHIVE'),
    })
    expect(await failureOf(() => openChain(opener, sourceIn(others, third)))).toMatchObject({
      code: 'BACKUP_INCOMPLETE',
      message: `cannot use ${second}: it has only what has changed since ${full}, which is not in the place`,
    })
  })

  test('is refused with a parent of another installation, a damaged one, or a ring', async () => {
    const there = await shelf()
    const foreign = { ...there, [full]: await archiveOf(undefined, { instance: 'another' }) }
    expect(await failureOf(() => openChain(opener, sourceIn(foreign, third)))).toMatchObject({
      code: 'BACKUP_DAMAGED',
      message: `cannot use ${full}: it is of another installation`,
    })
    const damaged = { ...there, [full]: Buffer.from('x') }
    expect(await failureOf(() => openChain(opener, sourceIn(damaged, third)))).toMatchObject({
      code: 'BACKUP_DAMAGED',
      message: expect.stringContaining(`cannot use ${full}: it is cut off`),
    })
    const ring = { ...there, [full]: await archiveOf(third) }
    expect(await failureOf(() => openChain(opener, sourceIn(ring, third)))).toMatchObject({
      code: 'BACKUP_DAMAGED',
      message: `cannot use ${full}: what has this name is another archive`,
    })
    const swapped = { ...there, [second]: there[full]! }
    expect(await failureOf(() => openChain(opener, sourceIn(swapped, third)))).toMatchObject({
      message: `cannot use ${second}: what has this name is another archive`,
    })
  })

  test('is refused by the name of the one that is damaged, be it the one asked for', async () => {
    const there = await shelf()
    const empty = { ...there, [third]: Buffer.alloc(0) }
    expect(await failureOf(() => openChain(opener, sourceIn(empty, third)))).toMatchObject({
      message: `cannot use ${third}: it is empty (0 bytes)`,
    })
    const cut = { ...there, [second]: there[second]!.subarray(0, -20) }
    const { parents } = await openChain(opener, sourceIn(cut, third))
    const read = async (): Promise<unknown> => {
      for (const { title, open } of parents) await naming(title, async () => checkArchive(await open()))
      return undefined
    }
    expect(await failureOf(read)).toMatchObject({
      message: expect.stringContaining(`cannot use ${second}: it is cut off`),
    })
  })

  test('is told of by the list of names alone', () => {
    const stored = [full, second, third].map((name) => ({ name, bytes: 1 }))
    expect(ancestorsOf(third, stored)).toMatchObject({
      needs: [{ name: second }, { name: full }],
      isWhole: true,
    })
    expect(ancestorsOf(full, stored)).toEqual({ needs: [], isWhole: true })
    expect(ancestorsOf(third, stored.slice(1))).toMatchObject({ needs: [{ name: second }], isWhole: false })
    expect(ancestorsOf('by-hand.tar', stored)).toEqual({ needs: [], isWhole: true })
  })

  test('is refused by an image that knows none, and a full one is not', async () => {
    expect([formatOf(undefined), formatOf(full)]).toEqual([1, 2])
  })

  test('names in its README.txt all that it needs, the oldest first', () => {
    const readme = readmeOf({ ...description, parent: second }, [full, `${second}.age`])
    expect(readme.indexOf(full)).toBeGreaterThan(0)
    expect(readme.indexOf(second)).toBeGreaterThan(readme.indexOf(full))
    expect(readme).not.toContain('.age')
    expect(readmeOf(description, [])).not.toContain('pg_combinebackup')
  })
})

const collectNames = async ({ entries }: { entries: AsyncIterable<{ name: string }> }): Promise<string[]> => {
  const names: string[] = []
  for await (const { name } of entries) names.push(name)
  return names
}

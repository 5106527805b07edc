import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { textOf } from '../../../src/operations/archive/bytes.ts'
import { requireFit } from '../../../src/operations/archive/description.ts'
import { opened } from '../../../src/operations/archive/parts.ts'
import { openArchive, sectionsOf } from '../../../src/operations/archive/read.ts'
import { type Entry, TarWriter } from '../../../src/operations/archive/tar.ts'
import { failureOf } from '../failure.ts'
import { check, collect, description, entriesOf, open, packed, smallArchive } from './archives.ts'

const MiB = 1024 * 1024

describe('an archive', () => {
  test('is read back as it was written, whatever the length of a stream', async () => {
    const contents = [0, 1, MiB, MiB + 1, 5 * MiB].map((length) => randomBytes(length))
    const streams = contents.map((content, index) => [`s${index}.zst`, content] as const)
    const { entries, description: said } = await open(packed(await entriesOf(...streams)))
    expect(said).toEqual(description)
    const found: [string, Buffer][] = []
    for await (const section of sectionsOf(entries)) {
      if (section.kind === 'stream') found.push([section.name, await collect(opened(section.parts))])
      else expect(section.entry).toEqual({ name: 'secrets/secret_key', data: Buffer.from('the secret key') })
    }
    expect(found.map(([name]) => name)).toEqual(streams.map(([name]) => name))
    found.forEach(([, content], index) => expect(content.equals(contents[index]!)).toBe(true))
  })

  test('has its next part opened while whoever reads it still has the one before', async () => {
    const content = randomBytes(3 * MiB)
    const { entries } = await open(packed(await entriesOf(['s.zst', content])))
    let taken = 0
    async function* counted(): AsyncGenerator<Entry> {
      for await (const entry of entries) {
        taken += 1
        yield entry
      }
    }
    for await (const section of sectionsOf(counted())) {
      if (section.kind === 'file') continue
      const before = taken
      let read = 0
      for await (const chunk of opened(section.parts)) {
        if (read === 0) await expect.poll(() => taken, { interval: 1 }).toBe(before + 1)
        await setTimeout(20) // The next one is opened meanwhile, elsewhere.
        expect(chunk.equals(content.subarray(read, read + chunk.length))).toBe(true)
        read += chunk.length
      }
      expect(read).toBe(content.length)
    }
  })

  test('is closed by who reads no further than its description', async () => {
    const archive = await smallArchive()
    let isClosed = false
    async function* source(): AsyncGenerator<Buffer> {
      try {
        yield archive
      } finally {
        isClosed = true
      }
    }
    const { entries } = await openArchive({ decrypt: (bytes) => bytes }, source(), undefined)
    await entries.return(undefined)
    expect(isClosed).toBe(true)
  })

  test('is what tar, sha256sum and zstd read', async () => {
    const folder = mkdtempSync('/tmp/archive-')
    try {
      const content = randomBytes(5 * MiB)
      writeFileSync(join(folder, 'a.tar'), packed(await entriesOf(['s.zst', content])))
      const script = 'tar -xf a.tar && sha256sum --check --strict SHA256SUMS && cat s.zst.* | zstd -d > s'
      const said = execFileSync('sh', ['-euc', script], { cwd: folder, encoding: 'utf8' })
      expect(said.match(/: OK$/gm)).toHaveLength(8)
      expect(readFileSync(join(folder, 's')).equals(content)).toBe(true)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test.each(['../x', '/x', 'a/../x', 'a/', '.x', 'a//b', 'a b', 'a/b/c', 'ä', ''])(
    'has no file named %j',
    async (name) => {
      expect(() => new TarWriter().add({ name, data: Buffer.of() })).toThrow('no name for an archive')
    },
  )

  test('whose tar has a link, a device, or a name that climbs, is refused', async () => {
    const folder = mkdtempSync('/tmp/archive-')
    const scripts = [
      'ln -s /etc/passwd l && tar -c l',
      'touch f && ln f h && tar -c f h',
      'mkfifo p && tar -c p',
      'touch x && tar -c -P --transform "s|x|../x|" x',
      'mkdir d && tar -c d',
    ]
    try {
      const all = scripts.map((script, index) => `(${script}) > ${index}.tar`).join('\n')
      execFileSync('sh', ['-euc', all], { cwd: folder })
      for (const index of scripts.keys()) {
        const tar = readFileSync(join(folder, `${index}.tar`))
        expect(await failureOf(() => check(tar)), scripts[index]).toMatchObject({ code: 'BACKUP_DAMAGED' })
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('with a file more, less, or in another order, is refused', async () => {
    const [readme, backup, key, part] = await entriesOf(['postgres.tar.zst', Buffer.from('a')])
    const second = { ...part!, name: 'postgres.tar.zst.000001' }
    for (const entries of [
      [],
      [readme!],
      [backup!, readme!],
      [readme!, backup!, key!, second],
      [readme!, backup!, { ...part!, data: Buffer.from('no zstd') }],
    ])
      expect(await failureOf(() => check(packed(entries)))).toMatchObject({ code: 'BACKUP_DAMAGED' })
  })

  test('that is empty, or something else, is refused in words', async () => {
    const messageOf = async (archive: Buffer): Promise<string> =>
      ((await failureOf(() => check(archive))) as Error).message
    expect(await messageOf(Buffer.of())).toContain('it is empty (0 bytes)')
    expect(await messageOf(Buffer.from('PK\u0003\u0004'.repeat(500)))).toContain('not one of ours')
    expect(await messageOf((await smallArchive()).subarray(0, 4000))).toContain('cut off after 4000 bytes')
    expect(await messageOf(Buffer.concat([await smallArchive(), Buffer.of(0)]))).toContain('behind its end')
    expect(await failureOf(async () => check(gzipSync(await smallArchive())))).toMatchObject({
      code: 'BACKUP_FOREIGN',
      message: 'cannot use this archive: it is compressed with gzip',
      hint: expect.stringContaining('gunzip'),
    })
    expect(await messageOf(zstdCompressSync(await smallArchive()))).toContain('compressed with zstd')
    const locked = Buffer.from('age-encryption.org/v1\n-> scrypt')
    expect(await failureOf(() => check(locked))).toMatchObject({ code: 'BACKUP_LOCKED' })
  })
})

describe('what a program writes', () => {
  test('is the text that it wrote, also where a chunk ends within a letter', async () => {
    const memory = Buffer.alloc(1)
    async function* byteByByte(): AsyncGenerator<Buffer> {
      for (const byte of Buffer.from('rôle straße')) yield memory.fill(byte)
    }
    expect(await textOf(byteByByte())).toBe('rôle straße')
  })
})

describe('what an image takes', () => {
  const fitness = { postgresMajor: '17', migrations: ['mathesar.0011_w', 'mathesar.0012_x'] }
  test('is its own, and older ones', () => {
    requireFit(description, fitness)
    requireFit({ ...description, migration: 'mathesar.0011_w' }, fitness)
    requireFit({ ...description, migration: null, postgres: null }, fitness)
  })
  test.each([
    ['of another Postgres', { postgres: '16.3' }, 'it is of Postgres 16, and this image has 17'],
    ['of a newer Mathesar', { migration: 'mathesar.0013_y' }, 'does not know mathesar.0013_y'],
    ['that is portable', { kind: 'portable' }, 'it is a portable one'],
  ] as const)('is not one %s', async (_, fields, words) => {
    const refusal = await failureOf(() => requireFit({ ...description, ...fields }, fitness))
    expect(refusal).toMatchObject({ code: 'BACKUP_FOREIGN', message: expect.stringContaining(words) })
  })
  test.each([
    ['of a later format', '{"mathesarBackup":3}', 'it is of format 3'],
    ['that says nothing', '{}', 'not one of ours'],
    ['that is no JSON', 'x', 'not JSON'],
  ])('is not one %s', async (_, text, words) => {
    const [readme] = await entriesOf()
    const refusal = await failureOf(() =>
      open(packed([readme!, { name: 'backup.json', data: Buffer.from(text) }])),
    )
    expect(refusal).toMatchObject({ code: 'BACKUP_FOREIGN', message: expect.stringContaining(words) })
  })
})

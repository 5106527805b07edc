import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readMedia } from '../../src/operations/sources.ts'
import { openKernel } from '../../src/system/kernel.ts'
import { createStreams } from '../../src/system/streams.ts'
import { collect } from '../unit/operations/archives.ts'

const data = mkdtempSync(join(tmpdir(), 'media-'))
afterAll(() => rmSync(data, { recursive: true }))

const { streamProgram } = createStreams({ own: new Set(), kernel: openKernel() })
const system = { streamProgram, log: { redact: (text: string) => text } }
const place = { paths: { data }, identities: { mathesar: undefined } }

const TiB = 2 ** 40

test('media in an archive take no more space than on the disk, and come out as they were', async () => {
  const [media, copy] = [join(data, 'media'), join(data, 'copy')]
  for (const folder of [media, copy]) mkdirSync(folder)
  const text = 'x'.repeat(1024 * 1024)
  writeFileSync(join(media, 'holes'), 'data')
  truncateSync(join(media, 'holes'), 4 * TiB)
  writeFileSync(join(media, 'name 0'), text)
  for (let name = 1; name < 100; name++) linkSync(join(media, 'name 0'), join(media, `name ${name}`))
  const tar = await collect(readMedia({ system, place }))
  expect(tar.length).toBeLessThan(2 * 1024 * 1024)
  execFileSync('tar', ['--extract', '--no-same-owner', '--directory', copy], { input: tar })
  const sizeOf = (name: string): number => statSync(join(copy, name)).size
  expect([sizeOf('holes'), sizeOf('name 0'), sizeOf('name 99')]).toEqual([4 * TiB, text.length, text.length])
})

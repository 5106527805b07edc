import type { Bytes } from '../../../src/operations/archive/bytes.ts'
import { Checksums } from '../../../src/operations/archive/checksums.ts'
import { type Description, formatOf } from '../../../src/operations/archive/description.ts'
import { partsOf } from '../../../src/operations/archive/parts.ts'
import { type Archive, checkArchive, openArchive } from '../../../src/operations/archive/read.ts'
import { type Entry, TarWriter } from '../../../src/operations/archive/tar.ts'

export const description: Description = {
  mathesarBackup: formatOf(undefined),
  kind: 'exact',
  at: '2026-11-26T11:00:00.000Z',
  instance: 'an instance',
  supervisor: '0.1.0',
  mathesar: '0.11.0',
  migration: 'mathesar.0012_x',
  postgres: '17.9',
  locale: 'und',
  collation: '153.128',
  keyFingerprint: '0123456789abcdef',
  hasSecrets: true,
  databaseBytes: 1000,
}

export const asBytes = async function* (...chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks
}

export const collect = async (bytes: Bytes): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of bytes) chunks.push(Buffer.from(chunk)) // The next one may overwrite it.
  return Buffer.concat(chunks)
}

/** An archive of these files, with their checksums. */
export const packed = (entries: readonly Entry[]): Buffer => {
  const [tar, checksums] = [new TarWriter(), new Checksums()]
  const pieces = entries.flatMap((entry) => {
    checksums.add(entry)
    return tar.add(entry)
  })
  return Buffer.concat([...pieces, ...tar.add(checksums.entry()), tar.end()])
}

export const entriesOf = async (...streams: readonly (readonly [name: string, content: Buffer])[]) =>
  entriesSaying(description, ...streams)

/** The same with another description. */
export const entriesSaying = async (
  said: Description,
  ...streams: readonly (readonly [name: string, content: Buffer])[]
) => {
  const entries: Entry[] = [
    { name: 'README.txt', data: Buffer.from('read me\n') },
    { name: 'backup.json', data: Buffer.from(JSON.stringify(said)) },
    { name: 'secrets/secret_key', data: Buffer.from('the secret key') },
  ]
  for (const [name, content] of streams)
    for await (const part of partsOf(name, asBytes(content), () => {}))
      entries.push({ ...part, data: Buffer.from(part.data) }) // The next one overwrites it.
  return entries
}

/** A small one. */
export const smallArchive = async (): Promise<Buffer> =>
  packed(
    await entriesOf(
      ['postgres.tar.zst', Buffer.from('a cluster '.repeat(500))],
      ['media.tar.zst', Buffer.of()],
    ),
  )

const noKeys = { decrypt: (bytes: Bytes): Bytes => bytes }

export const open = (archive: Buffer): Promise<Archive> => openArchive(noKeys, asBytes(archive), undefined)

/** Reads all of it; throws what is wrong with it. */
export const check = async (archive: Buffer): Promise<number> => await checkArchive(await open(archive))

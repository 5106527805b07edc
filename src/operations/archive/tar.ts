import { MiB } from '../../core/amounts.ts'
import { SupervisorError } from '../../errors.ts'
import { Reader, type Bytes } from './bytes.ts'

/**
 * The tar of an archive, strict. Any program of tar reads what this writes: POSIX ustar with regular files
 * alone. This reads back nothing but what it would have written itself, byte for byte: so a name cannot climb
 * out of its folder, there are no links and no devices, and no bit of a header, of the padding or of the end
 * can change without being seen. The contents have checksums of their own.
 */
const blockBytes = 512
/** What GNU tar calls a record: it says so where the last one is shorter. */
const recordBytes = 20 * blockBytes
/** A file is held in memory whole. The largest is the list of checksums: this is one of 3 TB. */
const entryLimitBytes = 256 * MiB

const namePattern = /^[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*(\/[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*)?$/

/** A file of an archive. */
export type Entry = { readonly name: string; readonly data: Buffer }

/** Why an archive is not whole, or not as it was made. */
export const damaged = (why: string, cause?: unknown): SupervisorError =>
  new SupervisorError('BACKUP_DAMAGED', `cannot use this archive: ${why}`, { cause })

const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`

/** Mode 0600, owner root, and the beginning of 1970: the same content is the same archive. */
const encodeHeader = (name: string, size: number): Buffer => {
  const header = Buffer.alloc(blockBytes)
  header.write(name, 0, 100, 'ascii')
  header.write(octal(0o600, 8), 100, 'ascii')
  header.write(octal(0, 8), 108, 'ascii')
  header.write(octal(0, 8), 116, 'ascii')
  header.write(octal(size, 12), 124, 'ascii')
  header.write(octal(0, 12), 136, 'ascii')
  header.write(' '.repeat(8), 148, 'ascii')
  header.write('0', 156, 'ascii')
  header.write('ustar\x0000', 257, 'ascii')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'ascii')
  return header
}

const paddingOf = (size: number): Buffer => Buffer.alloc((blockBytes - (size % blockBytes)) % blockBytes)

const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0)

/** Two empty blocks and what fills the last record, after so many bytes. */
const endBytes = (written: number): number => {
  const least = 2 * blockBytes
  return least + ((recordBytes - ((written + least) % recordBytes)) % recordBytes)
}

/** Writes files one after the other, and counts. */
export class TarWriter {
  #written = 0

  add({ name, data }: Entry): readonly Buffer[] {
    if (name.length > 100 || !namePattern.test(name)) throw new Error(`no name for an archive: ${name}`)
    const pieces = [encodeHeader(name, data.length), data, paddingOf(data.length)].filter(
      ({ length }) => length > 0,
    )
    for (const piece of pieces) this.#written += piece.length
    return pieces
  }

  end(): Buffer {
    return Buffer.alloc(endBytes(this.#written))
  }
}

type Header = { readonly name: string; readonly size: number }

const decodeHeader = (block: Buffer): Header => {
  const text = (from: number, to: number): string => block.toString('latin1', from, to).replace(/\0.*$/s, '')
  const name = text(0, 100)
  const size = Number.parseInt(text(124, 136), 8)
  if (!namePattern.test(name) || !encodeHeader(name, size || 0).equals(block))
    throw damaged('it is not one of ours, or was altered')
  if (size > entryLimitBytes) throw damaged(`${name} is larger than any part can be`)
  return { name, size }
}

const cutOff = (at: number): SupervisorError => damaged(`it is cut off after ${at} bytes`)

const takeWhole = async (reader: Reader, length: number): Promise<Buffer> => {
  const bytes = await reader.take(length)
  if (bytes.length < length) throw cutOff(reader.position)
  return bytes
}

/** The files of an archive. Throws where it is not whole, once all before that was handed over. */
export async function* readTar(bytes: Bytes): AsyncGenerator<Entry> {
  const reader = new Reader(bytes)
  try {
    for (;;) {
      const block = await takeWhole(reader, blockBytes)
      if (isZero(block)) break
      const { name, size } = decodeHeader(block)
      const data = await takeWhole(reader, size)
      if (!isZero(await takeWhole(reader, paddingOf(size).length))) throw damaged(`${name} was altered`)
      yield { name, data }
    }
    const rest = endBytes(reader.position - blockBytes) - blockBytes
    if (!isZero(await takeWhole(reader, rest))) throw damaged('its end was altered')
    if ((await reader.take(1)).length > 0) throw damaged('something was added behind its end')
  } finally {
    await reader.close()
  }
}

import { isUtf8 } from 'node:buffer'

const newline = 10

type Line = { readonly number: number; readonly bytes: Buffer }

/** The first line that `isBad`, or the last one. */
const findLine = (bytes: Buffer, isBad: (line: Buffer) => boolean): Line => {
  for (let [number, start] = [1, 0]; ; number += 1) {
    const end = bytes.indexOf(newline, start)
    const line = bytes.subarray(start, end === -1 ? bytes.length : end)
    if (end === -1 || isBad(line)) return { number, bytes: line }
    start = end + 1
  }
}

const byteOrderMarks = ['\xff\xfe', '\xfe\xff']

/** In UTF-16 about every other byte is zero. Where all are, a disk lost what was there. */
const isUtf16 = (line: Buffer): boolean => {
  const zeros = line.filter((byte) => byte === 0).length
  return zeros * 4 >= line.length && zeros * 4 <= line.length * 3
}

/**
 * Bytes of a file as text. Throws where they are not UTF-8, with the line and the encoding that they probably
 * have: read as something else, a password would be another one,
 * and a file that is written back would lose letters.
 */
export const decodeText = (bytes: Buffer): string => {
  const isMarked = byteOrderMarks.includes(bytes.toString('latin1', 0, 2))
  if (isMarked || bytes.includes(0)) {
    const line = findLine(bytes, (each) => each.includes(0))
    throw new Error(
      isMarked || isUtf16(line.bytes)
        ? `line ${line.number} is UTF-16, as PowerShell writes it: save the file as UTF-8`
        : `line ${line.number} has bytes of zero, which no text has: write the file again`,
    )
  }
  if (!isUtf8(bytes)) {
    const { number } = findLine(bytes, (each) => !isUtf8(each))
    throw new Error(
      `line ${number} is not UTF-8, but probably Latin-1 or Windows-1252: save the file as UTF-8`,
    )
  }
  return bytes.toString('utf8')
}

/** The items of a comma-separated list, also empty ones. */
export const listItems = (text: string): string[] => text.split(',').map((item) => item.trim())

import { isUtf8 } from 'node:buffer'

const newline = 10

/** The number of the first line that `isBad`. */
const lineOf = (bytes: Buffer, isBad: (line: Buffer) => boolean): number => {
  let line = 1
  for (let start = 0; start < bytes.length; line += 1) {
    const end = bytes.indexOf(newline, start)
    if (isBad(bytes.subarray(start, end === -1 ? bytes.length : end))) return line
    if (end === -1) break
    start = end + 1
  }
  return line
}

/**
 * Bytes of a file as text. Throws where they are not UTF-8, with the line and the encoding that they probably
 * have: read as something else, a password would be another one,
 * and a file that is written back would lose letters.
 */
export const decodeText = (bytes: Buffer): string => {
  if (
    bytes.includes(0) ||
    bytes.indexOf('\xff\xfe', 0, 'latin1') === 0 ||
    bytes.indexOf('\xfe\xff', 0, 'latin1') === 0
  ) {
    throw new Error(
      `line ${lineOf(bytes, (line) => line.includes(0))} is UTF-16, as PowerShell writes it: save the ` +
        'file as UTF-8',
    )
  }
  if (!isUtf8(bytes)) {
    throw new Error(
      `line ${lineOf(bytes, (line) => !isUtf8(line))} is not UTF-8, but probably Latin-1 or ` +
        'Windows-1252: save the file as UTF-8',
    )
  }
  return bytes.toString('utf8')
}

/** The items of a comma-separated list, also empty ones. */
export const listItems = (text: string): string[] => text.split(',').map((item) => item.trim())

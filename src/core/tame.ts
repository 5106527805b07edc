/** Bytes that act on a terminal, or begin what does: C0 without tab and line feed, DEL, C2, E2. */
const telling = new Uint8Array(256).map((_, byte) =>
  Number((byte < 32 && byte !== 9 && byte !== 10) || byte === 127 || byte === 0xc2 || byte === 0xe2),
)
const [blank, questionMark, newline, carriageReturn, escape] = [32, 63, 10, 13, 27]
/** A color is longer in no program. */
const longestColor = 32

/** Where a color ends that begins there (`ESC [ 1 ; 31 m`); `at` where none does. */
const endOfColor = (bytes: Uint8Array, at: number, end: number): number => {
  if (bytes[at + 1] !== 91) return at
  for (let next = at + 2; next < Math.min(end, at + longestColor); next++) {
    const byte = bytes[next]!
    if (byte === 109) return next
    if (byte < 48 || byte > 59) return at // Not a digit, a colon or a semicolon.
  }
  return at
}

/** How many bytes from there are a character that acts: C1, or a mark that reverses the direction. */
const actingLength = (bytes: Uint8Array, at: number): number => {
  const [first, second = 0, third = 0] = bytes.subarray(at, at + 3)
  if (first === 0xc2) return second >= 0x80 && second <= 0x9f ? 2 : 0
  if (first !== 0xe2) return 1
  const isMark =
    (second === 0x80 && third >= 0xaa && third <= 0xae) || (second === 0x81 && third >= 0xa6 && third <= 0xa9)
  return isMark ? 3 : 0
}

/**
 * Takes from lines of a service, in place, what acts on a terminal instead of being shown: with a carriage
 * return alone a line covers its own prefix, and looks like one of the supervisor's. Colors stay.
 */
export const tame = (bytes: Uint8Array, start: number, end: number): void => {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    if ((byte > 31 && byte < 127) || telling[byte] === 0) continue // Most are letters: no look at the table.
    if (byte === escape) {
      const last = endOfColor(bytes, at, end)
      if (last === at) bytes[at] = questionMark
      at = last
      continue
    }
    if (byte === carriageReturn) {
      const isLast = at + 1 === end || bytes[at + 1] === newline
      bytes[at] = isLast ? blank : questionMark
      continue
    }
    const length = actingLength(bytes, at)
    bytes.fill(questionMark, at, Math.min(end, at + length))
  }
}

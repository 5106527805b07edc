const [tab, newline, carriageReturn, escape, blank, questionMark] = [9, 10, 13, 27, 32, 63]
const [bracket, lowerM, lastBeforeDigits, lastOfColor, del] = [91, 109, 47, 59, 127]
/** A color is longer in no program. */
const longestColor = 32

/** Where a color ends that begins there (`ESC [ 1 ; 31 m`); `at` where none does. */
const endOfColor = (bytes: Uint8Array, at: number): number => {
  if (bytes[at + 1] !== bracket) return at
  for (let next = at + 2; next < Math.min(bytes.length, at + longestColor); next++) {
    const byte = bytes[next]!
    if (byte === lowerM) return next
    if (byte <= lastBeforeDigits || byte > lastOfColor) return at // Not a digit, a colon or a semicolon.
  }
  return at
}

/** How many bytes there are a character of UTF-8 that acts: C1, or a mark that reverses the direction. */
const actingLength = (bytes: Uint8Array, at: number): number => {
  const [first, second = 0, third = 0] = [bytes[at], bytes[at + 1], bytes[at + 2]]
  if (first === 0xc2) return second >= 0x80 && second <= 0x9f ? 2 : 0
  if (first !== 0xe2) return 0
  const isMark =
    second === 0x80 ? third >= 0xaa && third <= 0xae : second === 0x81 && third >= 0xa6 && third <= 0xa9
  return isMark ? 3 : 0
}

/** Does it for the character that begins there, and gives where the next one does. */
const tameOne = (bytes: Uint8Array, at: number): number => {
  const byte = bytes[at]!
  if ((byte >= blank && byte < del) || byte === newline || byte === tab) return at + 1
  if (byte === escape) {
    const last = endOfColor(bytes, at)
    if (last === at) bytes[at] = questionMark
    return last + 1
  }
  if (byte > del) {
    const length = actingLength(bytes, at)
    bytes.fill(questionMark, at, at + length)
    return at + Math.max(1, length)
  }
  const endsLine = byte === carriageReturn && (at + 1 === bytes.length || bytes[at + 1] === newline)
  bytes[at] = endsLine ? blank : questionMark
  return at + 1
}

/** Whether one of four bytes is none of the letters that ASCII shows, from blank to tilde. */
const isOdd = (four: number): boolean =>
  ((four | (four - 0x20202020) | (four + 0x01010101)) & 0x80808080) !== 0

/**
 * Takes from lines of a service, in place, what acts on a terminal instead of being shown: with a carriage
 * return alone a line covers its own prefix, and looks like one of the supervisor's. Colors stay. Four bytes
 * are looked at in one step, since a flood goes through here.
 */
export const tame = (bytes: Uint8Array): void => {
  const { buffer, byteOffset, length } = bytes
  const skew = -byteOffset & 3
  const count = Math.max(0, length - skew) >> 2
  const fours = new Int32Array(buffer, count === 0 ? 0 : byteOffset + skew, count)
  for (let at = 0; at < length;) {
    if (at >= skew && ((at - skew) & 3) === 0) {
      let index = (at - skew) >> 2
      while (index < count && !isOdd(fours[index]!)) index++
      at = index * 4 + skew
    }
    if (at < length) at = tameOne(bytes, at)
  }
}

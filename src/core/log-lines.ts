export type Fields = Readonly<Record<string, unknown>>

/** `fields` are the parts of the text, for those who read JSON. */
export type LogEvent = { readonly level: Level; readonly text: string; readonly fields?: Fields }

/** From the least severe on. */
export const levels = ['debug', 'info', 'warn', 'error'] as const
export type Level = (typeof levels)[number]

const levelOfWord: Readonly<Record<string, Level>> = {
  DEBUG: 'debug',
  DEBUG1: 'debug',
  DEBUG2: 'debug',
  DEBUG3: 'debug',
  DEBUG4: 'debug',
  DEBUG5: 'debug',
  INFO: 'info',
  LOG: 'info',
  NOTICE: 'info',
  WARNING: 'warn',
  ERROR: 'error',
  CRITICAL: 'error',
  FATAL: 'error',
  PANIC: 'error',
}
const header = /^(?:\[[^\]]*\] ?)*?\[?([A-Z]+[1-5]?)\b\]?:?\s+/
const detail = String.raw`(?:\[\d+\] )?(?:DETAIL|HINT|CONTEXT|STATEMENT|QUERY|LOCATION): `
const continues = new RegExp(
  String.raw`^(?:\s|${detail}|Traceback \(|During handling of |The above exception was |$)`,
)

/** `header` is the text that says the level, if any does. */
type Kind = {
  readonly level: Level
  readonly joins: boolean
  readonly opensTraceback: boolean
  readonly header?: string | undefined
}

const kindOf = (line: string): Kind => {
  const opensTraceback = line.startsWith('Traceback (')
  const [found, word] = header.exec(line) ?? []
  return {
    level: (word && levelOfWord[word]) || (opensTraceback ? 'error' : 'info'),
    joins: continues.test(line),
    opensTraceback,
    header: found,
  }
}

/**
 * The bytes that a line with a level, or one that belongs to the line before it, can begin with: white space,
 * a capital letter, a bracket.
 */
const telling = new Uint8Array(256).map((_, byte) =>
  Number((byte >= 9 && byte <= 13) || byte === 32 || (byte >= 65 && byte <= 90) || byte === 91),
)
const plain: Kind = { level: 'info', joins: false, opensTraceback: false }
const headLength = 128
const newlineByte = 10

type Seen = { readonly header: Buffer; readonly kind: Kind }
type Found = (start: number, end: number, level: Level, lines: number) => void

/**
 * Finds the events in the output of services: a traceback, an indented line or Postgres's DETAIL belongs to
 * the line before it.
 */
export class EventFinder {
  /** The last header that said a level: successive lines mostly begin alike, and then need no pattern. */
  #seen: Seen = { header: Buffer.alloc(headLength), kind: plain }

  /**
   * Calls `found` for each complete event, with its place in `block`. Returns where the rest begins: the
   * unfinished line and, unless `isLast`, the event before it, which may continue.
   */
  find(block: Buffer, isLast: boolean, found: Found): number {
    let start = 0
    let level: Level = 'info'
    let lines = 0
    let inTraceback = false
    let at = 0

    const finish = (): void => {
      let end = at
      while (end > start && block[end - 1]! <= 32) {
        if (block[--end] === newlineByte) lines--
      }
      if (end > start) found(start, end, level, lines + 1)
    }

    for (let newline = block.indexOf(newlineByte); newline >= 0; newline = block.indexOf(newlineByte, at)) {
      const kind = this.#kindAt(block, at, newline)
      if (lines > 0 && (kind.joins || inTraceback)) {
        if (kind.opensTraceback) level = 'error'
        // The first line of a traceback that is not indented names the exception and ends it, unless another
        // follows.
        inTraceback = kind.opensTraceback || (inTraceback && kind.joins)
      } else {
        if (lines > 0) finish()
        start = at
        level = kind.level
        lines = 0
        inTraceback = kind.opensTraceback
      }
      lines++
      at = newline + 1
    }
    if (!isLast || lines === 0) return lines === 0 ? at : start
    finish()
    return at
  }

  #kindAt(block: Buffer, at: number, end: number): Kind {
    if (telling[block[at]!] === 0) return plain
    const { header: seen, kind: seenKind } = this.#seen
    let same = 0
    while (same < seen.length && block[at + same] === seen[same]) same++
    if (same === seen.length) return seenKind
    const kind = kindOf(block.toString('latin1', at, Math.min(end, at + headLength)))
    if (kind.header !== undefined) this.#seen = { header: Buffer.from(kind.header, 'latin1'), kind }
    return kind
  }
}

/** The events in lines that were printed as text, each with a prefix of this length. */
export const regroupEvents = (lines: readonly string[], prefixLength: number): string[] => {
  const events: string[] = []
  let inTraceback = false
  for (const line of lines) {
    const kind = kindOf(line.slice(prefixLength))
    const joins: boolean = events.length > 0 && (kind.joins || inTraceback)
    inTraceback = kind.opensTraceback || (joins && inTraceback && kind.joins)
    if (joins) events[events.length - 1] += line
    else events.push(line)
  }
  return events
}

export const prefixOf = (time: string, level: Level, unit: string): string =>
  `${time} ${level.padEnd(5)} ${unit.padEnd(10)} `

/** One event as it appears on stdout, newline included. */
export const formatEvent = (
  format: 'text' | 'json',
  time: string,
  unit: string,
  { level, text, fields }: LogEvent,
): string => {
  if (format === 'json') return `${JSON.stringify({ time, level, unit, msg: text, ...fields })}\n`
  const prefix = prefixOf(time, level, unit)
  return `${text
    .split('\n')
    .map((line) => prefix + line)
    .join('\n')}\n`
}

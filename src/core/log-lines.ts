export type LogEvent = { readonly level: Level; readonly text: string }

/** From the least on. */
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
const continues =
  /^(?:\s|(?:\[\d+\] )?(?:DETAIL|HINT|CONTEXT|STATEMENT|QUERY|LOCATION): |Traceback \(|During handling of |The above exception was |$)/

/** `header` is the text that told the level, if any did. */
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

/** Only a line that begins with one of these can have a level or belong to the line before it: white space, a capital, a bracket. */
const telling = new Uint8Array(256).map((_, byte) =>
  Number((byte >= 9 && byte <= 13) || byte === 32 || (byte >= 65 && byte <= 90) || byte === 91),
)
const plain: Kind = { level: 'info', joins: false, opensTraceback: false }
const headLength = 128
const newlineByte = 10

/** The last header that told a level, and what it told: lines in a row mostly begin alike, and need no pattern then. */
let told: { readonly header: Buffer; readonly kind: Kind } = { header: Buffer.alloc(headLength), kind: plain }

const kindAt = (block: Buffer, at: number, end: number): Kind => {
  if (telling[block[at]!] === 0) return plain
  let same = 0
  while (same < told.header.length && block[at + same] === told.header[same]) same++
  if (same === told.header.length) return told.kind
  const kind = kindOf(block.toString('latin1', at, Math.min(end, at + headLength)))
  if (kind.header !== undefined) told = { header: Buffer.from(kind.header, 'latin1'), kind }
  return kind
}

/**
 * Finds the events in a service's output: a traceback, an indented line or Postgres's DETAIL belongs to the line before it. Calls
 * `found` for each that is complete, with its place in `block`, and returns where the rest begins: the line that is not whole yet,
 * and before it, unless `isLast`, the event that may go on.
 */
export const findEvents = (
  block: Buffer,
  isLast: boolean,
  found: (start: number, end: number, level: Level, lines: number) => void,
): number => {
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
    const kind = kindAt(block, at, newline)
    if (lines > 0 && (kind.joins || inTraceback)) {
      if (kind.opensTraceback) level = 'error'
      // The first line of a traceback that is not indented names the exception and ends it, unless another one follows.
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

/** The events in lines that were printed as text before, each with a prefix of that length. */
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
  { level, text }: LogEvent,
  fields?: Readonly<Record<string, unknown>>,
): string => {
  if (format === 'json') return `${JSON.stringify({ time, level, unit, msg: text, ...fields })}\n`
  const prefix = prefixOf(time, level, unit)
  return `${text
    .split('\n')
    .map((line) => prefix + line)
    .join('\n')}\n`
}

/** What a redactor looks for at most: whoever may change settings could tell it of ever new secrets. */
const keptSecrets = 400
const keptLength = 2 * 1024 * 1024

/**
 * Replaces the secrets that it has been told of; of too many, those that it was told of last. Short values are left alone: they would
 * garble ordinary text.
 */
export const createRedactor = () => {
  const mark = '[redacted]'
  /** The last one told of is the last. */
  let told: readonly string[] = []
  let secrets: readonly { readonly text: string; readonly bytes: Buffer }[] = []

  const add = (...more: readonly (string | undefined)[]): void => {
    const fresh = more.filter((secret): secret is string => secret !== undefined && secret.length >= 6)
    if (fresh.length === 0) return
    const all = [...new Set([...told, ...fresh].reverse())].slice(0, keptSecrets)
    let length = 0
    told = all.filter((secret) => (length += secret.length) <= keptLength).reverse()
    const forms = new Set(
      told.flatMap((secret) => [
        secret,
        JSON.stringify(secret).slice(1, -1),
        encodeURIComponent(secret.toWellFormed()),
      ]),
    )
    secrets = [...forms]
      .map((text) => ({ text, bytes: Buffer.from(text) }))
      .sort((a, b) => b.bytes.length - a.bytes.length)
  }

  const redact = (text: string): string => {
    let clean = text
    for (const secret of secrets) if (clean.includes(secret.text)) clean = clean.replaceAll(secret.text, mark)
    return clean
  }

  /** The same for output as it comes; without a secret in it, the block itself. */
  const redactBytes = (block: Buffer): Buffer => {
    let clean = block
    for (const { bytes } of secrets) {
      let at = clean.indexOf(bytes)
      if (at < 0) continue
      const parts: Buffer[] = []
      let from = 0
      for (; at >= 0; at = clean.indexOf(bytes, from)) {
        parts.push(clean.subarray(from, at), Buffer.from(mark))
        from = at + bytes.length
      }
      clean = Buffer.concat([...parts, clean.subarray(from)])
    }
    return clean
  }

  /** Where the block ends with the beginning of a secret of several lines; its length when it does not. */
  const heldFrom = (block: Buffer): number => {
    let held = block.length
    for (const { bytes } of secrets) {
      const newline = bytes.indexOf(newlineByte)
      if (newline < 0) continue
      const firstLine = bytes.subarray(0, newline + 1)
      for (
        let at = block.indexOf(firstLine, Math.max(0, block.length - bytes.length));
        at >= 0 && at < held;
        at = block.indexOf(firstLine, at + 1)
      ) {
        if (bytes.subarray(0, block.length - at).equals(block.subarray(at))) held = at
      }
    }
    return held
  }

  return {
    add,
    redact,
    redactBytes,
    heldFrom,
    get longest() {
      return secrets[0]?.bytes.length ?? 0
    },
  }
}

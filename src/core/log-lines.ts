export type Level = 'debug' | 'info' | 'warn' | 'error'
export type LogEvent = { readonly level: Level; readonly text: string }

const levels: Readonly<Record<string, Level>> = {
  DEBUG: 'debug', DEBUG1: 'debug', DEBUG2: 'debug', DEBUG3: 'debug', DEBUG4: 'debug', DEBUG5: 'debug',
  INFO: 'info', LOG: 'info', NOTICE: 'info',
  WARNING: 'warn',
  ERROR: 'error', CRITICAL: 'error', FATAL: 'error', PANIC: 'error',
}
const header = /^(?:\[[^\]]*\] ?)*?\[?([A-Z]+[1-5]?)\b\]?:?\s+/
const continues = /^(?:\s|(?:\[\d+\] )?(?:DETAIL|HINT|CONTEXT|STATEMENT|QUERY|LOCATION): |Traceback \(|During handling of |The above exception was |$)/

/**
 * Puts the lines of a service together to events: a traceback, an indented line or Postgres's DETAIL belongs to the line before it.
 * `feed` returns the events that are complete; `flush` the one that still waits for a further line.
 */
export const createLineAssembler = () => {
  let pending: { level: Level; lines: string[] } | undefined
  let inTraceback = false

  const flush = (): LogEvent[] => {
    const event = pending && { level: pending.level, text: pending.lines.join('\n').trimEnd() }
    pending = undefined
    inTraceback = false
    return event && event.text !== '' ? [event] : []
  }

  const feed = (line: string): LogEvent[] => {
    const isContinuation = continues.test(line)
    if (pending && (isContinuation || inTraceback)) {
      pending.lines.push(line)
      if (line.startsWith('Traceback (')) pending.level = 'error'
      // The first line of a traceback that is not indented names the exception and ends it, unless another one follows.
      inTraceback = line.startsWith('Traceback (') || (inTraceback && isContinuation)
      return []
    }
    const done = flush()
    const word = header.exec(line)?.[1]
    pending = { level: (word && levels[word]) || (line.startsWith('Traceback (') ? 'error' : 'info'), lines: [line] }
    inTraceback = line.startsWith('Traceback (')
    return done
  }

  return { feed, flush, get waiting() { return pending !== undefined } }
}

/** One event as it appears on stdout, newline included. */
export const formatEvent = (format: 'text' | 'json', time: Date, unit: string, { level, text }: LogEvent, fields?: Readonly<Record<string, unknown>>): string => {
  if (format === 'json') return `${JSON.stringify({ time: time.toISOString(), level, unit, msg: text, ...fields })}\n`
  const prefix = `${time.toISOString()} ${level.padEnd(5)} ${unit.padEnd(10)} `
  return `${text.split('\n').map((line) => prefix + line).join('\n')}\n`
}

/** Replaces every secret that it has been told of. Short values are left alone: they would garble ordinary text. */
export const createRedactor = () => {
  const secrets = new Set<string>()
  return {
    add: (secret: string | undefined): void => { if (secret && secret.length >= 6) for (const form of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]) secrets.add(form) },
    redact: (text: string): string => {
      let clean = text
      for (const secret of [...secrets].sort((a, b) => b.length - a.length)) if (clean.includes(secret)) clean = clean.replaceAll(secret, '[redacted]')
      return clean
    },
  }
}

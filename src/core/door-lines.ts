import type { Level, LogEvent } from './log-lines.ts'
import { excerpt } from './message.ts'

/** What nginx writes of a request begins so, and a tab parts what comes after. */
export const requestMark = 'request'

const levelOf: Readonly<Record<string, Level>> = {
  emerg: 'error',
  alert: 'error',
  crit: 'error',
  error: 'error',
  warn: 'warn',
  notice: 'debug', // Of its own coming and going.
  info: 'debug',
  debug: 'debug',
}
/** Of its error log, and of what it says before it has one. The number after `*` is that of a connection. */
const errorLine =
  /^(?:\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[([a-z]+)\] \d+#\d+: (?:\*\d+ )?|nginx: \[([a-z]+)\] )(.*)$/

const textLimit = 2000

const readRequest = (line: string): LogEvent => {
  const [, client = '', method = '', path = '', status = '', seconds = '', bytes = ''] = line.split('\t')
  const fields = {
    client,
    method: excerpt(method, 20),
    path,
    status: Number(status),
    bytes: Number(bytes),
    ms: Math.round(Number(seconds) * 1000),
  }
  const text = `${fields.method} ${path} ${status}, ${fields.bytes} bytes in ${fields.ms} ms, for ${client}`
  return { level: 'info', text, fields }
}

/** A line of nginx as an event: its own time and numbers go, for ours are in front. */
export const readDoorLine = (line: string): LogEvent => {
  if (line.startsWith(`${requestMark}\t`)) return readRequest(line)
  const [, level, early, text] = errorLine.exec(line) ?? []
  if (text === undefined) return { level: 'info', text: excerpt(line, textLimit) }
  return { level: levelOf[level ?? early ?? ''] ?? 'info', text: excerpt(text, textLimit) }
}

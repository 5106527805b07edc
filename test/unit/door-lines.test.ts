import { describe, expect, test } from 'vitest'
import { readDoorLine } from '../../src/core/door-lines.ts'
import { createLog } from '../../src/system/log.ts'

const time = '2026/11/26 11:13:17'

describe('a line of nginx', () => {
  test.each([
    [
      `${time} [notice] 18#18: using inherited sockets from "3;"`,
      'debug',
      'using inherited sockets from "3;"',
    ],
    [`${time} [warn] 18#18: *5 a client body is buffered`, 'warn', 'a client body is buffered'],
    [`${time} [error] 18#20: *7 connect() failed`, 'error', 'connect() failed'],
    [
      `${time} [alert] 1#1: worker process 9 exited on signal 9`,
      'error',
      'worker process 9 exited on signal 9',
    ],
    ['nginx: [emerg] cannot load certificate "/x"', 'error', 'cannot load certificate "/x"'],
    ['setpriv: something else', 'info', 'setpriv: something else'],
  ])('%j is %s', (line, level, text) => {
    expect(readDoorLine(line)).toEqual({ level, text })
  })

  test('of a request is a sentence for people, and has its parts for programs', () => {
    expect(readDoorLine('request\t10.0.0.7\tGET\t/notes/\t200\t0.012\t3456')).toEqual({
      level: 'info',
      text: 'GET /notes/ 200, 3456 bytes in 12 ms, for 10.0.0.7',
      fields: { client: '10.0.0.7', method: 'GET', path: '/notes/', status: 200, bytes: 3456, ms: 12 },
    })
  })
})

describe('the log of the door', () => {
  const logOf = (format: 'text' | 'json') => {
    let text = ''
    const sink = {
      write: (block: Buffer) => void (text += block.toString()),
      behind: Promise.resolve(),
      onDropped: () => {},
    }
    const log = createLog(sink, format, 'info')
    log.addSecret('hunter2hunter2')
    return { log, output: log.readLines('door', readDoorLine), text: () => text }
  }

  test('is like all of it, without secrets, however its lines are cut into chunks', () => {
    const { output, text } = logOf('json')
    const line = Buffer.from('request\t::1\tGET\t/hunter2hunter2/ü\t404\t0.001\t9\n')
    for (const byte of line) void output.write(Buffer.from([byte]))
    expect(JSON.parse(text())).toMatchObject({
      unit: 'door',
      level: 'info',
      path: '/[redacted]/ü',
      status: 404,
    })
  })

  test('has nginx never wait, also while nobody reads it', () => {
    const { output, text } = logOf('text')
    expect(output.write(Buffer.from(`${'x'.repeat(20_000)}`))).toBeUndefined()
    expect(text().length).toBeLessThan(3000)
    output.flush()
  })
})

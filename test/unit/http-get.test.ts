import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { httpGet } from '../../src/system/http.ts'

describe('one GET', () => {
  let folder: string
  let server: Server
  let asked: string
  let serve: (socket: Socket) => void
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'get-'))
    asked = ''
    server = createServer((socket) => {
      socket
        .on('error', () => {})
        .once('data', (chunk) => {
          asked = chunk.toString()
          serve(socket)
        })
    })
    await new Promise<void>((resolve) => server.listen(join(folder, 's'), resolve))
  })
  afterEach(() => {
    server.close()
    rmSync(folder, { recursive: true })
  })

  const get = (timeoutMs = 5000, signal = new AbortController().signal) =>
    httpGet({ socketPath: join(folder, 's') }, { path: '/auth/', hostHeader: 'x.invalid', timeoutMs }, signal)

  test('tells the status and where the answer leads, and leaves no timer behind', async () => {
    serve = (socket) =>
      socket.end('HTTP/1.1 302 Found\r\nServer: x\r\nLocation:  /there \r\n\r\nlocation: /no')
    expect(await get()).toEqual({ status: 302, location: '/there' })
    expect(asked).toBe(
      'GET /auth/ HTTP/1.1\r\nHost: x.invalid\r\nConnection: close\r\nUser-Agent: supervisor\r\n\r\n',
    )
    const hasTimer = (): boolean => process.getActiveResourcesInfo().includes('Timeout')
    for (let looks = 0; looks < 400 && hasTimer(); looks++)
      await new Promise((resolve) => setTimeout(resolve, 5))
    expect(hasTimer()).toBe(false)
  })

  test('reads an answer that comes byte by byte', async () => {
    serve = (socket) => {
      const bytes = 'HTTP/1.0 200 OK\r\nA: b\r\n\r\n'.split('')
      const more = (): void => {
        const byte = bytes.shift()
        if (byte === undefined) return void socket.end()
        socket.write(byte, () => setImmediate(more))
      }
      more()
    }
    expect(await get()).toEqual({ status: 200, location: undefined })
  })

  test.each([
    ['', 'it closed the connection without an answer'],
    ['HTTP/1.1 200 OK\r\nA: b\r\n', 'it closed the connection without an answer'],
    ['220 mail ESMTP\r\n\r\n', 'its answer is not HTTP'],
    ['HTTP/1.1 200 OK\r\n'.padEnd(70_000, 'x'), 'its answer is not HTTP'],
  ])('rejects what is no answer: %#', async (answer, why) => {
    serve = (socket) => socket.end(answer)
    await expect(get()).rejects.toThrow(why)
  })

  test('rejects where nobody listens', async () => {
    const target = { socketPath: join(folder, 'nobody') }
    const request = { path: '/', hostHeader: 'x', timeoutMs: 5000 }
    await expect(httpGet(target, request, new AbortController().signal)).rejects.toThrow('ENOENT')
  })

  test('rejects after its limit, with an error of that name', async () => {
    serve = () => {}
    await expect(get(20)).rejects.toMatchObject({ name: 'TimeoutError', message: 'no answer within 0.02 s' })
  })

  test('ends when it is told to, with the reason', async () => {
    const stop = new AbortController()
    serve = () => stop.abort(new Error('it stops'))
    await expect(get(5000, stop.signal)).rejects.toThrow('it stops')
    await expect(get(5000, stop.signal)).rejects.toThrow('it stops')
  })
})

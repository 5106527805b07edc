import { once } from 'node:events'
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { afterEach, expect, test, vi } from 'vitest'
import { ask, untilCut } from '../../../src/http/client.ts'
import { startDaemon } from '../fakes/daemon.ts'

afterEach(() => vi.unstubAllEnvs())

test.each<[string, (answer: IncomingMessage) => AsyncIterable<string>]>([
  ['text', (answer) => answer.setEncoding('utf8')],
  ['lines', (input) => createInterface({ input })],
])('an answer that is cut off ends, and what came of it is read as %s', async (_, read) => {
  const server = createServer((_, response) => {
    response.write('first\n', () => setTimeout(() => response.destroy(), 20))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const [answer] = (await once(get({ port: (server.address() as AddressInfo).port }), 'response')) as [
    IncomingMessage,
  ]
  const got: string[] = []
  for await (const piece of untilCut(read(answer))) got.push(piece.trim())
  expect([got, answer.complete]).toEqual([['first'], false])
  server.close()
})

test('503 is an answer to a question, and to a request to do something an error', async () => {
  const body = { code: 'DATABASE_LOST', message: 'cannot do it', hint: 'x' }
  const { run, close } = await startDaemon(() => ({ status: 503, body }))
  vi.stubEnv('SUPERVISOR_RUN', run)
  try {
    expect(await ask('GET', '/v1/status')).toMatchObject({ status: 503 })
    await expect(ask('POST', '/v1/past', {})).rejects.toMatchObject(body)
  } finally {
    close()
  }
})

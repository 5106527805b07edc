import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { controlSocket } from '../../../src/units/place.ts'

type Answer = { readonly status: number; readonly body: unknown }

/** Answers on a control socket below `run`, which the commands find by SUPERVISOR_RUN. */
export const startDaemon = async (answerTo: (request: IncomingMessage) => Answer) => {
  const run = mkdtempSync(join(tmpdir(), 'daemon-'))
  mkdirSync(join(run, 'control'))
  const asked: string[] = []
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    asked.push(`${request.method} ${request.url} ${await text(request)}`.trim())
    const { status, body } = answerTo(request)
    response.writeHead(status).end(JSON.stringify(body))
  }
  const server = createServer((request, response) => void answer(request, response))
  server.listen(controlSocket({ run }))
  await once(server, 'listening')
  const close = (): void => {
    server.close().closeAllConnections()
    rmSync(run, { recursive: true })
  }
  return { run, asked, close }
}

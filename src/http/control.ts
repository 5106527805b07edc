import { chmodSync, existsSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { describeError } from '../core/message.ts'
import { renderStatus } from '../core/status.ts'
import { type ErrorCode, SupervisorError, toSupervisorError } from '../errors.ts'
import type { Log } from '../system/log.ts'
import { answerConfig, type ConfigDeps } from './config.ts'
import type { Supervisor } from '../daemon/instance.ts'

const requestLimitMs = 10_000
const connectionLimit = 64

type Deps = {
  readonly supervisor: Supervisor
  readonly log: Pick<Log, 'tail' | 'follow'>
  readonly now: () => number
  readonly config: ConfigDeps
}
/** The whole protocol, or only the configuration, for a user interface that runs as somebody else. */
type Scope = 'all' | 'config'

const statusCodes: Partial<Record<ErrorCode, number>> = {
  UNIT_UNKNOWN: 404,
  USAGE: 409,
  SETTING_PINNED: 403,
  CONFIG_CONFLICT: 409,
  CONFIG_INVALID: 422,
  CONFIG_ROLLED_BACK: 422,
  SETTING_INVALID: 422,
  DATABASE_SETTINGS_PARTIAL: 422,
  DATABASE_UNREACHABLE: 422,
  DATABASE_REFUSED: 422,
  DATABASE_AHEAD: 422,
  VOLUME_NOT_WRITABLE: 422,
  DATABASE_NOT_CONFIGURED: 422,
  MIGRATIONS_FAILED: 422,
}
const statusOf = ({ code }: SupervisorError): number => statusCodes[code] ?? 500

const send = (response: ServerResponse, code: number, type: string, body: string): void => {
  response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body)
}

/**
 * The control protocol, HTTP on a unix socket in a folder that only the supervisor's user may enter:
 *
 *   GET  /v1/status[?format=text]              the status; 200 when ready, else 503, the same body
 *   GET  /v1/health                            one line; 200 when ready, else 503
 *   GET  /v1/logs?unit=NAME&lines=N&follow=1   text; with follow it goes on until either side ends it
 *   POST /v1/services/NAME/{start,stop,restart}  waits for the outcome: {"name", "state"}
 *
 * and those of the configuration in `config-routes.ts`, which a second socket offers alone.
 * Errors are {"code", "message", "hint"}. A request may take 10 s to come in, and have 8 KiB of headers and 512 KiB of body.
 */
const handleControl =
  ({ supervisor, log, now, config }: Deps, scope: Scope) =>
  async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const json = (code: number, body: unknown): void =>
      send(response, code, 'application/json', `${JSON.stringify(body)}\n`)
    try {
      const target = `http://supervisor${request.url}`
      if (!URL.canParse(target)) throw new SupervisorError('UNIT_UNKNOWN', 'cannot answer: the path is none')
      const url = new URL(target)
      const route = `${request.method} ${url.pathname}`
      if (await answerConfig(route, request, response, scope, config)) return
      request.resume()
      if (scope === 'config')
        throw new SupervisorError('UNIT_UNKNOWN', `cannot answer ${route.slice(0, 80)} here`)
      if (route === 'GET /v1/status') {
        const status = supervisor.status()
        const code = status.ready ? 200 : 503
        return url.searchParams.get('format') === 'text'
          ? send(response, code, 'text/plain', renderStatus(status, now()))
          : json(code, status)
      }
      if (route === 'GET /v1/health') {
        if (supervisor.isReady) return send(response, 200, 'text/plain', 'ready\n') // The whole status looks at each process.
        const { phase, problems } = supervisor.status()
        return send(
          response,
          503,
          'text/plain',
          `not ready (${phase})${problems.map(({ unit, message }) => `; ${unit}: ${message.split('\n')[0]}`).join('')}\n`,
        )
      }
      if (route === 'GET /v1/logs') {
        const unit = url.searchParams.get('unit') ?? undefined
        const asked = Number(url.searchParams.get('lines') ?? 100)
        if (
          unit !== undefined &&
          unit !== 'supervisor' &&
          !supervisor.status().units.some(({ name }) => name === unit)
        )
          throw new SupervisorError('UNIT_UNKNOWN', `cannot find a unit named ${unit.slice(0, 80)}`)
        const tail = log
          .tail(unit, Number.isInteger(asked) && asked > 0 ? Math.min(asked, 10_000) : 100)
          .join('')
        if (!url.searchParams.has('follow')) return send(response, 200, 'text/plain', tail)
        response.writeHead(200, { 'content-type': 'text/plain' }).write(tail)
        // A follower that does not read is cut off: nothing is kept for it.
        const unfollow = log.follow((name, text) => {
          if (
            (unit === undefined || name === unit) &&
            !response.write(text) &&
            response.writableLength > 1_000_000
          )
            response.destroy()
        })
        response.once('close', unfollow)
        return
      }
      const [, name, action] = /^POST \/v1\/services\/([\w-]{1,80})\/(start|stop|restart)$/.exec(route) ?? []
      if (name !== undefined)
        return json(200, {
          name,
          state: await supervisor.control(action as 'start' | 'stop' | 'restart', name),
        })
      throw new SupervisorError('UNIT_UNKNOWN', `cannot answer ${route.slice(0, 80)}`)
    } catch (thrown) {
      const error = toSupervisorError(thrown)
      request.resume()
      if (!response.headersSent) json(statusOf(error), describeError(error))
    }
  }

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy()
      resolve(true)
    }).once('error', () => resolve(false))
  })

/** Listens on the socket; one that nobody answers on belongs to a supervisor that is gone. */
export const startControl = async (
  path: string,
  deps: Deps,
  scope: Scope = 'all',
  mode = 0o600,
): Promise<Server> => {
  if (existsSync(path) && (await answers(path)))
    throw new SupervisorError('VOLUME_IN_USE', `cannot listen on ${path}: another supervisor does`)
  rmSync(path, { force: true })
  return await new Promise((resolve, reject) => {
    const handle = handleControl(deps, scope)
    const server = createServer(
      {
        headersTimeout: requestLimitMs,
        requestTimeout: requestLimitMs,
        maxHeaderSize: 8192,
        connectionsCheckingInterval: 5000,
      },
      (request, response) => void handle(request, response),
    )
    server.maxConnections = connectionLimit
    server.on('clientError', (_, socket) => socket.destroy())
    server.once('error', reject)
    server.listen(path, () => {
      chmodSync(path, mode)
      resolve(server)
    })
  })
}

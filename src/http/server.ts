import { chmodSync, existsSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { describeError } from '../core/message.ts'
import { SupervisorError, toSupervisorError } from '../errors.ts'
import type { Clock } from '../system/ports.ts'
import { pageRoute } from './door/pages.ts'
import { type Access, sendJson } from './exchange.ts'
import type { Parts } from './parts.ts'
import { inPieces } from './pieces.ts'
import { findRoute } from './routes.ts'

export const requestLimitMs = 10_000
export const headerLimitBytes = 8192
/** Of visitors: what nginx lets through, and what it adds. */
const visitorHeaderBytes = 40 * 1024
export const connectionLimit = 64
/** Of visitors. Those that stay are 400 streams, by the door, and 512 who wait for Mathesar (`wake.ts`). */
const visitorLimit = 1024

export type ControlServer = { readonly close: () => void }

/** A URL takes a backslash for a slash, and the door does not: its limits are for the path that it sees. */
const urlOf = ({ url = '' }: Pick<IncomingMessage, 'url'>): URL => {
  const target = `http://supervisor${url}`
  if (url.includes('\\') || !URL.canParse(target))
    throw new SupervisorError('UNIT_UNKNOWN', 'cannot answer: invalid path')
  return new URL(target)
}

const refuseRoute = (method: string | undefined, path: string, access: Access): never => {
  const what = `${method} ${path}`.slice(0, 80)
  throw new SupervisorError(
    'UNIT_UNKNOWN',
    `cannot answer ${what}${access === 'operator' ? '' : ' on this socket'}`,
    { hint: 'docs/openapi.json has what can be asked.' },
  )
}

/** What answers: a route of the protocol, or for who comes with a browser a page. */
const findHandler = (method: string | undefined, url: URL, access: Access) => {
  const found = findRoute(method, url.pathname, access)
  if (found !== undefined) return found
  const isOfBrowsers = access === 'visitor' || access === 'console'
  const page = isOfBrowsers ? pageRoute(method, url, access) : undefined
  return page === undefined ? refuseRoute(method, url.pathname, access) : { route: page, parameters: {} }
}

/** Answers one request. Errors are {"code", "message", "hint"}; one of our own is logged, too. */
const answer = async (
  request: IncomingMessage,
  response: ServerResponse,
  parts: Parts,
  access: Access,
): Promise<void> => {
  try {
    const url = urlOf(request)
    const { route, parameters } = findHandler(request.method, url, access)
    // With the body left unread, Node would not see that the client has gone.
    if (!route.hasBody) request.resume()
    await route.handle({ request, response, url, access, parameters }, parts)
  } catch (thrown) {
    const error = toSupervisorError(thrown)
    if (error.faultStack !== undefined) parts.log.say('error', error.faultStack)
    if (response.headersSent) response.destroy()
    else sendJson({ response, access }, error.httpStatus, describeError(error))
  } finally {
    request.resume() // Who refuses a request leaves its body unread.
  }
}

const isAnswered = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy()
      resolve(true)
    }).once('error', () => resolve(false))
  })

/** Node looks for requests that come in too slowly again and again, also while nobody asks anything. */
const never = 2 ** 31 - 1

/** A server with limits for what a client may cost. What it gets of a connection comes through `inPieces`. */
const createLimited = (
  access: Access,
  after: Clock['after'],
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Server => {
  const limits = {
    maxHeaderSize: access === 'visitor' ? visitorHeaderBytes : headerLimitBytes,
    requireHostHeader: false, // The door speaks 1.1 for who came by 1.0, too. Who needs a Host looks at it.
    connectionsCheckingInterval: never,
  }
  const coming = new WeakMap<Duplex, () => void>()
  const server = createServer(limits, (request, response) => {
    request.once('end', () => coming.get(request.socket)?.())
    response.sendDate = access === 'console' // Node keeps a timer for it, and the door has its own.
    handle(request, response)
  })
  server.maxConnections = access === 'visitor' ? visitorLimit : connectionLimit
  server.maxRequestsPerSocket = 1
  server.on('dropRequest', (_, socket) => socket.destroy())
  server.on('clientError', (_, socket) => socket.destroy())
  const serve = server.listeners('connection')
  server.removeAllListeners('connection').on('connection', (socket) => {
    const pieces = inPieces(socket)
    const cancel = after(requestLimitMs, () => socket.destroy())
    coming.set(pieces, cancel)
    socket.once('close', cancel)
    for (const listener of serve) listener.call(server, pieces)
  })
  return server
}

/** Where to listen: a new unix socket with its mode, a TCP socket that listens already, or a new one. */
export type Target =
  | { readonly path: string; readonly mode: number }
  | { readonly fd: number }
  | { readonly host: string; readonly port: number }

const prepare = async (path: string): Promise<void> => {
  if (existsSync(path) && (await isAnswered(path)))
    throw new SupervisorError('RUN_FOLDER_IN_USE', `cannot listen on ${path}: another supervisor does`)
  rmSync(path, { force: true })
}

/**
 * Serves the protocol: all of it, or what the app or visitors may use. Replaces a unix socket that nobody
 * answers on: its supervisor is gone. A connection has one request, which may take 10 s to come in, with 8
 * KiB of headers (40 of visitors) and 512 KiB of body.
 */
export const listen = async (target: Target, parts: Parts, access: Access): Promise<ControlServer> => {
  if ('path' in target) await prepare(target.path)
  const server = createLimited(
    access,
    parts.clock.after,
    (request, response) => void answer(request, response, parts, access),
  )
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject) // A later one, such as too many open files, costs a connection and no more.
    server.listen('path' in target ? target.path : target, resolve)
  })
  if ('path' in target) chmodSync(target.path, target.mode)
  return { close: () => server.close().closeAllConnections() }
}

import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { SupervisorError } from '../errors.ts'

/** The largest body that is read. */
export const bodyLimitBytes = 512 * 1024
/** The app's connection is closed when nothing of an answer is read for that long. */
export const unreadLimitMs = 10_000

/** One request and its answer. */
export type Exchange = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly url: URL
  /** What is in the places of the route's path, by their names. */
  readonly parameters: Readonly<Record<string, string>>
  /** Whose socket it came in on. */
  readonly access: Access
}

/**
 * Who asks: the operator (the supervisor's user or root), Mathesar's user, or anybody who reaches the port,
 * or that of the console.
 */
export type Access = 'operator' | 'app' | 'visitor' | 'console'

type Headers = Readonly<Record<string, string | readonly string[]>>
type Answered = Pick<Exchange, 'response' | 'access'>

export const send = (
  { response, access }: Answered,
  status: number,
  type: string,
  text: string,
  headers: Headers,
): void => {
  // An answer is kept until it is read: the app must not have many of them kept.
  if (access !== 'operator') response.setTimeout(unreadLimitMs)
  response
    .writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(text),
      ...(headers as OutgoingHttpHeaders),
    })
    .end(text)
}

export const sendText = (exchange: Answered, status: number, text: string, headers: Headers = {}): void =>
  send(exchange, status, 'text/plain; charset=utf-8', text, headers)

export const sendJson = (exchange: Answered, status: number, body: unknown, headers: Headers = {}): void =>
  send(exchange, status, 'application/json', `${JSON.stringify(body)}\n`, headers)

export const sendHtml = (exchange: Answered, status: number, text: string, headers: Headers = {}): void =>
  send(exchange, status, 'text/html; charset=utf-8', text, headers)

export const redirect = (
  { response }: Pick<Exchange, 'response'>,
  to: string,
  more: Readonly<Record<string, string[]>> = {},
): void => void response.writeHead(303, { location: to, 'cache-control': 'no-store', ...more }).end()

/** Whether the browser came by https: then its cookies must not go out in plain. */
export const isSecure = ({ request }: Pick<Exchange, 'request'>): boolean =>
  request.headers['x-forwarded-proto'] === 'https'

/** What helps whose body is refused. */
export const bodyHint = 'docs/openapi.json says what the body may hold.'

export const refuse = (why: string): never => {
  throw new SupervisorError('CONFIG_INVALID', `cannot read the request: ${why}`, { hint: bodyHint })
}

/** Reads the body, of at most `limitBytes`. */
export const readBytes = async (
  { request }: Pick<Exchange, 'request'>,
  limitBytes: number,
): Promise<Buffer> => {
  const chunks: Buffer[] = []
  let size = 0
  // Not destroyed when we stop reading: its connection still has to carry the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > limitBytes) refuse(`the body is larger than ${limitBytes / 1024} KiB`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const readText = async (exchange: Pick<Exchange, 'request'>, limitBytes: number): Promise<string> =>
  (await readBytes(exchange, limitBytes)).toString('utf8')

/** What a form of ours may hold. */
const formLimitBytes = 16 * 1024

/** Reads the body as the fields of a form. */
export const readForm = async (
  exchange: Pick<Exchange, 'request'>,
  limitBytes = formLimitBytes,
): Promise<URLSearchParams> => new URLSearchParams(await readText(exchange, limitBytes))

/** Reads the body as JSON. */
export const readJson = async (exchange: Pick<Exchange, 'request'>): Promise<unknown> => {
  const text = await readText(exchange, bodyLimitBytes)
  try {
    return JSON.parse(text) as unknown
  } catch {
    return refuse('the body is not valid JSON')
  }
}

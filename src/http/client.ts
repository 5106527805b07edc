import { type IncomingMessage, request } from 'node:http'
import { createInterface } from 'node:readline'
import { MiB } from '../core/amounts.ts'
import { printable } from '../core/message.ts'
import { SupervisorError } from '../errors.ts'
import { environment } from '../system/environment.ts'
import { comeAsOwner } from '../system/owner.ts'
import { readPaths } from '../system/paths.ts'
import { controlSocket, inRun } from '../units/place.ts'

type Method = 'GET' | 'POST'
type Named = { readonly code: SupervisorError['code']; readonly message: string; readonly hint: string }

/** No answer that is read as a whole is longer. */
const answerLimit = 16 * MiB

const whyUnreachable = ({ code, message }: NodeJS.ErrnoException): string => {
  if (code === 'EACCES') return `user ${process.getuid!()} may not`
  return code === 'ENOENT' || code === 'ECONNREFUSED' ? 'it is not running' : message
}

const open = (method: Method, path: string, body?: unknown, accept = '*/*'): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const paths = readPaths(environment)
    const socketPath = controlSocket(paths)
    const headers = { 'user-agent': 'supervisor', accept }
    const sent = request({ socketPath, method, path, agent: false, headers }, resolve)
    sent.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new SupervisorError(
          'DAEMON_UNREACHABLE',
          `cannot reach the supervisor on ${socketPath}: ${whyUnreachable(cause)}`,
          { cause, ...(cause.code === 'EACCES' ? { hint: comeAsOwner(inRun(paths).control) } : {}) },
        ),
      )
    })
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })

/** What comes of an answer until it ends, or the supervisor does. */
export async function* untilCut<T>(answer: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* answer
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error
  }
}

const textOf = async (response: IncomingMessage): Promise<string> => {
  let text = ''
  response.setEncoding('utf8')
  for await (const chunk of untilCut(response)) {
    text += chunk as string
    if (text.length > answerLimit)
      throw new SupervisorError(
        'DAEMON_UNREACHABLE',
        'cannot read the answer of the supervisor: it is too long',
      )
  }
  if (response.complete) return text
  throw new SupervisorError(
    'DAEMON_UNREACHABLE',
    'cannot read the answer of the supervisor: it ended before it was done',
  )
}

const fail = ({ code, message, hint }: Named): never => {
  throw new SupervisorError(code, message, { hint })
}
const failWith = async (response: IncomingMessage): Promise<never> =>
  fail(JSON.parse(await textOf(response)) as Named)

/** An answer that is not an error; throws the error that it names otherwise. */
const openOrFail = async (...request: Parameters<typeof open>): Promise<IncomingMessage> => {
  const response = await open(...request)
  return (response.statusCode ?? 500) >= 400 ? await failWith(response) : response
}

/** Has the daemon hold something as long as this connection is open. */
const hold = async (path: string) => {
  const response = await openOrFail('POST', path)
  return response.once('error', () => {}).resume()
}

/**
 * Has the daemon, if there is one, wake what sleeps, and keeps it awake as long as this process lives.
 */
export const keepAwake = async (): Promise<void> => {
  try {
    const { socket } = await hold('/v1/awake')
    socket.unref()
  } catch (error) {
    if (!(error instanceof SupervisorError && error.code === 'DAEMON_UNREACHABLE')) throw error
  }
}

/** Has the daemon stop what serves, for as long as this process lives. */
export const holdAtRest = async (): Promise<void> => void (await hold('/v1/rest'))

/** One request to the daemon. Errors that it names come back as errors here. */
export const ask = async (
  method: Method,
  path: string,
  body?: unknown,
): Promise<{ readonly status: number; readonly text: string }> => {
  const response = await open(method, path, body)
  const status = response.statusCode ?? 500
  const isNotReady = method === 'GET' && status === 503 // The same answer as when Mathesar is ready.
  if (status >= 400 && !isNotReady) return await failWith(response)
  return { status, text: await textOf(response) }
}

/** The same for an answer in JSON. */
export const askJson = async <Answer>(method: Method, path: string): Promise<Answer> =>
  JSON.parse((await ask(method, path)).text) as Answer

/** Whether a supervisor runs in this container. */
export const isServing = async (): Promise<boolean> => {
  try {
    await ask('GET', '/v1/status')
    return true
  } catch (error) {
    if (error instanceof SupervisorError && error.code === 'DAEMON_UNREACHABLE') return false
    throw error
  }
}

/** Refuses what needs the container to itself where a supervisor runs in it. */
export const requireAlone = async (what: string, hint: string): Promise<void> => {
  if (!(await isServing())) return
  throw new SupervisorError('VOLUME_IN_USE', `cannot ${what}: the supervisor of this container runs`, {
    hint,
  })
}

const failsToWrite = (text: string): Promise<unknown> =>
  new Promise((resolve) => process.stdout.write(text, resolve))

/**
 * Copies an answer to stdout as it comes, until the daemon or the reader ends it. It holds what services
 * wrote: nothing of it may drive the terminal.
 */
export const stream = async (path: string): Promise<void> => {
  const response = await openOrFail('GET', path)
  process.stdout.on('error', () => {}) // What is written tells it, too.
  for await (const chunk of untilCut(response.setEncoding('utf8')))
    if (await failsToWrite(printable(chunk as string))) return
}

/** A request that takes its time: calls back with each step, and resolves with the result. */
export const follow = async <Result>(
  path: string,
  body: unknown,
  onStep: (step: string) => void,
): Promise<Result> => {
  const response = await openOrFail('POST', path, body, 'application/x-ndjson')
  for await (const line of untilCut(createInterface({ input: response }))) {
    const said = JSON.parse(line) as { step?: string; result?: Result; error?: Named }
    if (said.error) fail(said.error)
    if (said.result) return said.result
    if (said.step) onStep(said.step)
  }
  throw new SupervisorError(
    'DAEMON_UNREACHABLE',
    'cannot tell the outcome: the supervisor ended before it was done',
  )
}

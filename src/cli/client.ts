import { type IncomingMessage, request } from 'node:http'
import { SupervisorError } from '../errors.ts'
import { controlSocket, readPaths } from './paths.ts'

const open = (method: 'GET' | 'POST', path: string): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const socketPath = controlSocket(readPaths(process.env))
    const sent = request({ socketPath, method, path, agent: false }, resolve)
    sent.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EACCES' ? 'only its own user and root may; try `docker exec -u root`' : cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED' ? 'it is not running' : cause.message
      reject(new SupervisorError('DAEMON_UNREACHABLE', `cannot reach the supervisor on ${socketPath}: ${why}`, { cause }))
    })
    sent.end()
  })

const textOf = async (response: IncomingMessage): Promise<string> => {
  let text = ''
  response.setEncoding('utf8')
  for await (const chunk of response) text += chunk
  return text
}

/** One request to the daemon. Errors that it names come back as errors here. */
export const ask = async (method: 'GET' | 'POST', path: string): Promise<{ readonly status: number; readonly text: string }> => {
  const response = await open(method, path)
  const text = await textOf(response)
  const status = response.statusCode ?? 500
  if (status >= 400 && status !== 503) {
    const { code, message, hint } = JSON.parse(text) as { code: SupervisorError['code']; message: string; hint: string }
    throw new SupervisorError(code, message, { hint })
  }
  return { status, text }
}

/** Copies an answer to stdout as it comes, until the daemon or the reader ends it. */
export const stream = async (path: string): Promise<void> => {
  const response = await open('GET', path)
  if ((response.statusCode ?? 500) >= 400) {
    const { code, message, hint } = JSON.parse(await textOf(response)) as { code: SupervisorError['code']; message: string; hint: string }
    throw new SupervisorError(code, message, { hint })
  }
  for await (const chunk of response) process.stdout.write(chunk as Buffer)
}

import { connect } from 'node:net'
import { MiB } from '../core/amounts.ts'
import type { Answer, System } from './ports.ts'

/** A page is smaller; one that is larger is cut off. */
const bodyLimitBytes = MiB
const headLimitBytes = 64 * 1024

/** What the head of an answer says; `undefined` while a part is missing. Throws where that is not HTTP. */
const readHead = (text: string): Answer | undefined => {
  const [, status] = /^HTTP\/1\.[01] ([1-5]\d\d)[ \r]/.exec(text) ?? []
  const end = text.indexOf('\r\n\r\n')
  if (end < 0 && text.length < headLimitBytes) return undefined
  if (end < 0 || status === undefined) throw new Error('its answer is not HTTP')
  const [, location] = /\r\nlocation:[ \t]*([^\r]*)/i.exec(text.slice(0, end)) ?? []
  return { status: Number(status), location: location?.trim() }
}

const lateError = (timeoutMs: number): Error => {
  const error = new Error(`no answer within ${timeoutMs / 1000} s`)
  error.name = 'TimeoutError'
  return error
}

/**
 * One GET. Rejects when there is no answer within `timeoutMs`. Of what an idle supervisor does this was the
 * most: Node's own client takes twice the time, and a signal of `AbortSignal.timeout` wakes it once more.
 */
export const httpGet: System['httpGet'] = (target, { path, hostHeader, timeoutMs }, signal) =>
  new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const socket = connect('socketPath' in target ? { path: target.socketPath } : target)
    const limit = setTimeout(() => socket.destroy(lateError(timeoutMs)), timeoutMs)
    const onAbort = (): void => void socket.destroy(signal.reason as Error)
    signal.addEventListener('abort', onAbort)
    let head = ''
    let answer: Answer | undefined
    let left = bodyLimitBytes
    const read = (chunk: Buffer): void => {
      if (answer === undefined) {
        head += chunk.toString('latin1')
        answer = readHead(head)
        if (answer !== undefined) resolve(answer)
      }
      if ((left -= chunk.length) < 0) socket.destroy()
    }
    socket
      .on('data', (chunk) => {
        try {
          read(chunk)
        } catch (error) {
          socket.destroy(error as Error)
        }
      })
      .on('error', reject)
      .once('close', () => {
        clearTimeout(limit)
        signal.removeEventListener('abort', onAbort)
        reject(new Error('it closed the connection without an answer'))
      })
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${hostHeader}\r\nConnection: close\r\nUser-Agent: supervisor\r\n\r\n`,
    )
  })

/** What sends a request to a URL. */
const requestFor = async (url: string) => {
  const { request } = url.startsWith('https:') ? await import('node:https') : await import('node:http')
  return request
}

/** A document from anywhere. */
export const httpRead: System['httpRead'] = async (url, { timeoutMs, limitBytes }, signal) => {
  const request = await requestFor(url)
  return await new Promise((resolve, reject) => {
    const options = {
      agent: false,
      headers: { 'user-agent': 'mathesar', accept: 'application/json' },
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    }
    const sent = request(url, options, (response) => {
      const chunks: Buffer[] = []
      let left = limitBytes
      const refuse = (why: string): void => {
        reject(new Error(why))
        sent.destroy()
      }
      if (response.statusCode !== 200) refuse(`it answers ${response.statusCode}`)
      response
        .on('error', reject)
        .on('data', (chunk: Buffer) => {
          chunks.push(chunk)
          if ((left -= chunk.length) < 0) refuse(`it is larger than ${limitBytes} bytes`)
        })
        .on('end', () => resolve(Buffer.concat(chunks).toString()))
    })
    sent.on('error', reject)
    sent.end()
  })
}

/** One request to anywhere. Follows no redirect. */
export const httpSend: System['httpSend'] = async ({ method, url, headers, body }, timeoutMs, signal) => {
  const request = await requestFor(url)
  return await new Promise((resolve, reject) => {
    const limits = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    const length = method === 'POST' ? { 'content-length': String(Buffer.byteLength(body)) } : {}
    const options = {
      method,
      agent: false,
      headers: { 'user-agent': 'mathesar', ...headers, ...length },
      signal: limits,
    }
    const sent = request(url, options, (response) => {
      resolve(response.statusCode ?? 0)
      response.on('error', () => {}).destroy()
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

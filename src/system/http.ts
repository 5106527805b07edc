import type { System } from './ports.ts'

/** A page is smaller; one that is larger is cut off. */
const bodyLimitBytes = 1024 * 1024

/** Else Node asks whether the host is an address, and compiles a pattern of 160 kB for it. */
const withoutServername = { servername: '' }

/** One GET. Rejects when there is no answer within `timeoutMs`. */
export const httpGet: System['httpGet'] = async (target, { path, hostHeader, timeoutMs }, signal) => {
  const { request } = await import('node:http')
  return await new Promise((resolve, reject) => {
    const sent = request(
      {
        ...target,
        path,
        method: 'GET',
        agent: false,
        ...withoutServername,
        headers: { host: hostHeader, connection: 'close', 'user-agent': 'supervisor' },
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      },
      (response) => {
        let left = bodyLimitBytes
        response
          .on('error', () => {})
          .on('data', (chunk: Buffer) => {
            if ((left -= chunk.length) < 0) sent.destroy()
          })
        resolve({ status: response.statusCode ?? 0, location: response.headers.location })
      },
    )
    sent.once('error', reject)
    sent.end()
  })
}

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

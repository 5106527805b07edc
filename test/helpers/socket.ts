import { type IncomingHttpHeaders, request } from 'node:http'

export type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string }

/** One request on a unix socket. A body that is no text is sent as JSON. */
export const askSocket = (
  socketPath: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, headers, agent: false, timeout: 30_000 }, (response) => {
      let text = ''
      response
        .setEncoding('utf8')
        .on('data', (more: string) => {
          text += more
        })
        .once('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }))
        .once('error', reject)
    })
    sent
      .once('timeout', () => sent.destroy(new Error(`no answer to ${method} ${path}`)))
      .once('error', reject)
    sent.end(typeof body === 'string' ? body : JSON.stringify(body))
  })

export type Answer = { readonly status: number; readonly location: string | undefined }

/** A page is smaller. What sends more is cut off. */
const bodyLimitBytes = 1024 * 1024

/** One GET, with an end. Rejects when there is no answer within `timeoutMs`. */
export const httpGet = async (
  target: { readonly host: string; readonly port: number },
  path: string,
  hostHeader: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Answer> => {
  const { request } = await import('node:http')
  return await new Promise((resolve, reject) => {
    const sent = request(
      {
        ...target,
        path,
        method: 'GET',
        agent: false,
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

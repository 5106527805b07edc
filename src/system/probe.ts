export type Answer = { readonly status: number; readonly location: string | undefined }

/** One GET, with an end. Rejects when there is no answer within `timeoutMs`. */
export const httpGet = async (target: { readonly host: string; readonly port: number }, path: string, hostHeader: string, timeoutMs: number, signal: AbortSignal): Promise<Answer> => {
  const { request } = await import('node:http')
  return await new Promise((resolve, reject) => {
    const sent = request({ ...target, path, method: 'GET', agent: false, headers: { host: hostHeader, connection: 'close', 'user-agent': 'supervisor' }, signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) }, (response) => {
      response.resume()
      resolve({ status: response.statusCode ?? 0, location: response.headers.location })
    })
    sent.once('error', reject)
    sent.end()
  })
}

import type { Exchange } from '../exchange.ts'

/**
 * Whether a form was sent by a page of this very address. Browsers say so, in headers that no page can write:
 * Sec-Fetch-Site where there is TLS, or on this machine itself, and Origin with every POST.
 */
export const isSameOrigin = ({ headers }: Pick<Exchange['request'], 'headers'>): boolean => {
  const { origin, host, 'sec-fetch-site': site } = headers
  if (site !== undefined) return site === 'same-origin'
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === host?.toLowerCase()
}

import { headerLines } from './headers.ts'

export const proxyTo = (
  upstream: 'mathesar' | 'supervisor',
  timeoutSeconds: number,
  path = '',
): readonly string[] => [
  `    proxy_pass http://${upstream}${path};`,
  `    proxy_read_timeout ${timeoutSeconds}s;`,
  `    proxy_send_timeout ${timeoutSeconds}s;`,
]

export const location = (match: string, lines: readonly string[]): readonly string[] => [
  `  location ${match} {`,
  ...lines,
  '  }',
]

/** The body stays here. */
export const withoutBody = [
  ...headerLines.map((line) => `    ${line}`),
  '    proxy_set_header Content-Length "";',
  '    proxy_pass_request_body off;',
]

/** nginx leaves out a header without a value. A location with headers of its own inherits none. */
export const ending = '  add_header Connection $ending always;'

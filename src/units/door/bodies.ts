import { maySendPath } from '../place.ts'
import { ending, location, proxyTo, withoutBody } from './lines.ts'

/**
 * nginx takes a body in whole, into the volume, before Mathesar sees the request. So it first asks Mathesar
 * who sends one that may be large. Small is what has a short length, or no body. Over HTTP/2 a body needs no
 * length: there GET and HEAD are taken to have none, and more than 64 kB of one is refused.
 */
export const bodyMaps = [
  'map "$request_method $server_protocol $content_length:$http_transfer_encoding" $is_large {',
  '  default 1;',
  '  "~ \\d{1,5}:$" 0;',
  '  "~ HTTP/1\\.[01] :$" 0;',
  '  "~^(GET|HEAD) \\S+ :$" 0;',
  '}',
  'map $request_uri $query { "~(\\?.*)" $1; }',
  'limit_conn_zone $server_name zone=strangers:1m;',
  'limit_conn_zone $binary_remote_addr zone=strangers_of_address:1m;',
]

/** How many bodies of strangers are taken in at a time. */
export const strangerLimits = [
  '    limit_conn strangers 200;',
  '    limit_conn strangers_of_address 20;',
  '    limit_conn_status 429;',
]

/** For a location that another one leads to: nginx compares no length with its limit. */
export const refuseLarge = '    if ($is_large) { return 413; }'

/** Django takes 2.5 MiB of anybody, files apart. */
const strangerMegabytes = 3

/** What a client gets that asked in vain, and not for a page. */
export const notServing = {
  code: 'NOT_SERVING',
  message: 'cannot answer: Mathesar does not serve yet; this request was not carried out',
  hint: 'Ask again in a moment.',
}

const tooLarge =
  `Mathesar takes more than ${strangerMegabytes} MB from people who are logged in, ` +
  'and in a shared form that takes files. Log in, and send it again.'

/** Where a request for Mathesar goes, by what it may bring. `toMathesar` is the rest of a location. */
export const bodyLines = (
  requirePermitted: readonly string[],
  toMathesar: readonly string[],
  timeoutSeconds: number,
): readonly string[] => [
  ...location('/', [
    ...requirePermitted,
    '    client_max_body_size 0;', // The next ones say.
    '    if ($is_large) { return 419; }',
    '    error_page 419 = @large;',
    '    error_page 420 = @mathesar;',
    '    return 420;',
  ]),
  ...location('@mathesar', toMathesar),
  ...location('@large', [
    `    auth_request ${maySendPath};`,
    '    auth_request_set $may_send $status;',
    '    client_max_body_size 0;', // Mathesar decides.
    ...toMathesar,
    '    error_page 401 = @stranger;',
    '    error_page 500 = @unanswered;',
  ]),
  // As Mathesar answers a GET of the address that takes files: 401 by its guard, which looks at the session
  // and at the query alone, and 405 behind it.
  ...location(`= ${maySendPath}`, [
    '    internal;',
    '    client_max_body_size 0;', // It has the length of the one that it is asked for.
    ...withoutBody,
    '    proxy_intercept_errors on;',
    ...proxyTo('mathesar', timeoutSeconds, '/files/$query'),
    '    error_page 404 405 = @may;',
    '    error_page 302 400 401 403 500 = @may-not;',
    '    error_page 502 504 = @supervisor;', // It hands the question back.
  ]),
  ...location('@may', ['    return 204;']),
  ...location('@may-not', ['    return 401;']),
  ...location('@stranger', [
    ...strangerLimits,
    `    client_max_body_size ${strangerMegabytes}m;`, // Of a chunked one: no length is compared here.
    `    if ($content_length ~ "^([${strangerMegabytes}-9]\\d{6}|\\d{8,})$") { return 413; }`,
    ...toMathesar,
    '    error_page 413 = @too-large;',
  ]),
  ...location('@too-large', ['    default_type text/plain;', `    return 403 "${tooLarge}\\n";`]),
  ...location('@unanswered', [
    '    if ($may_send = 204) { return 500; }', // It is nginx that failed: the volume is full, say.
    '    default_type application/json;',
    ending,
    '    add_header Retry-After 2 always;',
    '    add_header Cache-Control no-store always;',
    `    return 503 '${JSON.stringify(notServing)}';`,
  ]),
]

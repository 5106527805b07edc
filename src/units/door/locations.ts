import type { Settings } from '../../settings/typed.ts'
import { bodyLines, refuseLarge, strangerLimits } from './bodies.ts'
import { ending, location, proxyTo, withoutBody } from './lines.ts'
import { networksOf } from './networks.ts'
import { tlsLines } from './tls.ts'
import {
  awayPath,
  consolePath,
  databaseAwayPath,
  databaseHandover,
  doorPath,
  inDoor,
  type Paths,
  type Place,
  probePaths,
  setupHandover,
  setupPath,
} from '../place.ts'
import type { Certificate, Listener } from '../results.ts'

/** What the configuration is made of. */
export type Facts = {
  readonly place: Pick<Place, 'paths' | 'machine'>
  readonly settings: Pick<
    Settings,
    | 'TRUSTED_PROXIES'
    | 'GUNICORN_TIMEOUT'
    | 'ALLOWED_HOSTS'
    | 'PUBLIC_URL'
    | 'CSRF_TRUSTED_ORIGINS'
    | 'ADMIN_SETUP'
    | 'ACCESS_LOG'
    | 'METRICS'
  >
  readonly listener: Pick<Listener, 'address' | 'port'>
  readonly certificate: Certificate | undefined
  /** A folder that nginx may write. */
  readonly buffer: string
}

const listenOf = ({ address, port }: Pick<Listener, 'address' | 'port'>): string =>
  address.includes(':') ? `[${address}]:${port} ipv6only=off` : `${address}:${port}`

/** By the address that a proxy in front which is believed says, as far as there is one. */
const metricsLines = (networks: readonly string[]): readonly string[] =>
  networks.length === 0
    ? []
    : location('= /metrics', [
        '    access_log off;',
        ...networks.map((network) => `    allow ${network};`),
        '    deny all;',
        ...proxyTo('supervisor', 10),
      ])

const requirePermitted = ['    if ($is_permitted = 0) { return 418; }', '    error_page 418 = @refused;']

/**
 * Where Mathesar offers to create its first administrator, to whoever asks. The supervisor is asked first:
 * it answers with its own page, or hands the request on (X-Accel-Redirect). Forms go to Mathesar one at a
 * time, to their end: two at once would each find no administrator, and create one.
 */
const setupLines = (toMathesar: readonly string[]): readonly string[] => [
  ...[setupPath, setupPath.slice(0, -1)].flatMap((path) =>
    location(`= ${path}`, [
      ...requirePermitted,
      `    rewrite ^ ${setupPath} break;`, // However it was written: all that follow see the same.
      ...proxyTo('supervisor', 10),
      '    error_page 502 504 =503 /starting.html;',
    ]),
  ),
  ...location(setupHandover, [
    '    limit_conn setup 1;',
    '    limit_conn_status 429;',
    '    proxy_ignore_client_abort on;',
    ...toMathesar,
    '    error_page 502 504 = @away;',
    '    error_page 429 = @again;',
  ]),
  ...location('@away', [`    rewrite ^ ${awayPath} break;`, ...proxyTo('supervisor', 10)]),
  ...location('@again', [`    return 303 ${setupPath};`]),
]

/** To the supervisor, without what may be long and tells it nothing. */
const away = [
  '    proxy_set_header Cookie "";',
  '    proxy_set_header Referer "";',
  ...withoutBody,
  ...proxyTo('supervisor', 60),
  '    error_page 502 504 =503 /starting.html;',
]

/**
 * Where Mathesar does not serve: if it sleeps, the supervisor wakes it and hands the request back. And where
 * its database is away.
 */
const awayLines = [
  ...location('@supervisor', away),
  ...location(databaseHandover, [`    rewrite ^ ${databaseAwayPath} break;`, ...away]),
]

/** Where the supervisor does not answer either. */
const startingLines = (share: string): readonly string[] =>
  location('= /starting.html', [
    '    internal;',
    '    client_max_body_size 0;', // It takes none in, whatever it answers.
    `    root ${share};`,
    ending,
    '    add_header Retry-After 1 always;',
    '    add_header Cache-Control no-store always;',
  ])

/** Mathesar's files for browsers, compressed when the image was built. */
const staticLines = ({ app, brotliModule }: Paths): readonly string[] =>
  location('^~ /static/', [
    `    root ${app};`,
    '    try_files $uri =404;',
    ...(brotliModule === undefined ? [] : ['    brotli_static on;']),
    '    gzip_static on;',
    ending,
    '    add_header Cache-Control $static_cache;',
    '    add_header X-Content-Type-Options nosniff;',
    '    add_header Vary Accept-Encoding;',
  ])

/** Where the supervisor answers as long as the browser listens. */
const streamPaths = ['/supervisor/events', `${consolePath}/events`, `${consolePath}/log/events`]
const toSupervisor = ['    proxy_buffering off;', ...proxyTo('supervisor', 3600)]

/** Health answers by any name. */
const healthLines = [
  ...probePaths.flatMap((path) =>
    location(`= ${path}`, ['    access_log off;', ...proxyTo('supervisor', 10)]),
  ),
  ...location(`= ${doorPath}`, ['    access_log off;', '    return 204;']),
]

/** The server of nginx: who answers what. */
export const serverLines = ({
  place: { paths },
  settings,
  listener,
  certificate,
}: Facts): readonly string[] => {
  const timeoutSeconds = settings.GUNICORN_TIMEOUT + 60
  const toMathesar = proxyTo('mathesar', timeoutSeconds)
  const mathesar = [
    ...toMathesar,
    '    error_page 502 504 = @supervisor;', // Its socket is not there, or it ended while it answered.
  ]
  return [
    'server {',
    `  listen ${listenOf(listener)}${certificate === undefined ? '' : ' ssl'};`,
    '  server_name _;',
    // Whoever sends the next request on a connection that is just being closed would lose it.
    '  set $ending "";',
    `  if (-f ${inDoor(paths).draining}) { set $ending close; }`,
    ending,
    ...(certificate === undefined ? [] : [...tlsLines(certificate), '  error_page 497 = @plain;']),
    ...bodyLines(requirePermitted, mathesar, timeoutSeconds),
    ...(settings.ADMIN_SETUP === 'open' ? [] : setupLines(toMathesar)),
    ...staticLines(paths),
    ...healthLines,
    ...metricsLines(networksOf(settings.METRICS)),
    // What comes in plain where there is TLS. Health and the authority are to be had both ways.
    ...location('@plain', [
      '    if ($is_plain = 0) { return 307 https://$http_host$request_uri; }',
      refuseLarge,
      ...proxyTo('supervisor', 10),
    ]),
    ...awayLines,
    ...location('@refused', [
      refuseLarge,
      '    rewrite ^ /supervisor/refused break;',
      ...proxyTo('supervisor', 10),
    ]),
    ...streamPaths.flatMap((path) =>
      location(`= ${path}`, [
        // Each takes a connection for minutes: some are left for health and the setup code.
        '    limit_conn streams 400;',
        '    limit_conn streams_of_address 20;',
        '    proxy_buffering off;',
        ...proxyTo('supervisor', 3600),
      ]),
    ),
    // Parts of an archive.
    ...location('= /supervisor/restore/part', [
      ...strangerLimits,
      '    client_max_body_size 512k;',
      ...proxyTo('supervisor', 600),
    ]),
    ...location(`^~ ${consolePath}`, [...requirePermitted, ...toSupervisor]),
    ...location('^~ /supervisor/', toSupervisor),
    ...startingLines(paths.share),
    '}',
  ]
}

import { hostMapLines, permittedHosts } from '../../settings/hosts.ts'
import type { Settings } from '../../settings/typed.ts'
import { awayPath, type Paths, type Place, inDoor, inRun, setupHandover, setupPath } from '../place.ts'
import type { Listener } from '../results.ts'
import { defineTask, type Scope } from '../unit.ts'

export const configFile = (paths: Pick<Paths, 'run'>): string => `${inRun(paths).etc}/nginx.conf`

/** The networks of RFC 1918, RFC 4193 and RFC 6598, and the loopback: nobody on the internet has them. */
const privateNetworks = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '::1/128',
  'fc00::/7',
]

const networksOf = (items: readonly string[]): readonly string[] =>
  items.flatMap((item) => {
    if (item === 'none') return []
    return item === 'private' ? privateNetworks : [item]
  })

type Facts = {
  readonly place: Pick<Place, 'paths' | 'machine'>
  readonly settings: Pick<
    Settings,
    | 'TRUSTED_PROXIES'
    | 'GUNICORN_TIMEOUT'
    | 'ALLOWED_HOSTS'
    | 'PUBLIC_URL'
    | 'CSRF_TRUSTED_ORIGINS'
    | 'ADMIN_SETUP'
  >
  readonly listener: Pick<Listener, 'address' | 'port'>
  /** A folder that nginx may write. */
  readonly buffer: string
}

/** Who may say from where a request came, and by which scheme. */
const proxyLines = (networks: readonly string[]): readonly string[] => [
  ...networks.map((network) => `set_real_ip_from ${network};`),
  'real_ip_header X-Forwarded-For;',
  'real_ip_recursive on;',
  `geo $realip_remote_addr $is_proxy { default 0; ${networks.map((network) => `${network} 1; `).join('')}}`,
  'map $is_proxy$http_x_forwarded_proto $forwarded_proto {',
  '  default $scheme;',
  '  ~*^1https\\b https;',
  '  ~*^1http\\b http;',
  '}',
]

const temporaryFolders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'] as const

/**
 * What Mathesar learns of a request. gunicorn believes whoever reaches it by a unix socket, so the door sets
 * or drops every header that it believes.
 */
const headerLines = [
  'proxy_set_header Host $http_host;',
  'proxy_set_header X-Real-IP $remote_addr;',
  'proxy_set_header X-Forwarded-For $remote_addr;',
  'proxy_set_header X-Forwarded-Proto $forwarded_proto;',
  'proxy_set_header X-Forwarded-Protocol "";',
  'proxy_set_header X-Forwarded-Ssl "";',
  'proxy_set_header X-Forwarded-Host "";',
  'proxy_set_header X-Forwarded-Port "";',
  'proxy_set_header Forwarded "";',
  'proxy_set_header Proxy "";',
]

const listenOf = ({ address, port }: Pick<Listener, 'address' | 'port'>): string =>
  address.includes(':') ? `[${address}]:${port} ipv6only=off` : `${address}:${port}`

const proxyTo = (upstream: 'mathesar' | 'supervisor', timeoutSeconds: number): readonly string[] => [
  `    proxy_pass http://${upstream};`,
  `    proxy_read_timeout ${timeoutSeconds}s;`,
  `    proxy_send_timeout ${timeoutSeconds}s;`,
]

const location = (match: string, lines: readonly string[]): readonly string[] => [
  `  location ${match} {`,
  ...lines,
  '  }',
]

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
      '    client_max_body_size 64k;',
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

const serverLines = ({ place: { paths }, settings, listener }: Facts): readonly string[] => {
  const toMathesar = proxyTo('mathesar', settings.GUNICORN_TIMEOUT + 60)
  const mathesar = [
    ...toMathesar,
    '    error_page 502 504 = @supervisor;', // Its socket is not there, or it ended while it answered.
  ]
  return [
    'server {',
    `  listen ${listenOf(listener)};`,
    '  server_name _;',
    ...location('/', [...requirePermitted, ...mathesar]),
    ...(settings.ADMIN_SETUP === 'open' ? [] : setupLines(toMathesar)),
    ...location('@mathesar', mathesar),
    ...location('^~ /static/', [
      `    root ${paths.app};`,
      '    try_files $uri @mathesar;',
      '    gzip_static on;',
      '    add_header Cache-Control $static_cache;',
      '    add_header X-Content-Type-Options nosniff;',
      '    add_header Vary Accept-Encoding;',
    ]),
    // Health and the page answer by any name.
    ...['/livez', '/readyz', '/startupz'].flatMap((path) => location(`= ${path}`, proxyTo('supervisor', 10))),
    ...location('@supervisor', [...proxyTo('supervisor', 10), '    error_page 502 504 =503 /starting.html;']),
    ...location('@refused', ['    rewrite ^ /supervisor/refused break;', ...proxyTo('supervisor', 10)]),
    ...location('^~ /supervisor/', [
      '    limit_conn supervisor 200;',
      '    client_max_body_size 64k;',
      '    proxy_buffering off;',
      ...proxyTo('supervisor', 3600),
    ]),
    ...location('= /starting.html', [
      '    internal;',
      `    root ${paths.share};`,
      '    add_header Retry-After 1 always;',
      '    add_header Cache-Control no-store always;',
    ]),
    '}',
  ]
}

/** The configuration of nginx. Pure: what is in it decides what the door does. */
export const renderConfig = (facts: Facts): string => {
  const { place, settings, buffer } = facts
  const { serving, page } = inDoor(place.paths)
  return [
    'daemon off;',
    `pid ${buffer}/nginx.pid;`,
    `worker_processes ${Math.max(1, Math.min(2, Math.floor(place.machine.cpus)))};`,
    `worker_shutdown_timeout ${settings.GUNICORN_TIMEOUT}s;`,
    'error_log stderr warn;',
    'events { worker_connections 4096; }',
    'http {',
    // Whoever sends requests decides how many of these there are: Mathesar's own log tells the rest.
    'error_log stderr alert;',
    'access_log off;',
    'server_tokens off;',
    'recursive_error_pages on;', // From Mathesar to the supervisor, and from there to a file.
    'include /etc/nginx/mime.types;',
    'default_type application/octet-stream;',
    'sendfile on;',
    'tcp_nopush on;',
    'open_file_cache max=1000 inactive=1h;',
    'open_file_cache_valid 1h;', // The image does not change.
    'client_header_timeout 20s;',
    'client_body_timeout 60s;',
    'send_timeout 60s;',
    'keepalive_timeout 65s;',
    'reset_timedout_connection on;',
    'client_max_body_size 0;', // Mathesar decides.
    ...temporaryFolders.map((name) => `${name}_temp_path ${buffer}/${name};`),
    'proxy_max_temp_file_size 256m;',
    'proxy_buffer_size 16k;',
    'proxy_buffers 16 16k;',
    'proxy_http_version 1.1;',
    'limit_conn_zone $server_name zone=supervisor:1m;',
    'map $request_method $setup_form { default 1; GET ""; HEAD ""; }',
    'limit_conn_zone $setup_form zone=setup:1m;',
    ...proxyLines(networksOf(settings.TRUSTED_PROXIES)),
    'map $host $is_permitted {',
    ...hostMapLines(permittedHosts(settings)).map((line) => `  ${line}`),
    ...(permittedHosts(settings).includes('*') ? [] : ['  default 0;']),
    '}',
    'map $uri $static_cache {',
    '  default "public, max-age=60";',
    '  "~\\.[0-9a-f]{8,32}\\." "public, max-age=31536000, immutable";',
    '}',
    ...headerLines,
    `upstream mathesar { server unix:${serving} max_fails=0; }`,
    `upstream supervisor { server unix:${page} max_fails=0; }`,
    ...serverLines(facts),
    '}',
    '',
  ].join('\n')
}

const write = ({ system, place, inForce: { settings }, results }: Scope<'listener' | 'volume'>): void => {
  const { listener, volume } = results
  const text = renderConfig({ place, settings, listener, buffer: volume.buffer })
  system.files.writeWhole(configFile(place.paths), text, 0o644)
}

/** The configuration of the door: made for each start from the settings. */
export const doorConfig = defineTask({
  name: 'door-config',
  needs: ['listener', 'volume'],
  description: "writes the web server's configuration",
  skip: (_, { paths }) => (paths.nginx === undefined ? 'there is no nginx here' : undefined),
  run: async (scope) => {
    write(scope)
    return undefined
  },
})

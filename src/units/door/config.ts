import { hostMapLines, permittedHosts } from '../../settings/hosts.ts'
import { accessLines } from './access-log.ts'
import { bodyMaps } from './bodies.ts'
import { type Paths, inDoor, inRun, probePaths } from '../place.ts'
import { defineTask, type Scope } from '../unit.ts'
import { headerLines } from './headers.ts'
import { type Facts, serverLines } from './locations.ts'
import { networksOf } from './networks.ts'

export const configFile = (paths: Pick<Paths, 'run'>): string => `${inRun(paths).etc}/nginx.conf`

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

/** The configuration of nginx. Pure: what is in it decides what the door does. */
export const renderConfig = (facts: Facts): string => {
  const { place, settings, buffer } = facts
  const { serving, page } = inDoor(place.paths)
  const { brotliModule } = place.paths
  return [
    ...(brotliModule === undefined ? [] : [`load_module ${brotliModule};`]),
    'daemon off;',
    `pid ${buffer}/nginx.pid;`,
    `worker_processes ${Math.max(1, Math.min(2, Math.floor(place.machine.cpus)))};`,
    // Each body that lies in the volume is one, however many requests there are on a connection of HTTP/2.
    'worker_rlimit_nofile 8192;',
    `worker_shutdown_timeout ${settings.GUNICORN_TIMEOUT}s;`,
    'error_log stderr warn;',
    'events { worker_connections 4096; }',
    'http {',
    // Whoever sends requests decides how many of these there are: Mathesar's own log tells the rest.
    'error_log stderr alert;',
    // A bucket holds the longest name there is, 253 letters, where nginx makes it as long as a line of the
    // processor's cache: 64 bytes refuse a host of 47 letters, and 32 a path of 15.
    'map_hash_bucket_size 512;',
    ...accessLines(settings),
    'server_tokens off;',
    'absolute_redirect off;', // The port that people know may be another one, and https end in front.
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
    'client_max_body_size 64k;', // What may be more, `bodies.ts` says.
    ...temporaryFolders.map((name) => `${name}_temp_path ${buffer}/${name};`),
    'proxy_max_temp_file_size 256m;',
    'proxy_buffer_size 16k;',
    'proxy_buffers 16 16k;',
    'proxy_http_version 1.1;',
    'limit_conn_zone $server_name zone=streams:1m;',
    'limit_conn_zone $binary_remote_addr zone=streams_of_address:1m;',
    'map $request_method $setup_form { default 1; GET ""; HEAD ""; }',
    'limit_conn_zone $setup_form zone=setup:1m;',
    ...bodyMaps,
    ...proxyLines(networksOf(settings.TRUSTED_PROXIES)),
    'map $host $is_permitted {',
    ...hostMapLines(permittedHosts(settings)).map((line) => `  ${line}`),
    ...(permittedHosts(settings).includes('*') ? [] : ['  default 0;']),
    '}',
    'map $uri $is_plain {',
    ...[...probePaths, '/supervisor/ca.crt'].map((path) => `  ${path} 1;`),
    '  default 0;',
    '}',
    // Django sets them without: it may be reached both ways, and only the door knows by which a request came.
    'map $forwarded_proto $cookie_flag { https secure; default ""; }',
    'proxy_cookie_flags ~. $cookie_flag;',
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

const write = ({
  system,
  place,
  inForce: { settings },
  results,
}: Scope<'listener' | 'volume' | 'certificate'>): void => {
  const { listener, volume, certificate } = results
  const text = renderConfig({ place, settings, listener, certificate, buffer: volume.buffer })
  system.files.writeWhole(configFile(place.paths), text, 0o644)
}

/** The configuration of the door: made for each start from the settings. */
export const doorConfig = defineTask({
  name: 'door-config',
  needs: ['listener', 'volume', 'certificate'],
  description: "writes the web server's configuration",
  skip: (_, { paths }) => (paths.nginx === undefined ? 'there is no nginx here' : undefined),
  run: async (scope) => {
    write(scope)
    return undefined
  },
})

import { existsSync } from 'node:fs'
import type { Paths } from '../units/place.ts'

const folderOf = (program: string, folders: readonly string[]): string | undefined =>
  folders.find((folder) => folder !== '' && existsSync(`${folder}/${program}`))

/** Where things are: the image's places, or those that SUPERVISOR_… variables name outside an image. */
export const readPaths = (env: Readonly<Record<string, string | undefined>>): Paths => {
  const path = (env.PATH ?? '').split(':')
  return {
    data: env.SUPERVISOR_DATA ?? '/var/lib/mathesar',
    run: env.SUPERVISOR_RUN ?? '/run/mathesar',
    app: env.SUPERVISOR_APP ?? '/code',
    share: env.SUPERVISOR_SHARE ?? '/usr/local/share/supervisor',
    gunicornConfig: env.SUPERVISOR_GUNICORN_CONFIG ?? '/etc/mathesar/gunicorn.conf.py',
    postgresBin: env.SUPERVISOR_POSTGRES_BIN ?? folderOf('postgres', ['/usr/lib/postgresql/17/bin', ...path]),
    nginx: env.SUPERVISOR_NGINX ?? ['/usr/sbin/nginx'].find(existsSync),
    // One of Debian, which fits no other nginx.
    brotliModule:
      env.SUPERVISOR_NGINX === undefined
        ? ['/usr/lib/nginx/modules/ngx_http_brotli_static_module.so'].find(existsSync)
        : undefined,
    pythonBin: env.SUPERVISOR_PYTHON_BIN ?? '/usr/local/bin',
  }
}

/** What starts Node in the image, and that Node. */
export const shim = '/usr/local/bin/supervisor'
export const imageNode = '/usr/local/lib/supervisor/node'

import { type Box, start } from './docker.ts'

/** The folder of another version of Postgres than that of the image: with its bin, lib and share. */
const target = process.env.TEST_TARGET_POSTGRES ?? ''
export const isOtherVersion = target !== ''

/**
 * A Postgres for external databases, of the superuser `owner`; of the image's own version, if `folder` is
 * empty. Whether it answers each test asks itself.
 */
export const startDatabaseServer = (port: number, password: string, folder = target): Promise<Box> =>
  start({
    env: { PGPASS_TEXT: password },
    run: [
      ...(folder === '' ? [] : ['-v', `${folder}:/target:ro`]),
      '--user',
      'postgres',
      '--tmpfs',
      '/tmp',
      '--entrypoint',
      'sh',
    ],
    args: [
      '-euc',
      `export PATH=/target/bin:$PATH; umask 077; printf %s "$PGPASS_TEXT" > /tmp/password
      initdb -D /tmp/data -U owner -A scram-sha-256 --pwfile=/tmp/password --no-sync > /tmp/log
      exec postgres -D /tmp/data -p ${port} -c listen_addresses=127.0.0.1 \\
        -c unix_socket_directories=/tmp -c fsync=off`,
    ],
  })

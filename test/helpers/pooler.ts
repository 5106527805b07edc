import { mkdtemp, rm, writeFile, chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { freePort } from './port.ts'
import { until } from './docker.ts'

/** Why no pooler can run here, if none can. */
export const noPooler = await execa('pgbouncer', ['--version'], { reject: false }).then(({ exitCode }) =>
  exitCode === 0 ? undefined : 'there is no pgbouncer',
)

type Server = { readonly port: number; readonly user: string; readonly password: string }

type Pooling = {
  /** How long a connection of the server is lent: the strictest of what hosts do when not given. */
  readonly mode?: 'transaction' | 'session'
  readonly size?: number
  /** Lets each role of the server in, by its password there; `user` is a superuser. */
  readonly asksServer?: boolean
}

/** A real PgBouncer on the loopback. */
export const startPooler = async (
  { port: serverPort, user, password }: Server,
  { mode = 'transaction', size = 4, asksServer = false }: Pooling = {},
) => {
  const folder = await mkdtemp(join(tmpdir(), 'pooler-'))
  await chmod(folder, 0o755)
  const port = await freePort()
  await writeFile(join(folder, 'users'), `"${user}" "${password}"\n`)
  await writeFile(
    join(folder, 'pgbouncer.ini'),
    [
      '[databases]',
      `* = host=127.0.0.1 port=${serverPort}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      `auth_file = ${folder}/users`,
      `pool_mode = ${mode}`,
      `default_pool_size = ${size}`,
      ...(mode === 'session' ? [] : ['server_reset_query =']),
      ...(asksServer
        ? [
            'auth_type = scram-sha-256',
            `auth_user = ${user}`,
            'auth_query = SELECT usename, passwd FROM pg_shadow WHERE usename = $1',
          ]
        : ['auth_type = plain']),
      '',
    ].join('\n'),
  )
  const user1 = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const pooler = execa('pgbouncer', [...user1, join(folder, 'pgbouncer.ini')], { reject: false, all: true })
  let log = ''
  pooler.all?.on('data', (chunk: Buffer) => (log += chunk.toString()))
  await until('the pooler listens', () => log.includes('listening on 127.0.0.1'), 10_000)
  return {
    port,
    stop: async (): Promise<void> => {
      pooler.kill('SIGTERM')
      await pooler
      await rm(folder, { recursive: true })
    },
  }
}

import { execFileSync, spawn } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { postgresBin, until } from './daemon.ts'
import { freePort } from './port.ts'

/** Root may not run Postgres. */
const nobody = process.getuid!() === 0 ? { uid: 65_534, gid: 65_534 } : {}

type Tls = {
  readonly key: string
  readonly certificate: string
  /** The connections that it takes: with TLS alone, or without it alone. */ readonly only:
    | 'hostssl'
    | 'hostnossl'
}
/** Where it listens, on the loopback when not given; and where its programs are. */
type Where = { readonly address?: string; readonly port?: number; readonly bin?: string }

const giveTls = (data: string, { key, certificate, only }: Tls): void => {
  for (const [name, text] of [
    ['server.key', key],
    ['server.crt', certificate],
  ] as const) {
    writeFileSync(join(data, name), text, { mode: 0o600 })
    if (nobody.uid !== undefined) chownSync(join(data, name), nobody.uid, nobody.gid)
  }
  writeFileSync(join(data, 'pg_hba.conf'), `${only} all all 127.0.0.1/32 scram-sha-256\n`)
}

/**
 * A Postgres of its own on the loopback, as an existing one that somebody has: one superuser, and a password
 * for every connection.
 */
export const startPostgres = async (user: string, password: string, tls?: Tls, where?: Where) => {
  const { address = '127.0.0.1', bin = postgresBin } = where ?? {}
  const folder = mkdtempSync('/tmp/pg-')
  if (nobody.uid !== undefined) chownSync(folder, nobody.uid, nobody.gid)
  writeFileSync(join(folder, 'password'), password, { mode: 0o644 })
  const data = join(folder, 'data')
  const env = { PATH: process.env.PATH!, LC_ALL: 'C.UTF-8' }
  execFileSync(
    `${bin}/initdb`,
    ['-D', data, '-U', user, '-A', 'scram-sha-256', `--pwfile=${folder}/password`, '--no-sync'],
    { ...nobody, env, cwd: folder, stdio: 'ignore' },
  )
  if (tls) giveTls(data, tls)
  const port = where?.port ?? (await freePort())
  const server = spawn(
    `${bin}/postgres`,
    [
      '-D',
      data,
      '-p',
      String(port),
      '-c',
      `listen_addresses=${address}`,
      '-c',
      `unix_socket_directories=${folder}`,
      '-c',
      'fsync=off',
      '-c',
      `ssl=${tls ? 'on' : 'off'}`,
    ],
    { ...nobody, env, cwd: folder, stdio: 'ignore' },
  )
  const ended = new Promise((resolve) => server.once('exit', resolve))
  const query = async (text: string, database = 'postgres'): Promise<Record<string, unknown>[]> => {
    const client = new pg.Client({
      host: address,
      port,
      user,
      password,
      database,
      ssl: tls?.only === 'hostssl' && { rejectUnauthorized: false },
    })
    client.on('error', () => {}) // A query that loses its connection rejects.
    await client.connect()
    try {
      return (await client.query<Record<string, unknown>>(text)).rows
    } finally {
      await client.end()
    }
  }
  await until('the other Postgres to answer', async () => (await query('SELECT 1')).length === 1)
  return {
    port,
    data,
    query,
    stop: async () => {
      server.kill('SIGINT')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

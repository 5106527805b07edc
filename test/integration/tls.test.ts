import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { databaseOf } from '../../src/settings/database.ts'
import { readSettings } from '../../src/settings/values.ts'
import type { Status } from '../../src/core/status.ts'
import { files } from '../../src/system/files.ts'
import { withClient } from '../../src/system/postgres.ts'
import { connectionOf } from '../../src/units/postgres/connection.ts'
import { readPaths } from '../../src/system/paths.ts'
import { hasOpenssl, makeCertificates } from '../helpers/certificates.ts'
import { type Daemon, makeVolume, missing, pythonBin, removeVolume, startDaemon } from '../helpers/daemon.ts'
import { startPostgres } from '../helpers/postgres.ts'

const user = 'owner'
const password = 'pass word'
const isEncrypted = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'

const user0 = { name: 'root', uid: 0, gid: 0 }
const targetOf = (database: ReturnType<typeof databaseOf>): Parameters<typeof connectionOf>[0] => ({
  system: { files },
  place: {
    paths: readPaths({}),
    identities: { supervisor: user0, postgres: undefined, mathesar: undefined, door: undefined },
  },
  inForce: { database },
})

/** The same attempts by the libpq of psycopg, as Mathesar makes them: each "tls", "plain" or "refused". */
const byLibpq = `
import json, os, sys, psycopg
def attempt(conninfo):
    try:
        with psycopg.connect(**conninfo) as connection:
            return 'tls' if connection.execute("${isEncrypted}").fetchone()[0] else 'plain'
    except psycopg.OperationalError:
        return 'refused'
print(json.dumps([attempt(conninfo) for conninfo in json.load(sys.stdin)]))
`

describe.skipIf(missing !== undefined || !hasOpenssl)('TLS to an external database', () => {
  let certificates: ReturnType<typeof makeCertificates>
  let servers: Record<'hostssl' | 'hostnossl' | 'without', Awaited<ReturnType<typeof startPostgres>>>
  const daemons: { readonly daemon: Daemon; readonly volume: string }[] = []
  const boot = async (env: Record<string, string>, volume = makeVolume()): Promise<Daemon> => {
    const daemon = await startDaemon(volume, {
      env: { SECRET_KEY: 'the same for all volumes on these databases', ...env },
    })
    daemons.push({ daemon, volume })
    return daemon
  }
  const settingsOf = (host: string) => ({
    POSTGRES_HOST: host,
    POSTGRES_PORT: String(servers.hostssl.port),
    POSTGRES_DB: 'postgres',
    POSTGRES_USER: user,
    POSTGRES_PASSWORD: password,
  })
  const urlOf = (query: string): string =>
    `postgres://${user}:${encodeURIComponent(password)}@localhost:${servers.hostssl.port}/postgres?${query}`
  beforeAll(async () => {
    certificates = makeCertificates()
    const start = (only: 'hostssl' | 'hostnossl') =>
      startPostgres(user, password, { ...certificates.server, only })
    servers = {
      hostssl: await start('hostssl'),
      hostnossl: await start('hostnossl'),
      without: await startPostgres(user, password),
    }
  })
  afterAll(async () => {
    for (const server of Object.values(servers)) await server.stop()
    certificates.remove()
  })
  afterEach(async () => {
    for (const { daemon, volume } of daemons.splice(0)) {
      await daemon.end()
      removeVolume(volume)
    }
  })

  test('comes about exactly where it does for libpq', async () => {
    const modes = [undefined, 'disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']
    const cases = (Object.keys(servers) as (keyof typeof servers)[]).flatMap((server) =>
      modes.flatMap((sslmode) =>
        ['localhost', '127.0.0.1'].flatMap((host) =>
          [undefined, certificates.ca, certificates.other].map((sslrootcert) => ({
            server,
            sslmode,
            host,
            sslrootcert,
          })),
        ),
      ),
    )
    const attempt = async ({
      server,
      host,
      sslmode,
      sslrootcert,
    }: (typeof cases)[number]): Promise<string> => {
      const environment = {
        ...settingsOf(host),
        POSTGRES_PORT: String(servers[server].port),
        POSTGRES_SSLMODE: sslmode,
        POSTGRES_SSLROOTCERT: sslrootcert,
      }
      const database = databaseOf(readSettings(environment, String))
      const connection = connectionOf(targetOf(database))
      return await withClient(connection, async (client) =>
        (await client.query<{ ssl: boolean }>(isEncrypted)).rows[0]!.ssl ? 'tls' : 'plain',
      )
    }
    const ours: string[] = []
    for (const one of cases) ours.push(await attempt(one).catch(() => 'refused'))
    const conninfo = cases.map(({ server, ...how }) => ({
      port: servers[server].port,
      dbname: 'postgres',
      user,
      password,
      ...how,
    }))
    const theirs = JSON.parse(
      execFileSync(`${pythonBin}/python3`, ['-c', byLibpq], {
        input: JSON.stringify(conninfo),
        encoding: 'utf8',
      }),
    ) as string[]
    const told = (results: readonly string[]): string[] =>
      cases.map(
        ({ server, sslmode, host, sslrootcert }, at) =>
          `${server} ${sslmode} ${host} ${sslrootcert?.replace(/.*\//, '')}: ${results[at]}`,
      )
    expect(told(ours)).toEqual(told(theirs))
    expect(new Set(ours)).toEqual(new Set(['tls', 'plain', 'refused']))
  })

  test('binds the password to it where the URL asks for that, as hosts of databases do', async () => {
    const login = `${user}:${encodeURIComponent(password)}`
    const attempt = async (server: keyof typeof servers): Promise<string> => {
      const url = `postgres://${login}@localhost:${servers[server].port}/postgres?channel_binding=require`
      const database = databaseOf(readSettings({ DATABASE_URL: url }, String))
      return await withClient(connectionOf(targetOf(database)), async () => 'in').catch(() => 'refused')
    }
    const names = ['hostssl', 'hostnossl', 'without'] as const
    const ours = await Promise.all(names.map(attempt))
    const conninfo = names.map((server) => ({
      port: servers[server].port,
      host: 'localhost',
      dbname: 'postgres',
      user,
      password,
      channel_binding: 'require',
    }))
    const theirs = JSON.parse(
      execFileSync(`${pythonBin}/python3`, ['-c', byLibpq], {
        input: JSON.stringify(conninfo),
        encoding: 'utf8',
      }),
    ) as string[]
    expect([ours, theirs]).toEqual([
      ['in', 'refused', 'refused'],
      ['tls', 'refused', 'refused'],
    ])
  })

  test('that fails is told of together with what came of plain, and not where there is none', async () => {
    const told = async (
      server: keyof typeof servers,
      environment: Record<string, string>,
    ): Promise<string> => {
      const database = databaseOf(
        readSettings(
          { ...settingsOf('localhost'), POSTGRES_PORT: String(servers[server].port), ...environment },
          String,
        ),
      )
      return await withClient(connectionOf(targetOf(database)), async () => 'no fault').catch(
        (error: Error) => error.message,
      )
    }
    expect(await told('without', { POSTGRES_PASSWORD: 'wrong' })).toBe(
      'password authentication failed for user "owner"',
    )
    expect(await told('without', { POSTGRES_DB: 'none' })).toBe('database "none" does not exist')
    expect(await told('without', { POSTGRES_SSLMODE: 'require' })).toBe(
      'The server does not support SSL connections',
    )
    expect(await told('hostssl', { POSTGRES_PASSWORD: 'wrong' })).toMatch(
      /^password authentication failed for user "owner"; no pg_hba.conf entry .*, no encryption$/,
    )
    expect(await told('hostssl', { POSTGRES_SSLROOTCERT: certificates.other })).toMatch(
      /certificate.*; no pg_hba.conf entry .*, no encryption$/,
    )
  })

  test('is had by a boot that says nothing of it; each change takes effect or is refused', async () => {
    const volume = makeVolume()
    mkdirSync(join(volume, 'data/config'), { recursive: true })
    writeFileSync(
      join(volume, 'data/config/mathesar.env'),
      Object.entries(settingsOf('localhost'))
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    )
    const daemon = await boot({}, volume)
    await daemon.ready()
    const set = async (settings: Record<string, string>) => {
      const startedAt = Date.now()
      const answer = await daemon.run([
        'config',
        'set',
        ...Object.entries(settings).map((pair) => pair.join('=')),
      ])
      return { ...answer, seconds: Math.floor((Date.now() - startedAt) / 1000) }
    }
    const works = async (settings: Record<string, string>): Promise<void> => {
      expect(await set(settings)).toMatchObject({ code: 0 })
      expect(await daemon.inMathesar('POSTGRES_SSLROOTCERT')).toBe(settings.POSTGRES_SSLROOTCERT ?? null)
      expect(await daemon.run(['psql', '-tAc', isEncrypted])).toEqual({ code: 0, text: 't\n' })
    }
    const isRefused = async (
      settings: Record<string, string>,
      code: number,
      ...words: string[]
    ): Promise<void> => {
      const { seconds, ...answer } = await set(settings)
      expect(answer.code, answer.text).toBe(code)
      for (const word of words) expect(answer.text).toContain(word)
      expect(seconds).toBeLessThan(20)
    }
    const { ca, other, key } = certificates
    await isRefused({ POSTGRES_SSLMODE: 'verify-full' }, 20, 'POSTGRES_SSLROOTCERT is not given')
    await isRefused({ POSTGRES_SSLMODE: 'disable' }, 51, 'no encryption', 'Check POSTGRES_SSLMODE')
    await works({ POSTGRES_SSLMODE: 'require' })
    await works({ POSTGRES_SSLMODE: 'verify-full', POSTGRES_SSLROOTCERT: ca })
    await isRefused({ POSTGRES_SSLROOTCERT: other }, 51, 'certificate', 'Check POSTGRES_SSLMODE')
    await isRefused(
      { POSTGRES_SSLROOTCERT: `${ca}.none` },
      20,
      `cannot use POSTGRES_SSLROOTCERT ${ca}.none: ENOENT`,
      'Mount the certificate',
    )
    await isRefused({ POSTGRES_SSLROOTCERT: key }, 20, key)
    await isRefused({ POSTGRES_HOST: '127.0.0.1' }, 51, "does not match certificate's altnames")
    await isRefused({ POSTGRES_PASSWORD: 'wrong' }, 51, 'password authentication failed', 'Check the user')
    await works({ POSTGRES_HOST: '127.0.0.1', POSTGRES_SSLMODE: 'verify-ca', POSTGRES_SSLROOTCERT: ca })
    expect((await daemon.ask<Status>('GET', '/v1/status')).body).toMatchObject({
      database: 'external',
      ready: true,
      problems: [],
    })
  })

  test('is checked as DATABASE_URL says, for Mathesar too', async () => {
    const daemon = await boot({ DATABASE_URL: urlOf(`sslmode=verify-full&sslrootcert=${certificates.ca}`) })
    await daemon.ready()
    expect(await daemon.inMathesar('POSTGRES_SSLROOTCERT')).toBe(certificates.ca)
    expect(await daemon.run(['psql', '-tAc', isEncrypted])).toEqual({ code: 0, text: 't\n' })
  })

  test.each([
    ['whose certificate another CA signed', 'other', 51, 'certificate'],
    ['without the file of the CA', 'none', 20, 'cannot use POSTGRES_SSLROOTCERT /'],
  ] as const)('%s ends a boot at once, in words', async (_, name, code, words) => {
    const startedAt = Date.now()
    const daemon = await boot({
      DATABASE_URL: urlOf(`sslmode=verify-ca&sslrootcert=${name === 'none' ? '/none' : certificates[name]}`),
    })
    expect((await daemon.exited).code).toBe(code)
    expect(Date.now() - startedAt).toBeLessThan(20_000)
    expect(daemon.output).toMatch(new RegExp(`exit code ${code} .*${words}`))
  })
})

import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from '../../src/settings/database.ts'
import { withClient } from '../../src/system/postgres.ts'
import { connectionOf } from '../../src/units/postgres/connection.ts'
import { whichHost } from '../../src/units/postgres/libpq.ts'
import { isBroken } from '../../src/units/postgres/failures.ts'
import { missing, pythonBin } from '../helpers/daemon.ts'
import { freePort } from '../helpers/port.ts'
import { startPostgres } from '../helpers/postgres.ts'

const user = 'owner'
const password = 'pass word'
const whoAnswers = 'SELECT host(inet_server_addr()) AS address'

/** The same by the libpq of psycopg, as Mathesar connects. */
const byLibpq = `
import os, psycopg
with psycopg.connect(
    host=os.environ['H'], port=os.environ['P'], user='${user}', password='${password}', dbname='postgres'
) as connection:
    print(connection.execute("${whoAnswers}").fetchone()[0])
`

describe.skipIf(missing !== undefined)('a list of hosts', () => {
  let servers: readonly Awaited<ReturnType<typeof startPostgres>>[]
  let port: number
  beforeAll(async () => {
    port = await freePort()
    const start = (address: string) => startPostgres(user, password, undefined, { address, port })
    servers = await Promise.all(['127.0.0.2', '127.0.0.3'].map(start))
  })
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()))
  })

  const databaseAt = (host: string): Database => ({
    kind: 'external',
    host,
    port,
    name: 'postgres',
    user,
    password,
    sslmode: undefined,
    sslrootcert: undefined,
  })
  /** As of a primary that became a replica, or the other way round. */
  const setReadOnly = async (at: number, isReadOnly: boolean): Promise<void> => {
    const value = isReadOnly ? 'on' : 'off'
    await servers[at]!.query(
      `BEGIN READ WRITE; ALTER ROLE ${user} SET default_transaction_read_only = ${value}; COMMIT`,
    )
  }
  const ask = async (host: string): Promise<unknown> => {
    const scope = { inForce: { database: databaseAt(host) } } as Parameters<typeof connectionOf>[0]
    return await withClient(connectionOf(scope), async (client) => {
      const { rows } = await client.query<{ address: string }>(whoAnswers)
      return rows[0]?.address
    })
  }
  const askByLibpq = (host: string): string =>
    execFileSync(`${pythonBin}/python3`, ['-c', byLibpq], {
      encoding: 'utf8',
      env: { ...(whichHost(databaseAt(host)) as Record<string, string>), H: host, P: String(port) },
    }).trim()

  test('is searched for the server that takes writes, by us and by libpq', async () => {
    // Nobody listens on the first.
    const list = '127.0.0.4,127.0.0.2,127.0.0.3'
    for (const primary of [0, 1, 0]) {
      await setReadOnly(primary, false)
      await setReadOnly(1 - primary, true)
      const address = `127.0.0.${2 + primary}`
      expect([await ask(list), askByLibpq(list)]).toEqual([address, address])
    }
  })

  test('of which none takes writes is a failure that may pass, and names each', async () => {
    await setReadOnly(0, true)
    await setReadOnly(1, true)
    const failure: unknown = await ask('127.0.0.4,127.0.0.2,127.0.0.3').catch((error: unknown) => error)
    expect((failure as Error).message).toBe(
      `127.0.0.4: connect ECONNREFUSED 127.0.0.4:${port}; 127.0.0.2: it takes no writes; ` +
        '127.0.0.3: it takes no writes',
    )
    expect(isBroken(failure)).toBe(true)
  })
})

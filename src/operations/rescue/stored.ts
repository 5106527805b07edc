import { createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto'
import type { Client } from '../../system/ports.ts'
import { appRole } from '../../units/postgres/connection.ts'
import type { Roles } from './handover.ts'

/** What Mathesar stores about its servers and roles in its internal database, and how it fits this image. */

/** How Mathesar's own image and its compose file call the server beside it; a path is a socket of it. */
const isBeside = "(host IN ('localhost', '127.0.0.1', '::1', 'mathesar_db', $1) OR starts_with(host, '/'))"

type Stored = {
  /** Servers that stay as they are, such as those elsewhere. */
  readonly otherHosts: readonly string[]
  /** The Mathesar whose SQL is in a connected database, if there is one. */
  readonly version: string | undefined
  /** What the secret key has encrypted, by role. */
  readonly passwords: readonly { readonly name: string; readonly token: string }[]
}

const hasTable = async (client: Client, name: string): Promise<boolean> =>
  (await client.query('SELECT FROM pg_class WHERE oid = to_regclass($1)', [`public.${name}`])).rowCount === 1

const readVersion = async (client: Client): Promise<string | undefined> => {
  if (!(await hasTable(client, 'mathesar_database'))) return undefined
  const { rows } = await client.query<{ version: string }>(
    `SELECT left(last_confirmed_sql_version, 50) AS version FROM public.mathesar_database
      ORDER BY id DESC LIMIT 1`,
  )
  return rows[0]?.version
}

/** One server stands for the cluster: its rows become one with the host string that never changes. */
const moveServer = async (client: Client, socket: string, host: string | undefined): Promise<void> => {
  const { rows } = await client.query<{ id: string }>(
    `SELECT server.id FROM public.mathesar_server AS server
        LEFT JOIN public.mathesar_database AS held ON held.server_id = server.id
      WHERE ${isBeside} GROUP BY server.id ORDER BY count(held.id) DESC, server.id LIMIT 1`,
    [host ?? ''],
  )
  const id = rows[0]?.id
  if (id === undefined) return
  await client.query('UPDATE public.mathesar_server SET host = $1, port = NULL WHERE id = $2', [socket, id])
}

/**
 * Makes what Mathesar has stored fit: the host of its own server, and the names of roles. It runs as
 * Mathesar's role: what somebody put into these tables, such as a trigger, gains nothing.
 */
export const fitStored = async (
  client: Client,
  { superuser, renamed }: Roles,
  socket: string,
  host: string | undefined,
): Promise<Stored> => {
  let otherHosts: readonly string[] = []
  const hasServers = await hasTable(client, 'mathesar_server')
  if (hasServers) {
    await moveServer(client, socket, host)
    const { rows } = await client.query<{ host: string }>(
      'SELECT DISTINCT left(host, 200) AS host FROM public.mathesar_server WHERE host <> $1 LIMIT 20',
      [socket],
    )
    otherHosts = rows.map((row) => row.host)
  }
  const onServer = hasServers
    ? 'AND server_id IN (SELECT id FROM public.mathesar_server WHERE host = $3)'
    : 'AND $3::text <> name'
  for (const [before, after] of Object.entries(renamed))
    await client.query(`UPDATE public.mathesar_configuredrole SET name = $2 WHERE name = $1 ${onServer}`, [
      before,
      after,
      socket,
    ])
  await client.query(
    `UPDATE public.mathesar_configuredrole SET name = $2, password = '' WHERE name = $1 ${onServer}`,
    [superuser, appRole, socket],
  )
  const { rows } = await client.query<{ name: string; token: string }>(
    `SELECT left(name, 200) AS name, left(password, 10000) AS token FROM public.mathesar_configuredrole
      WHERE starts_with(password, 'gAAAA') ORDER BY id LIMIT 1000`,
  )
  return { otherHosts, passwords: rows, version: await readVersion(client) }
}

/** Mathesar's field (django-fernet-encrypted-fields 0.3): Fernet, with a key of PBKDF2 salted by itself. */
const iterations = 100_000
const signatureBytes = 32

/** Which of the stored passwords a secret key does not open: each carries a signature (Fernet). */
export const lockedTo = (secretKey: string, passwords: Stored['passwords']): readonly string[] => {
  if (passwords.length === 0) return []
  const signingKey = pbkdf2Sync(secretKey, secretKey, iterations, 32, 'sha256').subarray(0, 16)
  const isOpen = (token: string): boolean => {
    const bytes = Buffer.from(token, 'base64url')
    if (bytes.length <= signatureBytes) return false
    const made = createHmac('sha256', signingKey).update(bytes.subarray(0, -signatureBytes)).digest()
    return timingSafeEqual(made, bytes.subarray(-signatureBytes))
  }
  return passwords.filter(({ token }) => !isOpen(token)).map(({ name }) => name)
}

import type { ClientConfig, QueryResultRow } from 'pg'
import type { Client, System } from '../../src/system/ports.ts'
import { isTlsFailure } from '../../src/settings/tls.ts'
import type { Container } from './container.ts'
import { ConnectionError } from './database.ts'
import type { Server, Session } from './server.ts'
import type { Actor } from './actor.ts'

const terminated = (): ConnectionError => new ConnectionError(undefined, 'Connection terminated unexpectedly')

type Wait = (usualMs: number) => Promise<void>

const open = async (
  container: Container,
  config: ClientConfig,
  wait: Wait,
): Promise<{ readonly server: Server; readonly session: Session }> => {
  await wait(2)
  const server = container.serverAt(config.host)
  if (server === undefined)
    throw config.host?.startsWith('/')
      ? new ConnectionError('ENOENT', `connect ENOENT ${config.host}`)
      : new ConnectionError('ENOTFOUND', `getaddrinfo ENOTFOUND ${config.host}`)
  const why = server.whyNoConnection(config)
  if (why?.message === 'timeout expired') await wait(2500)
  if (why) throw why
  if (config.ssl) throw new Error('The server does not support SSL connections')
  return { server, session: server.connect() }
}

/** As `system/postgres.ts` does: goes on to the next way when TLS fails or the server refuses this one. */
const openFirst = async (
  container: Container,
  ways: readonly ClientConfig[],
  wait: Wait,
): ReturnType<typeof open> => {
  const failures: Error[] = []
  for (const config of ways) {
    try {
      return await open(container, config, wait)
    } catch (error) {
      failures.push(error as Error)
      if (!isTlsFailure(error) && !(error as { code?: string }).code?.startsWith('28')) break
    }
  }
  const told = failures.filter(
    ({ message }) => failures.length === 1 || !message.includes('does not support SSL'),
  )
  const [first, ...others] = told
  if (first && others.length === 0) throw first
  throw new AggregateError(told, told.map(({ message }) => message).join('; '))
}

/** Connections to the servers of the world. `wait` never resolves for a supervisor that is dead. */
export const createWithClient = (supervisor: Actor, wait: Wait): System['withClient'] => {
  const { container, sessions } = supervisor
  const { faults } = container.world
  const clientOf = ({ server, session }: Awaited<ReturnType<typeof open>>): Client => ({
    query: async <Row extends QueryResultRow>(sql: string, values: readonly unknown[] = []) => {
      await wait(1)
      if (faults.strikes('connection breaks') || !server.isOpen(session)) throw terminated()
      const rows = server.query(session, sql, values)
      await wait(1)
      if (!server.isOpen(session)) throw terminated()
      return { rows: rows as Row[], rowCount: rows.length } // What it asked for is its own to know.
    },
  })
  return async (ways, use) => {
    const opened = await openFirst(container, ways, wait)
    const close = (): void => opened.server.close(opened.session)
    sessions.add(close)
    try {
      return await use(clientOf(opened))
    } finally {
      close()
      sessions.delete(close)
    }
  }
}

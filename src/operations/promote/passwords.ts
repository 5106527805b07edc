import type { Client } from '../../system/ports.ts'
import { readStoredPasswords } from './mathesar.ts'
import { listRoles, readRoles, type Roles } from './roles.ts'
import { inSourceAsApp, type MoveScope } from './source.ts'
import { readConfigured } from './stored.ts'

/**
 * A server that is not ours shows nobody its passwords. Those that Mathesar stores are known all the same,
 * and the others are named, with the command that sets them.
 */

/** The roles that go along with these databases. */
export const readMoving = async (
  scope: MoveScope,
  client: Client,
  databases: readonly string[],
): Promise<Roles> => {
  const { source } = scope
  const isEmbedded = source.database.kind === 'embedded'
  const stored = isEmbedded ? [] : await inSourceAsApp(scope, (app) => readConfigured(app, source))
  return await readRoles(client, await listRoles(client, source, { databases, stored }))
}

/** The same with the passwords that Mathesar stores, and whose they are. */
export const withStored = async (
  scope: MoveScope,
  all: Roles,
): Promise<{ readonly roles: Roles; readonly knownPasswords: readonly string[] }> => {
  if (all.roles.every(({ password }) => password !== undefined)) return { roles: all, knownPasswords: [] }
  const [stored, { scramVerifier }] = await Promise.all([
    readStoredPasswords(scope),
    import('../../units/postgres/scram.ts'),
  ])
  const known = all.roles.filter(({ name, password }) => password === undefined && stored.has(name))
  const roles = all.roles.map((role) =>
    known.includes(role) ? { ...role, password: scramVerifier(stored.get(role.name)!) } : role,
  )
  return { roles: { ...all, roles }, knownPasswords: known.map(({ name }) => name) }
}

import { readFileSync } from 'node:fs'
import { databaseOf, readSettings } from '../core/settings.ts'
import type { Machine } from '../core/sizing.ts'
import { SupervisorError } from '../errors.ts'
import { mayChangeUser, readMachine, userNamed, userNumbered } from '../system/machine.ts'
import type { Context, Identities } from '../units/context.ts'
import { readPaths } from './paths.ts'

const readIdentities = (): Identities => {
  const uid = process.getuid!()
  const supervisor = userNumbered(uid) ?? { name: String(uid), uid, gid: process.getgid!() }
  if (uid !== 0) return { supervisor, postgres: undefined, mathesar: undefined }
  if (!mayChangeUser()) throw new SupervisorError('PRIVILEGES_INSUFFICIENT', 'cannot start as root without the right to become another user: Postgres refuses to run as root')
  const nobody = userNamed('nobody')
  return { supervisor, postgres: userNamed('postgres') ?? nobody, mathesar: userNamed('mathesar') ?? nobody }
}

export type Setup = Pick<Context, 'paths' | 'settings' | 'database' | 'identities' | 'environment'> & { readonly machine: Machine }

/** What this container is to be: read from its environment, checked, and nothing done yet. */
export const readSetup = (env: Readonly<Record<string, string | undefined>>): Setup => {
  const paths = readPaths(env)
  const settings = readSettings(env, (path) => readFileSync(path, 'utf8'))
  const database = databaseOf(settings)
  if (database.kind === 'embedded' && paths.postgresBin === undefined) throw new SupervisorError('DATABASE_NOT_CONFIGURED', 'cannot start a database: this image has no Postgres server, and no other one is given')
  return { paths, settings, database, identities: readIdentities(), environment: env, machine: readMachine() }
}

import { failureOf, lastOf } from '../../core/outcome.ts'
import type { Command } from '../../core/unit.ts'
import { SupervisorError } from '../../errors.ts'
import type { Client } from '../../system/ports.ts'
import { type DatabaseScope, inTransaction, withDatabase } from '../postgres/connection.ts'
import { defineTask } from '../unit.ts'
import { type AppScope, appEnvironment, appProgram } from './environment.ts'

const isAdministratorThere = async (client: Client): Promise<boolean> => {
  const table = await client.query<{ isThere: boolean }>(
    `SELECT pg_catalog.to_regclass('mathesar_user') IS NOT NULL AS "isThere"`,
  )
  if (!table.rows[0]?.isThere) return false
  const { rows } = await client.query('SELECT FROM mathesar_user WHERE is_superuser LIMIT 1')
  return rows.length > 0
}

/** Whether Mathesar has an administrator: what it asks itself before it offers to create the first one. */
export const hasAdministrator = (scope: DatabaseScope): Promise<boolean> =>
  withDatabase(scope, (client) => inTransaction(client, () => isAdministratorThere(client)))

/** What Django keeps of the password of an active administrator. */
export const readPasswordOf = (scope: DatabaseScope, username: string): Promise<string | undefined> =>
  withDatabase(scope, (client) =>
    inTransaction(client, async () => {
      const { rows } = await client.query<{ password: string }>(
        `SELECT pg_catalog.left(password::text, 200) AS password FROM mathesar_user
         WHERE username = $1 AND is_superuser AND is_active LIMIT 1`,
        [username],
      )
      return rows[0]?.password
    }),
  )

/** What `administrator.py` may be asked. */
export type AdministratorRequest =
  | {
      readonly action: 'create first' | 'create'
      readonly username: string
      readonly email: string
      readonly password: string
    }
  | { readonly action: 'reset'; readonly username: string; readonly password: string }
  | { readonly action: 'list' }
  | { readonly action: 'sample data'; readonly name: string; readonly samples: readonly string[] }

/** The program that acts on Mathesar's administrators, by Django's own rules. */
export const administratorCommand = (scope: AppScope, request: AdministratorRequest): Command =>
  appProgram(scope.place, ['administrator.py'], {
    ...appEnvironment(scope),
    ADMINISTRATOR: JSON.stringify(request),
  })

/** What the exit codes of `administrator.py` refuse. */
const refusedSetting: Readonly<Record<number, string>> = {
  11: 'ADMIN_USERNAME',
  12: 'ADMIN_EMAIL',
  13: 'ADMIN_PASSWORD',
}

const refuse = (setting: string, why: string): never => {
  throw new SupervisorError('SETTING_INVALID', `cannot create the administrator: ${setting}: ${why}`)
}

/**
 * Creates the first administrator as the settings say. It acts once: whatever becomes of that account, no
 * later boot touches it as long as there is any administrator.
 */
export const administrator = defineTask({
  name: 'administrator',
  needs: ['migrations', 'secrets', 'volume'],
  description: 'creates the first administrator, where the settings name one',
  skip: ({ settings: { ADMIN_USERNAME, ADMIN_PASSWORD } }) =>
    ADMIN_USERNAME === undefined && ADMIN_PASSWORD === undefined ? 'ADMIN_USERNAME is not given' : undefined,
  run: async (scope, signal) => {
    const { system, inForce } = scope
    if (await hasAdministrator(scope)) return undefined
    const { ADMIN_USERNAME: username, ADMIN_EMAIL: email = '', ADMIN_PASSWORD: password } = inForce.settings
    if (username === undefined) return refuse('ADMIN_USERNAME', 'it is not given, but ADMIN_PASSWORD is')
    if (password === undefined) return refuse('ADMIN_PASSWORD', 'it is not given, but ADMIN_USERNAME is')
    const request = { action: 'create first', username, email, password } as const
    const command = administratorCommand(scope, request)
    const ended = await system.runProgram('administrator', command, signal)
    if (ended.outcome.code === 0) {
      system.log.say('info', `created the administrator ${username}, as ADMIN_USERNAME says`)
      return undefined
    }
    const setting = refusedSetting[ended.outcome.code ?? 0]
    if (setting !== undefined) refuse(setting, lastOf(ended.lines).replace(/^ERROR [^:]*: /, ''))
    throw new SupervisorError(
      'ADMINISTRATOR_NOT_CREATED',
      `cannot create the administrator: ${failureOf('Django', ended)}`,
    )
  },
})

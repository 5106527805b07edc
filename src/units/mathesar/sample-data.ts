import { inWords } from '../../core/outcome.ts'
import type { Client, System } from '../../system/ports.ts'
import { inTransaction, withDatabase } from '../postgres/connection.ts'
import { administratorCommand } from './administrator.ts'
import type { AppScope } from './environment.ts'

/** The database that is made for it. */
const name = 'demo'

/**
 * Whether it is the first hour of the first administrator, who has connected no database yet: so what they
 * remove later stays away, and a boot that was cut off is made up for.
 */
const isWanted = async (client: Client): Promise<boolean> => {
  const first = await client.query(
    `SELECT 1 FROM mathesar_user
      HAVING count(*) = 1 AND bool_and(is_superuser AND date_joined > now() - interval '1 hour')`,
  )
  if (first.rows.length === 0) return false
  const table = await client.query<{ isThere: boolean }>(
    `SELECT pg_catalog.to_regclass('mathesar_database') IS NOT NULL AS "isThere"`,
  )
  if (!table.rows[0]?.isThere) return true
  return (await client.query('SELECT FROM mathesar_database LIMIT 1')).rows.length === 0
}

/** Has Mathesar make its sample data, for its first administrator, as its own page does it. */
export const loadSampleData = async (scope: AppScope & { readonly system: System }): Promise<void> => {
  const { system, inForce } = scope
  const { DEMO: samples = [] } = inForce.settings
  if (samples.length === 0) return
  if (!(await withDatabase(scope, (client) => inTransaction(client, () => isWanted(client))))) return
  system.log.say('info', `making the sample data of DEMO, in a database ${name}: ${samples.join(', ')}`)
  const command = administratorCommand(scope, { action: 'sample data', name, samples })
  const { outcome, lines } = await system.runProgram('sample-data', command)
  if (outcome.code === 0) return system.log.say('info', 'the sample data is there')
  const why = lines.at(-1) ?? 'it said nothing'
  system.log.say('warn', `cannot make the sample data of DEMO: Django ${inWords(outcome)}: ${why}`)
}

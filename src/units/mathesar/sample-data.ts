import { failureOf } from '../../core/outcome.ts'
import type { Client, System } from '../../system/ports.ts'
import { readManifest, replaceManifest, requireManifest } from '../manifest.ts'
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

type DataScope = AppScope & { readonly system: System }

/** Notes in the volume that it is under way, or that it is not. */
const note = (scope: DataScope, sampleData: 'under way' | undefined): void => {
  if (scope.results.volume.isEphemeral) return
  const { sampleData: _, ...others } = requireManifest(scope)
  replaceManifest(scope, sampleData === undefined ? others : { ...others, sampleData })
}

/**
 * Frees its name of what a start left that was cut off: Mathesar connects a database once all of it is there,
 * and the volume says that it was under way. Resolves with whether nothing has the name.
 */
const freeName = async (scope: DataScope, wasUnderWay: boolean): Promise<boolean> =>
  await withDatabase(scope, async (client) => {
    if (wasUnderWay) await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    return (await client.query('SELECT FROM pg_database WHERE datname = $1', [name])).rows.length === 0
  })

const make = async (scope: DataScope, samples: readonly string[]): Promise<string | undefined> => {
  const command = administratorCommand(scope, { action: 'sample data', name, samples })
  const ended = await scope.system.runProgram('sample-data', command)
  return ended.outcome.code === 0 ? undefined : failureOf('Django', ended)
}

/** Has Mathesar make its sample data, for its first administrator, as its own page does it. */
export const loadSampleData = async (scope: DataScope): Promise<void> => {
  const { log } = scope.system
  const { DEMO: samples = [] } = scope.inForce.settings
  if (samples.length === 0) return
  const wasUnderWay = readManifest(scope).sampleData !== undefined
  const refuse = (why: string): void => log.say('warn', `cannot make the sample data of DEMO: ${why}`)
  if (!(await withDatabase(scope, (client) => inTransaction(client, () => isWanted(client))))) {
    if (wasUnderWay) note(scope, undefined)
    return
  }
  if (!(await freeName(scope, wasUnderWay))) return refuse(`a database ${name} is there already`)
  log.say('info', `making the sample data of DEMO, in a database ${name}: ${samples.join(', ')}`)
  note(scope, 'under way')
  const why = await make(scope, samples)
  if (why !== undefined) return refuse(why)
  log.say('info', 'the sample data is there')
  note(scope, undefined)
}

import { appEnvironment, appProgram, appScopeOf } from '../../units/mathesar/environment.ts'
import type { Database } from '../../settings/database.ts'
import { textOf } from '../archive/bytes.ts'
import { outputOf } from '../programs.ts'
import type { MoveScope } from './source.ts'

/** Runs a program of ours with Mathesar's models, as its user, on one of the two servers. */
const runModels = async (
  scope: MoveScope,
  database: Database,
  program: readonly [string, ...string[]],
): Promise<readonly string[]> => {
  const { place, inForce, results, source } = scope
  const app = appScopeOf(place, { ...inForce, database }, results.secrets)
  const output = outputOf(scope, {
    what: 'have Mathesar check its server',
    command: appProgram(place, program, {
      ...appEnvironment(app),
      PGCONNECT_TIMEOUT: '5',
      SERVER_BEFORE: source.host,
      SERVER_BEFORE_PORT: String(source.port),
    }),
    code: 'PROMOTE_FAILED',
  })
  return (await textOf(output)).split('\n').filter(Boolean)
}

/**
 * Tells Mathesar where its server is and what its role's password is, has it check its tables, and connects
 * by every password that it stores. Those that no longer work and did before are told.
 */
export const tellMathesar = async (scope: MoveScope, warn: (what: string) => void): Promise<void> => {
  const [after] = await Promise.all([
    runModels(scope, scope.inForce.database, ['promote.py', 'move']),
    runModels(scope, scope.inForce.database, ['check_models.py']),
  ])
  if (after.length === 0) return
  const connecting = runModels(scope, scope.source.database, ['promote.py', 'try'])
  // One of several hosts that takes no writes any more lets nobody in.
  const before = await connecting.catch((): readonly string[] => [])
  for (const line of after) if (!before.includes(line)) warn(`Mathesar cannot connect there: ${line}`)
}

/** Passwords of roles on the server that is left, as Mathesar stores them: by name. */
export const readStoredPasswords = async (scope: MoveScope): Promise<ReadonlyMap<string, string>> => {
  const lines = await runModels(scope, scope.source.database, ['promote.py', 'passwords'])
  const pairs = lines.map((line): unknown => JSON.parse(line))
  const isPair = (pair: unknown): pair is readonly [string, string] =>
    Array.isArray(pair) && pair.length === 2 && pair.every((each) => typeof each === 'string')
  const stored = pairs.filter(isPair)
  scope.system.log.addSecret(...stored.map(([, password]) => password))
  return new Map(stored)
}

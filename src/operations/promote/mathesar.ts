import { appEnvironment } from '../../units/mathesar/environment.ts'
import { inRun, inVolume, ownProgram } from '../../units/place.ts'
import type { Database } from '../../settings/database.ts'
import { outputOf } from '../programs.ts'
import type { OperationScope } from '../scope.ts'

/** Runs a program of ours with Mathesar's models, as its user, on one of the two servers. */
const runModels = async (
  scope: OperationScope,
  database: Database,
  [program, ...args]: readonly [string, ...string[]],
): Promise<readonly string[]> => {
  const { place, inForce, results } = scope
  const { paths, identities } = place
  const { media, temporary, buffer } = inVolume(paths)
  const volume = { isEphemeral: false, media, temporary, buffer }
  const output = outputOf(scope, {
    what: 'have Mathesar check the other server',
    command: {
      argv: [`${paths.pythonBin}/python3`, ownProgram(paths, program), ...args],
      env: {
        ...appEnvironment({
          place,
          inForce: { ...inForce, database },
          results: { volume, secrets: results.secrets },
        }),
        PGCONNECT_TIMEOUT: '5',
        SERVER_BEFORE: inRun(paths).postgresSocket,
      },
      user: identities.mathesar,
      cwd: paths.app,
    },
    code: 'PROMOTE_FAILED',
  })
  let text = ''
  for await (const chunk of output) text += chunk.toString()
  return text.split('\n').filter(Boolean)
}

/**
 * Tells Mathesar where its server is and what its role's password is, has it check its tables, and connects
 * by every password that it stores. Those that no longer work and did before are told.
 */
export const tellMathesar = async (scope: OperationScope, warn: (what: string) => void): Promise<void> => {
  const [after] = await Promise.all([
    runModels(scope, scope.inForce.database, ['promote.py', 'move']),
    runModels(scope, scope.inForce.database, ['check_models.py']),
  ])
  if (after.length === 0) return
  const before = await runModels(scope, { kind: 'embedded' }, ['promote.py', 'try'])
  for (const line of after) if (!before.includes(line)) warn(`Mathesar cannot connect there: ${line}`)
}

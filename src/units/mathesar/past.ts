import { inWords } from '../../core/outcome.ts'
import { SupervisorError } from '../../errors.ts'
import { inRun } from '../place.ts'
import type { Scope } from '../unit.ts'
import { appEnvironment, appProgram } from './environment.ts'

type PastScope = Scope<'volume' | 'secrets'>

/** Has Mathesar know the server of a moment by that name, or no longer. */
const tellMathesar = async (
  scope: PastScope,
  [what, ...args]: readonly [what: 'add' | 'remove', ...args: readonly string[]],
  signal?: AbortSignal,
): Promise<void> => {
  const { system, place } = scope
  const env = {
    ...appEnvironment(scope),
    PGCONNECT_TIMEOUT: '5',
    PAST_HOST: inRun(place.paths).pastSocket,
  }
  const command = appProgram(place, ['past.py', what, ...args], env)
  const { outcome, lines } = await system.runProgram('yesterday', command, signal)
  if (outcome.code === 0) return
  const why = lines.at(-1) ?? inWords(outcome)
  throw new SupervisorError('UNDO_REFUSED', `cannot tell Mathesar of that moment: ${why}`)
}

/** Registers its databases beside those of today, for the same people and roles. */
export const registerPast = (scope: PastScope, label: string, signal: AbortSignal): Promise<void> =>
  tellMathesar(scope, ['add', label], signal)

/** What fails is tried again at the next start. */
export const forgetPast = async (scope: PastScope, signal?: AbortSignal): Promise<void> => {
  try {
    await tellMathesar(scope, ['remove'], signal)
  } catch (error) {
    signal?.throwIfAborted()
    scope.system.log.say('warn', `${(error as Error).message}; the next start tries again`)
  }
}

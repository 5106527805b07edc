import { inWords } from '../core/outcome.ts'
import { SupervisorError } from '../errors.ts'
import { whatIsFree } from '../units/refusal.ts'
import type { Scope } from '../units/unit.ts'
import type { Service } from './service.ts'

const lastLines = 10

/** Deaths in a row that speak against edited settings. */
const unprovenFailures = 3
export const speaksAgainstEdit = ({ state }: Service): boolean => state.failures >= unprovenFailures

/** What is cut off by a stop says so. */
export const stoppingError = (): SupervisorError =>
  new SupervisorError('USAGE', 'cannot go on: everything stops', { hint: 'Start the container again.' })

/** Why a service that died again and again ends the container. */
export const crashLoopOf = ({ unit, state, record }: Service, scope: Scope): SupervisorError => {
  const lines = scope.system.log.tail(unit.name, lastLines).map((line) => `  ${line.trimEnd()}`)
  const how = record.lastOutcome ? inWords(record.lastOutcome) : 'never became ready'
  const isFull = lines.some((line) => line.includes('No space left on device'))
  const free = isFull ? whatIsFree(scope) : ''
  const what = `${unit.name} died ${state.failures} times in a row: it ${how}${free}; its last lines:`
  const code = isFull ? 'VOLUME_FULL' : 'SERVICE_CRASH_LOOP'
  const hint = code === 'SERVICE_CRASH_LOOP' ? unit.crashHint?.(scope) : undefined
  return new SupervisorError(
    code,
    [what, ...(lines.length > 0 ? lines : ['  (it wrote nothing)'])].join('\n'),
    { hint, service: unit.name },
  )
}

/**
 * Why a stop was not clean, if it was not. A service that never ran had nothing to end. Of the others the
 * exit code does not tell: Postgres has 0 for an immediate shutdown, too.
 */
export const uncleanStopOf = (
  services: readonly Service[],
  scopeOf: (service: Service) => Scope,
): SupervisorError | undefined => {
  for (const service of services) {
    const { unit, record } = service
    const { generation, lastOutcome } = record
    const why = generation === 0 ? undefined : unit.whyUnclean?.(scopeOf(service))
    if (why === undefined) continue
    const how = lastOutcome ? ` (it ${inWords(lastOutcome)})` : ''
    return new SupervisorError('STOP_NOT_CLEAN', `${unit.name} did not shut down cleanly: ${why}${how}`)
  }
  return undefined
}

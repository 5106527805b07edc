import type { Level } from '../core/log-lines.ts'
import { inWords, type Outcome } from '../core/outcome.ts'
import type { ServiceState } from '../core/service-state.ts'

const levels: Partial<Record<ServiceState['name'], Level>> = {
  starting: 'debug',
  stopping: 'debug',
  unready: 'warn',
  backoff: 'warn',
  failed: 'warn',
}

type Facts = {
  readonly service: string
  readonly giveUpAfter: number
  readonly lastOutcome: Outcome | undefined
  readonly lastProbe: { readonly why: string } | undefined
}

const reasonFor = (
  { name, failures }: ServiceState,
  { giveUpAfter, lastOutcome, lastProbe }: Facts,
): string => {
  if (name === 'unready') return `: ${lastProbe?.why}`
  if (name !== 'backoff') return ''
  const how = lastOutcome ? inWords(lastOutcome) : 'could not be started'
  return `: it ${how} (failure ${failures} of ${giveUpAfter})`
}

/** What the log says of a service that came into a state. */
export const narrate = (state: ServiceState, facts: Facts): readonly [level: Level, message: string] => [
  levels[state.name] ?? 'info',
  `${facts.service} is ${state.name}${reasonFor(state, facts)}`,
]

import type { System } from '../system/ports.ts'
import { type Moved, movedInWords, readMoved } from '../units/moved.ts'
import type { Place } from '../units/place.ts'
import { forgetLogRules, keepAllLog, keepLog } from '../units/postgres/undo-log.ts'
import type { Changes } from './config/changes.ts'
import type { Instance } from './instance.ts'

type Tools = {
  readonly system: System
  readonly place: Place
  readonly instance: Pick<Instance, 'inForce' | 'results'> & {
    readonly sleeper: Pick<Instance['sleeper'], 'restWhile' | 'stopping'>
  }
  readonly changes: Pick<Changes, 'interrupt'>
  /** The next boot says that it has moved. */
  readonly startOver: () => void
}

/** Why this container may serve no more; where nobody can tell, the next boot asks again. */
const whatIsTold = (read: () => Moved | undefined): string | undefined => {
  try {
    const moved = read()
    return moved && `moved ${movedInWords(moved)}: this container serves no more`
  } catch (error) {
    return `cannot tell whether all has moved (${(error as Error).message}): starting over`
  }
}

const rest = async (
  { system, place, instance, startOver }: Tools,
  act: () => Promise<void>,
): Promise<void> => {
  const where = { system, place, inForce: instance.inForce, results: instance.results }
  const decide = (): void => {
    forgetLogRules(where) // Before it starts again.
    const told = whatIsTold(() => readMoved(where))
    if (told === undefined) return
    system.log.say('warn', told)
    startOver()
  }
  try {
    await keepAllLog(where, instance.sleeper.stopping)
    system.log.say('info', 'everything rests for `supervisor send`, and visitors wait')
    await instance.sleeper.restWhile(() => act().finally(decide))
  } finally {
    await keepLog(where)
  }
}

/**
 * Stops Mathesar and Postgres in order while `act` goes on: what is last written to the log can be read then.
 * Visitors wait, and so do changes of the settings, which would start them. Unless the volume says afterwards
 * that all has moved, everything serves on.
 */
export const restForMove = (tools: Tools, act: () => Promise<void>): Promise<void> =>
  tools.changes.interrupt(() => rest(tools, act))

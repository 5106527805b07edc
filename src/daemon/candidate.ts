import { inWords } from '../core/outcome.ts'
import type { GenerationId } from '../core/service-state.ts'
import { SupervisorError } from '../errors.ts'
import type { Clock } from '../system/ports.ts'
import type { ServiceUnit } from '../units/unit.ts'
import type { Generation } from './generation.ts'

/** A candidate that has not answered by then is not fit to serve. */
const checkLimitMs = 120_000

/** A new generation that does not serve yet. */
export type Candidate = {
  readonly id: GenerationId
  /** Has it check itself. Throws CONFIG_ROLLED_BACK when it is not fit to serve. */
  readonly check: (signal: AbortSignal) => Promise<void>
  /**
   * Makes it the one that serves, and retires the one before. Resolves when that one is gone;
   * throws when the candidate has ended.
   */
  readonly promote: () => Promise<void>
  readonly discard: () => Promise<void>
}

type Options = {
  readonly generation: Generation
  readonly clock: Clock
  readonly unit: Pick<ServiceUnit, 'readCheck'>
  readonly promote: () => Promise<void>
}

const refuse = (why: string): never => {
  throw new SupervisorError('CONFIG_ROLLED_BACK', `cannot apply the change: ${why}`)
}

export const createCandidate = ({ generation, clock, unit, promote }: Options): Candidate => ({
  id: generation.id,
  check: async (signal) => {
    const limit = new AbortController()
    const cancel = clock.after(checkLimitMs, () => limit.abort())
    try {
      const answer = await generation.ask(AbortSignal.any([signal, limit.signal]))
      const why =
        answer === undefined
          ? `the new generation ${inWords(await generation.process.ended)}`
          : unit.readCheck?.(answer)
      if (why !== undefined) refuse(why)
    } catch (error) {
      if (limit.signal.aborted) refuse(`the new generation did not answer within ${checkLimitMs / 1000} s`)
      throw error
    } finally {
      cancel()
    }
  },
  promote,
  discard: async () => {
    generation.process.killGroup()
    await generation.process.ended
  },
})

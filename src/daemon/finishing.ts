import { dayMs } from '../core/amounts.ts'
import { leftFor } from '../units/left.ts'
import type { Instance } from './instance.ts'
import type { Keeper } from './keeper.ts'
import { type JobTools, runBackgroundJob } from './background-job.ts'

type Tools = JobTools & { readonly instance: Pick<Instance, 'inForce'> }

/** Long enough for tables of any size that is sensible here. */
const limitMs = dayMs

/**
 * Does what a move to another server has left to do there, such as to prove foreign keys, where whoever does
 * that after a move was killed. Nobody waits for it; what ends it goes on at the next start.
 */
export class Finishing implements Keeper {
  readonly #tools: Tools
  readonly #stopping = new AbortController()

  constructor(tools: Tools) {
    this.#tools = tools
  }

  /** Begins once Mathesar is ready. */
  start(): void {
    this.#tools.system.inBackground('finish the move', () => this.#finish())
  }

  stop(): void {
    this.#stopping.abort(new Error('everything stops'))
  }

  async #finish(): Promise<void> {
    const { system, instance } = this.#tools
    const { database } = instance.inForce
    const { toFinish = [] } = leftFor(this.#tools, database) ?? {}
    if (database.kind === 'embedded' || toFinish.length === 0) return
    const job = { name: 'promote', args: ['promote', '--finish'], niceness: 19, limitMs }
    await runBackgroundJob(this.#tools, job, this.#stopping.signal).catch((error: Error) => {
      if (!this.#stopping.signal.aborted)
        system.log.say('warn', `cannot finish the move to this server: ${error.message}`)
    })
  }
}

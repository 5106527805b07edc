import { SupervisorError, toSupervisorError } from '../../errors.ts'
import type { Proposal } from '../../settings/proposal.ts'
import type { ChangeResult, Report } from './change.ts'

/**
 * How many proposals of one origin may wait. Each may hold half a MiB, and take minutes;
 * others must still have their turn.
 */
const waitingLimit = 16

type Waiting = {
  readonly proposal: Proposal
  readonly report: Report
  readonly resolve: (result: ChangeResult) => void
  readonly reject: (error: SupervisorError) => void
}

/**
 * Proposals that wait behind a running change and can be carried out as one: plain edits,
 * which name what they set.
 */
const canMerge = (proposal: Proposal): boolean =>
  proposal.kind === 'set' && proposal.base === undefined && !proposal.isDryRun && !proposal.carries

const merge = (batch: readonly Waiting[]): Pick<Waiting, 'proposal' | 'report'> => {
  const sets = batch.flatMap(({ proposal }) => (proposal.kind === 'set' ? [proposal.set] : []))
  return {
    proposal: {
      from: batch[0]!.proposal.from,
      kind: 'set',
      set: Object.assign({}, ...sets) as Record<string, string | null>,
    },
    report: (step) => {
      for (const { report } of batch) report(step)
    },
  }
}

/** Takes proposals from all sides and has them carried out one at a time. */
export class Queue {
  readonly #carryOut: (proposal: Proposal, report: Report) => Promise<ChangeResult>
  readonly #waiting: Waiting[] = []
  #isWorking = false
  /** Resolves when nothing waits any more. */
  #idle = Promise.resolve()

  constructor(carryOut: (proposal: Proposal, report: Report) => Promise<ChangeResult>) {
    this.#carryOut = carryOut
  }

  get isWorking(): boolean {
    return this.#isWorking
  }

  /**
   * Resolves when the change is in force, and rejects when everything is as it was. That the files were
   * edited is never lost: of however many that tell of it, the first to have its turn sees the last edit.
   */
  add(proposal: Proposal, report: Report): Promise<ChangeResult> {
    return new Promise((resolve, reject) => {
      const ofSameOrigin = this.#waiting.filter((other) => other.proposal.from === proposal.from)
      if (ofSameOrigin.length >= waitingLimit) {
        return reject(
          new SupervisorError(
            'CONFIG_CONFLICT',
            `cannot take one more change: ${waitingLimit} wait already`,
            {
              hint: 'Try again when they are done: `supervisor config history` shows what came of each.',
            },
          ),
        )
      }
      this.#waiting.push({ proposal, report, resolve, reject })
      if (!this.#isWorking) this.#idle = this.#work()
    })
  }

  /** Does something else once nothing is being carried out, and before anything that waits. */
  async interrupt(act: () => Promise<void>): Promise<void> {
    while (this.#isWorking) await this.#idle
    this.#isWorking = true
    const acted = act()
    this.#idle = acted.catch(() => {}).then(() => this.#work())
    await acted
  }

  async #work(): Promise<void> {
    this.#isWorking = true
    for (let batch = this.#nextBatch(); batch.length > 0; batch = this.#nextBatch())
      await this.#process(batch)
    this.#isWorking = false
  }

  #nextBatch(): readonly Waiting[] {
    const batch = this.#waiting.splice(0, 1)
    while (batch[0] && canMerge(batch[0].proposal) && this.#waiting[0] && canMerge(this.#waiting[0].proposal))
      batch.push(this.#waiting.shift()!)
    return batch
  }

  async #process(batch: readonly Waiting[]): Promise<void> {
    const [first] = batch
    if (batch.length === 1 && first)
      return await this.#carryOut(first.proposal, first.report).then(first.resolve, (error) =>
        first.reject(toSupervisorError(error)),
      )
    const { proposal, report } = merge(batch)
    try {
      const result = await this.#carryOut(proposal, report)
      for (const { resolve } of batch) resolve(result)
    } catch {
      // Together they failed: each for itself tells whose fault it is.
      for (const one of batch) await this.#process([one])
    }
  }
}

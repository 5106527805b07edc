import type { GenerationEffect, GenerationId } from '../core/service-state.ts'
import type { Outcome } from '../core/outcome.ts'
import type { Command, Policy } from '../core/unit.ts'
import type { System } from '../system/ports.ts'
import type { Output } from '../system/output.ts'
import type { ServiceUnit } from '../units/unit.ts'
import { type Candidate, createCandidate } from './candidate.ts'
import { type Generation, startGeneration } from './generation.ts'

type Options = {
  readonly system: System
  readonly unit: ServiceUnit
  readonly output: () => Output
  readonly onExit: (id: GenerationId, outcome: Outcome) => void
}

/** The running processes of one service. */
export class Generations {
  readonly #options: Options
  readonly #running = new Map<GenerationId, Generation>()
  #lastId = 0

  constructor(options: Options) {
    this.#options = options
  }

  get all(): readonly Generation[] {
    return [...this.#running.values()]
  }

  get(id: GenerationId | undefined): Generation | undefined {
    return id === undefined ? undefined : this.#running.get(id)
  }

  /** Starts one, and follows it to its end. */
  spawn(command: Command): Generation {
    const { system, unit, output } = this.#options
    const id = ++this.#lastId
    const hasGate = unit.servesAfter !== undefined
    const generation = startGeneration(system, { id, command, output: output(), hasGate })
    this.#running.set(id, generation)
    system.inBackground(`follow ${unit.name}`, () => this.#follow(generation))
    return generation
  }

  /** Starts one that does not serve before it is promoted. */
  spawnCandidate(command: Command, promote: (id: GenerationId) => Promise<void>): Candidate {
    const { unit, system } = this.#options
    const generation = this.spawn(command)
    return createCandidate({ generation, unit, clock: system.clock, promote: () => promote(generation.id) })
  }

  /** Does what the machine wants of one of them, if it is still there. */
  carryOut({ type, id }: GenerationEffect, { stopSignal, graceMs, retireMs = graceMs }: Policy): void {
    const { system, unit } = this.#options
    const generation = this.get(id)
    switch (type) {
      case 'openGate':
        return generation?.open()
      case 'terminate':
        return generation?.process.signal(stopSignal)
      case 'kill':
        system.log.say('warn', `${unit.name} did not exit within ${graceMs} ms: it is killed`)
        return generation?.process.killGroup()
      case 'killHung':
        return generation?.process.killGroup()
      case 'retire':
        return generation?.finish(stopSignal, retireMs)
      case 'finish':
        return generation?.finish(stopSignal, graceMs)
    }
  }

  /** Ends all of them now: by the signal, else by SIGKILL to every process of theirs. */
  forceStop(signal: NodeJS.Signals | undefined): void {
    for (const { process } of this.all) {
      if (signal === undefined) process.killGroup()
      else process.signal(signal)
    }
  }

  async #follow({ id, process, release }: Generation): Promise<void> {
    const outcome = await process.ended
    release()
    this.#running.delete(id)
    this.#options.onExit(id, outcome)
  }
}

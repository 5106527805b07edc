import type { GenerationId } from '../core/service-state.ts'
import type { Command } from '../core/unit.ts'
import type { Gate } from '../system/gate.ts'
import type { System } from '../system/ports.ts'
import type { Output } from '../system/output.ts'
import type { RunningProcess } from '../system/process.ts'

/**
 * One process of a service, with the gate that it waits at if it has one. The theory is in
 * `core/service-state.ts`.
 */
export type Generation = {
  readonly id: GenerationId
  readonly process: RunningProcess
  /** Lets it serve. */
  readonly open: () => void
  /**
   * Asks it to check itself. Resolves with the line of its answer; with `undefined` when it ends without one.
   */
  readonly ask: (signal: AbortSignal) => Promise<string | undefined>
  /**
   * Ends it within the limit: the stop signal to the whole group, so that each worker hears it at once;
   * then SIGKILL.
   */
  readonly finish: (stopSignal: NodeJS.Signals, limitMs: number) => void
  /** Lets go of its gate and of its timer, and kills what outlived it in its group. Once it has ended. */
  readonly release: () => void
}

type Options = {
  readonly id: GenerationId
  readonly command: Command
  readonly output: Output
  readonly hasGate: boolean
}

const startAtGate = (
  { startProcess }: System,
  command: Command,
  output: Output,
  gate: Gate | undefined,
): RunningProcess => {
  if (gate === undefined) return startProcess(command, output)
  try {
    return startProcess({ ...command, fds: [...(command.fds ?? []), ...gate.fds] }, output)
  } catch (error) {
    gate.close()
    throw error
  } finally {
    gate.release()
  }
}

/** Starts a process of a service. It waits at its gate until `open`. */
export const startGeneration = (system: System, { id, command, output, hasGate }: Options): Generation => {
  const gate = hasGate ? system.createGate() : undefined
  const process = startAtGate(system, command, output, gate)
  let cancelKill = (): void => {}
  let killAtMs = Number.POSITIVE_INFINITY

  const killWithin = (limitMs: number): void => {
    const atMs = system.clock.elapsed() + limitMs
    if (atMs >= killAtMs) return
    killAtMs = atMs
    cancelKill()
    cancelKill = system.clock.after(limitMs, process.killGroup)
  }

  return {
    id,
    process,
    open: () => gate?.open(),
    ask: async (signal) => await gate?.check(signal),
    finish: (stopSignal, limitMs) => {
      process.signalGroup(stopSignal)
      killWithin(limitMs)
    },
    release: () => {
      cancelKill()
      gate?.close()
      process.killGroup()
    },
  }
}

import type { Milliseconds } from '../core/unit.ts'
import type { ProcessLook, System } from '../system/ports.ts'
import type { Scope, ServiceUnit } from '../units/unit.ts'
import { startProber, type Trouble } from './prober.ts'

const lookPauseMs = 10_000
/** Looks in a row that find it hung before it is killed: a container may have been paused in between. */
const looksUntilHung = 3

type Options = {
  readonly system: System
  readonly unit: ServiceUnit
  readonly scope: () => Scope
  readonly pid: number
  /** A readiness probe: `undefined` when the service is up, else the reason. */
  readonly onProbed: (trouble: Trouble | undefined) => void
  readonly onHung: (why: string) => void
  /** The pause before the next readiness probe, asked after each one. */
  readonly probePauseMs: () => Milliseconds
}

export type Watch = {
  readonly stop: () => void
  /** Has the next readiness probe come at once. */
  readonly hurry: () => void
}

/** Looks at the processes again and again. */
const watchProcesses = ({ system, unit: { whyHung }, scope, pid, onHung }: Options): (() => void) => {
  if (whyHung === undefined) return () => {}
  let before: ProcessLook | undefined
  let found = 0
  const { stop } = startProber({
    clock: system.clock,
    probe: async () => {
      const now = system.lookAt(pid)
      const why = now && whyHung(scope(), now, before)
      before = now
      return why
    },
    onResult: (trouble) => {
      found = trouble === undefined ? 0 : found + 1
      if (trouble !== undefined && found >= looksUntilHung) onHung(trouble.why)
    },
    pauseMs: () => lookPauseMs,
  })
  return stop
}

/**
 * Watches one generation. Readiness tells that it does not answer, and a long import may be the reason;
 * liveness tells that it never will.
 */
export const watchGeneration = (options: Options): Watch => {
  const { system, unit, scope, onProbed, probePauseMs } = options
  const prober = startProber({
    clock: system.clock,
    probe: (signal, before) => unit.probe(scope(), signal, before),
    onResult: onProbed,
    pauseMs: probePauseMs,
  })
  const stopWatching = watchProcesses(options)
  return {
    hurry: prober.hurry,
    stop: () => {
      prober.stop()
      stopWatching()
    },
  }
}

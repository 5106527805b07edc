import type { Clock } from '../system/ports.ts'

type Options = {
  readonly clock: Clock
  /** One probe: `undefined` when the service is up, else the reason. `before` is that of the probe before. */
  readonly probe: (signal: AbortSignal, before: string | undefined) => Promise<string | undefined>
  readonly onResult: (why: string | undefined) => void
  /** The pause before the next probe, asked after each one. */
  readonly pauseMs: () => number
}

/** Probes one generation until it is stopped. Returns the function that stops it. */
export const startProber = ({ clock, probe, onResult, pauseMs }: Options): (() => void) => {
  const stopping = new AbortController()
  const { signal } = stopping

  const probeForEver = async (): Promise<void> => {
    for (let before: string | undefined; ;) {
      const why = await probe(signal, before).catch((error: Error) => error.message || 'no answer')
      if (signal.aborted) return
      onResult(why)
      before = why
      await clock.delay(pauseMs(), signal)
    }
  }

  probeForEver().catch(() => {}) // Only the end of a pause that was cut short.
  return () => stopping.abort()
}

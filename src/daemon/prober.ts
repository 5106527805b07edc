import { pauseToPoll } from '../core/timers.ts'
import { type ErrorCode, SupervisorError } from '../errors.ts'
import type { Clock } from '../system/ports.ts'

type Reason = string | Error

/** Why a service is not up, and which failure of the table that is, if one. */
export type Trouble = { readonly why: string; readonly code: ErrorCode | undefined }

const troubleOf = (reason: Reason): Trouble =>
  reason instanceof Error
    ? {
        why: reason.message || 'no answer',
        code: reason instanceof SupervisorError ? reason.code : undefined,
      }
    : { why: reason, code: undefined }

type Options = {
  readonly clock: Clock
  /** One probe: `undefined` when the service is up, else the reason. `before` is that of the probe before. */
  readonly probe: (signal: AbortSignal, before: string | undefined) => Promise<Reason | undefined>
  readonly onResult: (trouble: Trouble | undefined) => void
  /** The pause before the next probe, asked after each one. */
  readonly pauseMs: () => number
}

/** Probes one generation until it is stopped. Returns the function that stops it. */
export const startProber = ({ clock, probe, onResult, pauseMs }: Options): (() => void) => {
  const stopping = new AbortController()
  const { signal } = stopping

  const probeForEver = async (): Promise<void> => {
    for (let before: string | undefined; ;) {
      const reason = await probe(signal, before).catch((error: Error) => error)
      if (signal.aborted) return
      const trouble = reason === undefined ? undefined : troubleOf(reason)
      onResult(trouble)
      before = trouble?.why
      await clock.delay(pauseToPoll(clock.now(), pauseMs()), signal)
    }
  }

  probeForEver().catch((error: unknown) => {
    if (!signal.aborted) throw error // Else only a pause was cut short.
  })
  return () => stopping.abort()
}

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

type Prober = {
  readonly stop: () => void
  /** Cuts the pause before the next probe short, but for a second since the one before. */
  readonly hurry: () => void
}

/** However often it is told to hurry. */
const leastPauseMs = 1000

/** Probes one generation until it is stopped. */
export const startProber = ({ clock, probe, onResult, pauseMs }: Options): Prober => {
  const stopping = new AbortController()
  const { signal } = stopping
  let cutShort = (): void => {}
  let isHurried = false

  const wait = async (ms: number): Promise<void> => {
    const waiting = new AbortController()
    cutShort = () => waiting.abort()
    await clock.delay(ms, waiting.signal).catch((error: unknown) => {
      if (!waiting.signal.aborted) throw error
    })
  }

  const pause = async (): Promise<void> => {
    const usualMs = pauseToPoll(clock.now(), pauseMs())
    const endedMs = clock.elapsed()
    if (!isHurried) await wait(usualMs)
    const leftMs = Math.min(leastPauseMs, usualMs) - (clock.elapsed() - endedMs)
    if (isHurried && leftMs > 0 && !signal.aborted) await wait(leftMs)
  }

  const probeForEver = async (): Promise<void> => {
    for (let before: string | undefined; !signal.aborted;) {
      isHurried = false
      const reason = await probe(signal, before).catch((error: Error) => error)
      if (signal.aborted) return
      const trouble = reason === undefined ? undefined : troubleOf(reason)
      onResult(trouble)
      before = trouble?.why
      if (!signal.aborted) await pause()
    }
  }

  probeForEver().catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
  return {
    stop: () => {
      stopping.abort()
      cutShort()
    },
    hurry: () => {
      if (isHurried) return
      isHurried = true
      cutShort()
    },
  }
}

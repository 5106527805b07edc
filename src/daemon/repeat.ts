import type { System } from '../system/ports.ts'

type How = {
  /** What it does, for the log where that fails. */
  readonly what: string
  /** The pause before each time, the first one too. */
  readonly pauseMs: () => number
  readonly signal: AbortSignal
}

/** Does something again and again, one time after the other, until `signal` aborts. */
export const repeat = (
  { clock, inBackground }: Pick<System, 'clock' | 'inBackground'>,
  { what, pauseMs, signal }: How,
  act: () => Promise<void>,
): void => {
  let cancel = (): void => {}
  const again = (): void => {
    if (signal.aborted) return
    cancel = clock.after(pauseMs(), () => inBackground(what, () => act().finally(again)))
  }
  signal.addEventListener('abort', () => cancel())
  again()
}

import type { Settings } from './typed.ts'

type Times = Pick<Settings, 'STOP_GRACE_PERIOD' | 'DRAIN_DELAY'>

/** How long a container that is to stop serves on: at least as much is left for the services to stop in. */
export const drainSeconds = ({ STOP_GRACE_PERIOD, DRAIN_DELAY }: Times): number =>
  Math.min(DRAIN_DELAY, STOP_GRACE_PERIOD / 2)

/** What is left of the platform's time once it has drained. */
export const secondsToStop = (times: Times): number => times.STOP_GRACE_PERIOD - drainSeconds(times)

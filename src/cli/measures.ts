import type { Measures } from '../http/metrics.ts'
import type { System } from '../system/ports.ts'
import type { Place } from '../units/place.ts'
import type { Running } from './report.ts'

/** What the status does not have, for /metrics. */
export const readMeasures = (
  { instance, config }: Pick<Running, 'instance' | 'config'>,
  system: System,
  { paths }: Place,
): Measures => {
  const { listener, upstream, certificate } = instance.results
  return {
    process: system.measureSelf(),
    changes: config.store.recorded,
    waiting: {
      ...(listener ? { port: system.countWaiting({ host: listener.address, port: listener.port }) } : {}),
      ...(upstream ? { mathesar: system.countWaiting(upstream.target) } : {}),
    },
    freeBytes: system.files.freeSpace(paths.data)?.bytes,
    certificateEndMs: certificate?.notAfterMs,
  }
}

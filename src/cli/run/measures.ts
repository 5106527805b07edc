import type { Measures } from '../../http/metrics.ts'
import type { Core } from './running.ts'

/** What the status does not have, for /metrics. */
export const readMeasures = ({ instance, config, system, place }: Core): Measures => {
  const { listener, upstream, certificate } = instance.results
  return {
    process: system.measureSelf(),
    changes: config.store.recorded,
    waiting: {
      ...(listener ? { port: system.countWaiting({ host: listener.address, port: listener.port }) } : {}),
      ...(upstream ? { mathesar: system.countWaiting(upstream.target) } : {}),
    },
    freeBytes: system.files.freeSpace(place.paths.data)?.bytes,
    certificateEndMs: certificate?.notAfterMs,
  }
}

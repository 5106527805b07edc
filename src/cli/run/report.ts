import { inSeconds } from '../../core/amounts.ts'
import { presentable, type Status } from '../../core/status.ts'
import type { Instance } from '../../daemon/instance.ts'
import { swapProblems } from '../../daemon/swap-problems.ts'
import { version } from '../../version.ts'
import type { Running } from './running.ts'

/** Where people open Mathesar, as far as the settings say. */
export const urlOf = ({ inForce: { settings }, results }: Pick<Instance, 'inForce' | 'results'>): string =>
  settings.PUBLIC_URL ?? `http${results.certificate === undefined ? '' : 's'}://localhost:${settings.PORT}`

/** The one status that all show. */
export const readStatus = ({
  system,
  place,
  instance,
  config,
  keepers,
  backups,
  updates,
  undo,
  startedAtMs,
  reaper,
  sink,
}: Running): Status => {
  const { problems, ...status } = instance.status()
  return presentable({
    version: 1,
    ...status,
    url: urlOf(instance),
    supervisor: {
      version,
      pid: process.pid,
      startedAt: new Date(startedAtMs).toISOString(),
      memoryBytes: process.memoryUsage.rss(),
      reaped: reaper.reaped,
      droppedLogLines: sink.dropped,
    },
    database: instance.inForce.database.kind,
    config: config.status(),
    backup: backups.status(),
    update: updates.status(),
    undo: undo.status(),
    problems: [...problems, ...config.problems(), ...keepers.problems(), ...swapProblems({ system, place })],
  })
}

export const bannerOf = ({ url, boot }: Status, { settings }: Instance['inForce']): string =>
  [
    `Mathesar is ready: ${url}   (after ${inSeconds(boot.readyAfterMs ?? 0)})`,
    ...(settings.PUBLIC_URL === undefined
      ? ['With `docker run -p 9000:8000` the port in your browser is 9000.']
      : []),
  ].join('\n')

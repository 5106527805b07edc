import { inSeconds } from '../core/amounts.ts'
import { presentable, type Status } from '../core/status.ts'
import type { Backups } from '../daemon/backups.ts'
import type { Config } from '../daemon/config/config.ts'
import type { Instance } from '../daemon/instance.ts'
import type { Keepers } from '../daemon/keeper.ts'
import type { UndoKeeper } from '../daemon/undo.ts'
import type { Updates } from '../daemon/updates.ts'
import { version } from '../version.ts'

/** Where people open Mathesar, as far as the settings say. */
export const urlOf = ({ inForce: { settings }, results }: Pick<Instance, 'inForce' | 'results'>): string =>
  settings.PUBLIC_URL ?? `http${results.certificate === undefined ? '' : 's'}://localhost:${settings.PORT}`

export type Running = {
  readonly instance: Instance
  readonly config: Config
  readonly keepers: Pick<Keepers, 'problems'>
  readonly backups: Pick<Backups, 'status'>
  readonly updates: Pick<Updates, 'status'>
  readonly undo: Pick<UndoKeeper, 'status'>
  readonly startedAtMs: number
  readonly reaper: { readonly reaped: number }
  readonly sink: { readonly dropped: number }
}

/** The one status that all show. */
export const readStatus = ({
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
    problems: [...problems, ...config.problems(), ...keepers.problems()],
  })
}

export const bannerOf = ({ url, boot }: Status, { settings }: Instance['inForce']): string =>
  [
    `Mathesar is ready: ${url}   (after ${inSeconds(boot.readyAfterMs ?? 0)})`,
    ...(settings.PUBLIC_URL === undefined
      ? ['With `docker run -p 9000:8000` the port in your browser is 9000.']
      : []),
  ].join('\n')

import { presentable, type Status } from '../core/status.ts'
import type { Config } from '../daemon/config/config.ts'
import type { Instance } from '../daemon/instance.ts'
import type { Setup } from '../daemon/config/boot-trial.ts'
import { secretsOf } from '../settings/secrets.ts'
import type { Log } from '../system/log.ts'
import { version } from '../version.ts'

/** One worker, Postgres and the supervisor fit in. */
const leastMemoryBytes = 200 * 1024 * 1024
/** Threads count as well. An installation at rest has about 25; a migration or a command needs its own. */
const leastProcesses = 64

/** Where people open Mathesar, as far as the settings say. */
export const urlOf = ({ settings }: Instance['inForce']): string =>
  settings.PUBLIC_URL ?? `http://localhost:${settings.PORT}`

export type Running = {
  readonly instance: Instance
  readonly config: Config
  readonly startedAtMs: number
  readonly reaper: { readonly reaped: number }
  readonly sink: { readonly dropped: number }
}

/** The one status that all show. */
export const readStatus = ({ instance, config, startedAtMs, reaper, sink }: Running): Status => {
  const { problems, ...status } = instance.status()
  return presentable({
    version: 1,
    ...status,
    url: urlOf(instance.inForce),
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
    problems: [...problems, ...config.problems()],
  })
}

export const bannerOf = ({ url, boot }: Status, { settings }: Instance['inForce']): string =>
  [
    `Mathesar is ready: ${url}   (after ${((boot.readyAfterMs ?? 0) / 1000).toFixed(1)} s)`,
    ...(settings.PUBLIC_URL === undefined
      ? ['With `docker run -p 9000:8000` the port in your browser is 9000.']
      : []),
  ].join('\n')

/** The first lines of the log. From here on it leaves the secrets of the settings out. */
export const greet = (setup: Setup, { say, addSecret }: Log): void => {
  const {
    configuration,
    place: { machine, identities },
    store,
    rejected,
  } = setup
  addSecret(...secretsOf(configuration))
  for (const warning of [...configuration.warnings, ...store.warnings]) say('warn', warning)
  say(
    'info',
    `supervisor ${version}, Postgres ${configuration.database.kind}, ` +
      `${Math.round(machine.memoryBytes / 1048576)} MiB, ${machine.cpus} processors, user ` +
      `${identities.supervisor.uid}`,
  )
  if (machine.memoryBytes < leastMemoryBytes)
    say(
      'warn',
      `less than ${leastMemoryBytes / 1048576} MiB of memory: the kernel will kill Mathesar or Postgres ` +
        'now and then. Give the container more, such as `--memory 512m`',
    )
  if (machine.processes < leastProcesses)
    say(
      'warn',
      `this container may have ${machine.processes} processes, and ${leastProcesses} are needed: ` +
        'what cannot be started fails. Give it more, such as `--pids-limit 256`',
    )
  if (rejected) say('warn', `${rejected.error.message}; the configuration that was last in force serves`)
}

import { MiB } from '../../core/amounts.ts'
import type { Setup } from '../../daemon/config/boot-trial.ts'
import { secretsOf } from '../../settings/secrets.ts'
import type { Log } from '../../system/log.ts'
import { version } from '../../version.ts'

/** One worker, Postgres and the supervisor fit in. */
const leastMemoryBytes = 200 * MiB
/** Threads count as well. An installation at rest has about 25; a migration or a command needs its own. */
const leastProcesses = 64

/** The first lines of the log: what starts, on what, and what is wrong with that. */
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
      `${Math.round(machine.memoryBytes / MiB)} MiB, ${machine.cpus} processors, user ` +
      `${identities.supervisor.uid}`,
  )
  if (machine.memoryBytes < leastMemoryBytes)
    say(
      'warn',
      `less than ${leastMemoryBytes / MiB} MiB of memory: the kernel will kill Mathesar or Postgres ` +
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

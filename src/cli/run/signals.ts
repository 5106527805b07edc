import type { StopRequests } from '../../daemon/stop-requests.ts'
import { toSupervisorError } from '../../errors.ts'
import type { Signals } from '../../system/signals.ts'
import type { Core } from './running.ts'

type Signaled = Core & { readonly stops: StopRequests }

/** What each signal does, and what nobody caught. */
export const handleSignals = (
  signals: Signals,
  { system: { log }, instance, stops, config, ending }: Signaled,
): void => {
  signals.listen((signal) => {
    switch (signal) {
      case 'SIGHUP':
        log.say('info', 'SIGHUP: reading the configuration again, and a new generation of Mathesar')
        return config.reload()
      case 'SIGUSR2':
        return log.say('info', 'SIGUSR2 does nothing here: `supervisor reload` starts a new generation')
      case 'SIGUSR1':
      case 'SIGTTIN':
      case 'SIGTTOU':
      case 'SIGWINCH':
        return instance.forward(signal)
      case 'SIGPWR':
      case 'SIGTERM':
      case 'SIGINT':
      case 'SIGQUIT':
        ending.exit()
        // SIGPWR repeats a stop that came while Node started, and never hurries.
        if (signal === 'SIGPWR' && stops.isAsked) return
        log.say('info', stops.isAsked ? `${signal} again: stopping by force` : `${signal}: stopping`)
        return stops.add()
    }
  })
  process.on('uncaughtException', (error) => instance.fail(toSupervisorError(error)))
  process.on('unhandledRejection', (reason) => instance.fail(toSupervisorError(reason)))
}

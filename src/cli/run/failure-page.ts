import type { Ending } from '../../daemon/ending.ts'
import type { Instance } from '../../daemon/instance.ts'
import type { ErrorCode, SupervisorError } from '../../errors.ts'
import type { Sockets } from '../../http/sockets.ts'
import type { Log } from '../../system/log.ts'
import { isStdoutTerminal } from '../../system/terminal.ts'

type Facts = {
  readonly code: ErrorCode
  readonly wasReady: boolean
  readonly onFailure: 'page' | 'exit' | undefined
  readonly isTerminal: boolean
}

/**
 * Whether a failed boot is shown by a page instead of an end. By itself only where somebody sits at the
 * terminal: a platform starts again what has ended, and tells people of what does not stay up.
 */
export const isKeptForPage = ({ code, wasReady, onFailure, isTerminal }: Facts): boolean =>
  // A stop that was not clean is one that somebody wanted.
  // To start again what has moved changes nothing.
  !wasReady &&
  code !== 'STOP_NOT_CLEAN' &&
  (onFailure ?? (isTerminal || code === 'MOVED' ? 'page' : 'exit')) === 'page'

const keptText = ({ code, exitCode, message, hint }: SupervisorError, port: number): string =>
  `${code}: ${message}\n${hint}\nThe container stays, and shows this on port ${port} (ON_FAILURE=page); ` +
  `it exits with ${exitCode} when it is stopped.`

type Surroundings = {
  readonly instance: Instance
  readonly ending: Ending
  readonly sockets: Pick<Sockets, 'openPort'>
  readonly system: { readonly log: Pick<Log, 'say'> }
}

/** Resolves at once, or when a container that stays for the page is stopped. */
export const keepIfWanted = async (
  error: SupervisorError,
  { system: { log }, instance, ending, sockets }: Surroundings,
): Promise<void> => {
  const { code, exitCode } = error
  const {
    results: { listener },
    wasReady,
    inForce,
  } = instance
  const onFailure = inForce.settings.ON_FAILURE
  if (listener === undefined || ending.isStartingOver) return
  if (!isKeptForPage({ code, wasReady, onFailure, isTerminal: isStdoutTerminal() })) return
  ending.keep()
  await sockets.openPort(listener)
  log.say('error', keptText(error, listener.port), { code, exitCode })
  await ending.decision
}

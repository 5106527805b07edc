import { describeError, excerpt } from '../core/message.ts'
import { SupervisorError } from '../errors.ts'
import { isOnPath } from '../system/environment.ts'
import { commands } from './index.ts'

/** Many images run what they are given: `docker run IMAGE bash`. */
export const notFound = async (name: string): Promise<SupervisorError> => {
  const { didYouMean } = await import('../settings/near-names.ts') // Not for each start.
  const known = commands.map((command) => command.name)
  const isProgram = /^[\w.+-]+$/.test(name) && isOnPath(name)
  const hint = `To run it in place of the supervisor: \`docker run -it --entrypoint ${name} IMAGE\`.`
  const shown = excerpt(name, 80)
  return new SupervisorError(
    'USAGE',
    `cannot find a command named ${shown}${didYouMean(name, known)}`,
    isProgram ? { hint } : {},
  )
}

/** How a command that fails says why. */
export const renderError = (error: SupervisorError): string => {
  const { message, hint } = describeError(error)
  return `supervisor: ${message}\n  ${hint}\n`
}

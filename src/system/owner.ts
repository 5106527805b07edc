import { statSync } from 'node:fs'
import { SupervisorError } from '../errors.ts'

/** The user that the supervisor runs as, to whom its folder belongs; `undefined` when none has run here. */
const userOf = (control: string): number | undefined => statSync(control, { throwIfNoEntry: false })?.uid

/** How to come as the user that may talk to the supervisor. */
export const comeAsOwner = (control: string): string =>
  `Type \`docker exec -u ${userOf(control) ?? 0} …\`: the supervisor runs as that user.`

/**
 * Refuses to act for another user than the one that the supervisor runs as. Root would leave files that the
 * supervisor cannot change, and anybody else may read nothing of what it needs.
 */
export const requireOwner = (control: string): void => {
  const owner = userOf(control)
  const user = process.getuid!()
  if (owner === undefined || owner === user) return
  throw new SupervisorError('USAGE', `cannot do this as user ${user}`, { hint: comeAsOwner(control) })
}

import type { ClientConfig } from 'pg'
import { SupervisorError } from '../../errors.ts'
import type { Client } from '../../system/ports.ts'
import { forgetLeft, type Left, leftOf, rememberLeft } from '../left.ts'
import type { Scope } from '../unit.ts'
import { connectionOf, type DatabaseScope } from './connection.ts'
import { codeOf } from './failures.ts'
import { quoteName } from './quoting.ts'

/** A disk that fails is asked again by whoever runs the task: what is closed must not stay so. */
const ownLeft = (target: DatabaseScope): Left | undefined => {
  try {
    return leftOf(target, target.inForce.database)
  } catch (cause) {
    const why = `cannot tell whether the database takes writes: ${(cause as Error).message}`
    throw new SupervisorError('DATABASE_LOST', why, { cause, hint: 'Look at `dmesg` on the host.' })
  }
}

/**
 * Lets the databases of this server take writes again that were closed when it was, or was to be, left for
 * another (`operations/promote/close.ts`). A change may still end elsewhere: only a boot forgets that.
 */
export const openAgain = async (scope: Scope<never>, client: Client): Promise<void> => {
  const left = ownLeft(scope)
  if (left === undefined) return
  for (const name of left.closed)
    await client
      .query(`ALTER DATABASE ${quoteName(name)} RESET default_transaction_read_only`)
      .catch((error: unknown) => {
        if (codeOf(error) !== '3D000') throw error // It was dropped.
      })
  if (scope.isBoot) forgetLeft(scope, left)
  else if (left.closed.length > 0) rememberLeft(scope, { ...left, closed: [] })
}

/** How to connect to an external server so that it can be written, also where it was left and is closed. */
export const writableWays = (target: DatabaseScope): readonly ClientConfig[] => {
  const ways = connectionOf(target)
  if (ownLeft(target) === undefined) return ways
  return ways.map((way) => ({ ...way, options: '-c default_transaction_read_only=off' }))
}

/** The same on an external server, as Mathesar's role. */
export const openExternal = async (scope: Scope<never>): Promise<void> => {
  if (ownLeft(scope) === undefined) return
  await scope.system.withClient(writableWays(scope), (client) => openAgain(scope, client))
}

import { SupervisorError } from '../errors.ts'
import { defineTask } from './unit.ts'

const refusal = (address: string, port: number, cause: NodeJS.ErrnoException): SupervisorError => {
  const there = `${address.includes(':') ? `[${address}]` : address}:${port}`
  if (cause.code === 'EADDRINUSE')
    return new SupervisorError('PORT_IN_USE', `cannot listen on ${there}: another program does`, {
      cause,
    })
  if (cause.code === 'EACCES')
    return new SupervisorError('PORT_IN_USE', `cannot listen on ${there}: ports below 1024 are for root`, {
      cause,
    })
  return new SupervisorError(
    'SETTING_INVALID',
    `cannot listen on BIND_ADDRESS ${address}: ${cause.message}`,
    { cause },
  )
}

/**
 * Mathesar's TCP socket, held by the supervisor: connections wait in it while Mathesar starts,
 * and none is ever refused.
 */
export const listener = defineTask({
  name: 'listener',
  needs: [],
  description: 'opens the TCP port and holds it',
  run: async ({ system, inForce: { settings } }) => {
    const { BIND_ADDRESS: address, PORT: port } = settings
    try {
      return { fd: system.listenTcp(address, port), address, port }
    } catch (cause) {
      throw refusal(address, port, cause as NodeJS.ErrnoException)
    }
  },
})

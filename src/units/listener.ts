import type { TaskUnit } from '../core/unit.ts'
import { SupervisorError } from '../errors.ts'
import type { Context } from './place.ts'

/** Mathesar's TCP socket, held by the supervisor: connections wait in it while Mathesar starts, and none is ever refused. */
export const listener: TaskUnit<Context> = {
  name: 'listener',
  kind: 'task',
  needs: [],
  does: 'opens the TCP port and holds it',
  run: async ({ settings, made, listenTcp }) => {
    const address = settings.BIND_ADDRESS.value!
    const port = Number(settings.PORT.value)
    try {
      made.listener = listenTcp(address, port)
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException
      if (code === 'EADDRINUSE')
        throw new SupervisorError(
          'PORT_IN_USE',
          `cannot listen on ${address}:${port}: another program does`,
          { cause },
        )
      if (code === 'EACCES')
        throw new SupervisorError(
          'PORT_IN_USE',
          `cannot listen on ${address}:${port}: ports below 1024 are for root`,
          { cause },
        )
      throw new SupervisorError('SETTING_INVALID', `cannot listen on BIND_ADDRESS ${address}: ${message}`, {
        cause,
      })
    }
  },
}

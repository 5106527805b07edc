import { inDoor } from '../place.ts'
import { reachableAddress } from '../results.ts'
import { defineTask } from '../unit.ts'

/**
 * The sockets behind the door: Mathesar's, and the supervisor's own. Like the port they are held by the
 * supervisor, and are there before the door is: requests wait in them until Mathesar, or the supervisor's own
 * HTTP, has loaded. Without a web server here Mathesar has the port itself.
 */
export const upstream = defineTask({
  name: 'upstream',
  needs: ['volume', 'listener'],
  description: 'opens the sockets behind the door',
  run: async ({ system, place: { paths }, results: { listener } }) => {
    if (paths.nginx === undefined)
      return {
        fd: listener.fd,
        target: { host: reachableAddress(listener), port: listener.port },
        page: undefined,
      }
    const { mathesar, serving, page, draining } = inDoor(paths)
    for (const path of [serving, draining]) system.files.remove(path)
    const listen = (path: string): number => {
      system.files.remove(path)
      const socket = system.listenUnix(path)
      system.setOwner(path, undefined, 0o666) // The folder keeps everybody but the door out.
      return socket
    }
    return { fd: listen(mathesar), target: { socketPath: mathesar }, page: listen(page) }
  },
})

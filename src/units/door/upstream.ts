import { inDoor } from '../place.ts'
import { reachableAddress } from '../results.ts'
import { defineTask } from '../unit.ts'

/**
 * The socket on which Mathesar listens. Like the port it is held by the supervisor: requests wait in it while
 * Mathesar starts. Without a web server here it is the port itself.
 */
export const upstream = defineTask({
  name: 'upstream',
  needs: ['volume', 'listener'],
  description: 'opens the socket between the door and Mathesar',
  run: async ({ system, place: { paths }, results: { listener } }) => {
    if (paths.nginx === undefined)
      return { fd: listener.fd, target: { host: reachableAddress(listener), port: listener.port } }
    const { mathesar, serving } = inDoor(paths)
    for (const left of [mathesar, serving]) system.files.remove(left)
    const socket = system.listenUnix(mathesar)
    system.setOwner(mathesar, undefined, 0o666) // The folder keeps everybody but the door out.
    return { fd: socket, target: { socketPath: mathesar } }
  },
})

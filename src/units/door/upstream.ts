import { inDoor } from '../place.ts'
import { reachableAddress } from '../results.ts'
import { defineTask, type Scope } from '../unit.ts'

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

/** Whether code in Mathesar has shut the socket that all its generations serve on, for good. */
export const isUpstreamShut = ({ system, place, results }: Scope<'upstream'>): boolean =>
  place.paths.nginx !== undefined && system.isShut(results.upstream.fd)

/** Opens it again for the next generation, where that is so. */
export const mendUpstream = (scope: Scope<'upstream'>): void => {
  if (!isUpstreamShut(scope)) return
  const { system, place, results } = scope
  const { mathesar } = inDoor(place.paths)
  system.log.say('warn', 'the socket of Mathesar was shut from within Mathesar: it is opened again')
  system.files.remove(mathesar)
  system.listenUnixAgain(mathesar, results.upstream.fd)
  system.setOwner(mathesar, undefined, 0o666)
}

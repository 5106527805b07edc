import { isPermitted, permitCommand, refusedHost } from '../../settings/hosts.ts'
import type { Problem } from '../../core/status.ts'

/** How many hosts are remembered: whoever sends requests chooses them. */
const limit = 5

type Deps = {
  readonly allowedHosts: () => { readonly value: string; readonly pinned: boolean }
  readonly log: (message: string) => void
}

/** The hosts that Django refused, each said once with the command that permits it, until it is permitted. */
export const createRefusedHosts = ({ allowedHosts, log }: Deps) => {
  const refused = new Set<string>()
  const hintFor = (host: string): string => {
    const { value, pinned } = allowedHosts()
    const command = permitCommand(host, value)
    return pinned
      ? `ALLOWED_HOSTS is pinned by the environment: start a new container with -e ${command.slice(command.indexOf('ALLOWED_HOSTS'))}`
      : `To permit it, type: ${command}`
  }
  const isOpen = (host: string): boolean => !isPermitted(host, allowedHosts().value)

  return {
    /** Looks at a line of Mathesar's log. */
    see: (line: string): void => {
      const host = refusedHost(line)
      if (host === undefined || refused.has(host) || !isOpen(host)) return
      if (refused.size >= limit) refused.delete(refused.values().next().value!)
      refused.add(host)
      log(`somebody opened Mathesar as ${host}, which is not permitted. ${hintFor(host)}`)
    },
    problems: (): Problem[] =>
      [...refused].filter(isOpen).map((host) => ({
        unit: 'mathesar',
        code: null,
        message: `refused the host ${host}: it is not in ALLOWED_HOSTS`,
        hint: hintFor(host),
      })),
  }
}

import type { Problem } from '../../core/status.ts'
import { isPermitted, permitCommand, refusedHost } from '../../settings/hosts.ts'
import type { UnitName } from '../../units/unit.ts'

/** How many hosts are remembered: whoever sends requests chooses them. */
const limit = 5

type Permitted = { readonly hosts: readonly string[]; readonly isPinned: boolean }

const hintFor = (host: string, { hosts, isPinned }: Permitted): string => {
  const command = permitCommand(host, hosts)
  if (!isPinned) return `To permit it, type: ${command}`
  return (
    'ALLOWED_HOSTS is pinned by the environment: start a new container with -e ' +
    `${command.slice(command.indexOf('ALLOWED_HOSTS'))}`
  )
}

/** The hosts that Django refused, each said once with the command that permits it, until it is permitted. */
export class RefusedHosts {
  readonly #permitted: () => Permitted
  readonly #say: (message: string) => void
  /** Each with the unit that said so. */
  readonly #refused = new Map<string, UnitName>()

  constructor(permitted: () => Permitted, say: (message: string) => void) {
    this.#permitted = permitted
    this.#say = say
  }

  /** Looks at a line of the log of a unit. */
  see(unit: UnitName, line: string): void {
    const host = refusedHost(line)
    if (host === undefined || this.#refused.has(host) || !this.#isOpen(host)) return
    const [oldest] = this.#refused.keys()
    if (oldest !== undefined && this.#refused.size >= limit) this.#refused.delete(oldest)
    this.#refused.set(host, unit)
    this.#say(
      `somebody opened Mathesar as ${host}, which is not permitted. ${hintFor(host, this.#permitted())}`,
    )
  }

  problems(): Problem[] {
    return [...this.#refused]
      .filter(([host]) => this.#isOpen(host))
      .map(([host, unit]) => ({
        unit,
        code: null,
        message: `refused the host ${host}: it is not in ALLOWED_HOSTS`,
        hint: hintFor(host, this.#permitted()),
      }))
  }

  #isOpen(host: string): boolean {
    return !isPermitted(host, this.#permitted().hosts)
  }
}

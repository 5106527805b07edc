import { RateLimit } from '../../core/rate-limit.ts'
import type { Problem } from '../../core/status.ts'
import { isPermitted, permitCommand, type Refusal, refusalIn } from '../../settings/hosts.ts'
import type { System } from '../../system/ports.ts'
import type { UnitName } from '../../units/unit.ts'

/** How many refusals are remembered: clients choose the names in them. */
const limit = 5
/** How many are logged: else clients could fill the log. */
const sayings = { burst: 10, everyMs: 60_000 }

type Addresses = {
  readonly hosts: readonly string[]
  readonly origins: readonly string[]
  readonly isPinned: (name: 'ALLOWED_HOSTS' | 'CSRF_TRUSTED_ORIGINS') => boolean
}

type Surroundings = {
  readonly log: Pick<System['log'], 'say'>
  readonly clock: Pick<System['clock'], 'elapsed'>
}

type Words = { readonly said: string; readonly message: string; readonly hint: string }

const hostHint = (host: string, { hosts, isPinned }: Addresses): string =>
  isPinned('ALLOWED_HOSTS')
    ? 'ALLOWED_HOSTS is pinned by the environment: start a new container with ' +
      `-e ALLOWED_HOSTS='${[...hosts, host].join(',')}'`
    : `To permit it, type: ${permitCommand(host)}`

const originHint = (origin: string, { origins, isPinned }: Addresses): string => {
  const assignment = `CSRF_TRUSTED_ORIGINS=${[...origins, origin].join(',')}`
  const way = isPinned('CSRF_TRUSTED_ORIGINS')
    ? `start a new container with -e ${assignment}`
    : `type: supervisor config set ${assignment}`
  return (
    `If that is the address of this Mathesar, have the proxy send X-Forwarded-Proto, or ${way}. ` +
    'Else a page of somebody else tried to send a form here'
  )
}

const wordsFor = (refusal: Refusal, addresses: Addresses): Words => {
  switch (refusal.kind) {
    case 'host':
      return {
        said: `somebody opened Mathesar as ${refusal.host}, which is not permitted`,
        message: `refused the host ${refusal.host}: it is not in ALLOWED_HOSTS`,
        hint: hostHint(refusal.host, addresses),
      }
    case 'malformed':
      return {
        said: `somebody opened Mathesar as ${refusal.host}, and a host name has no underscore`,
        message: `refused the host ${refusal.host}: a host name has no underscore, so no setting permits it`,
        hint:
          'Use a name without one, or let the proxy pass on the Host that people type ' +
          '(nginx: proxy_set_header Host $http_host)',
      }
    case 'origin':
      return {
        said: `a form from ${refusal.origin} was refused: its origin is not trusted`,
        message: `refused a form from ${refusal.origin}: its origin is not trusted`,
        hint: originHint(refusal.origin, addresses),
      }
  }
}

/**
 * The requests that Django refused, each kind said once with what permits it, until it is permitted. The
 * status has those, too, that are not said.
 */
export class RefusedRequests {
  readonly #addresses: () => Addresses
  readonly #system: Surroundings
  readonly #limit = new RateLimit(sayings)
  /** Each with the unit that said so. */
  readonly #refused = new Map<string, { readonly unit: string; readonly refusal: Refusal }>()

  constructor(addresses: () => Addresses, system: Surroundings) {
    this.#addresses = addresses
    this.#system = system
  }

  /** Looks at a line of the log of a unit. */
  see(unit: UnitName, line: string): void {
    const refusal = refusalIn(line)
    if (refusal !== undefined) this.add(refusal, unit)
  }

  add(refusal: Refusal, unit = 'supervisor'): void {
    if (!this.#isOpen(refusal)) return
    const key = JSON.stringify(refusal)
    if (this.#refused.has(key)) return
    const [oldest] = this.#refused.keys()
    if (oldest !== undefined && this.#refused.size >= limit) this.#refused.delete(oldest)
    this.#refused.set(key, { unit, refusal })
    const elapsedMs = this.#system.clock.elapsed()
    if (this.#limit.waitMs(elapsedMs) > 0) return
    this.#limit.take(elapsedMs)
    const { said, hint } = wordsFor(refusal, this.#addresses())
    this.#system.log.say('warn', `${said}. ${hint}`)
  }

  problems(): Problem[] {
    return [...this.#refused.values()]
      .filter(({ refusal }) => this.#isOpen(refusal))
      .map(({ unit, refusal }) => {
        const { message, hint } = wordsFor(refusal, this.#addresses())
        return { unit, code: null, message, hint }
      })
  }

  #isOpen(refusal: Refusal): boolean {
    const { hosts, origins } = this.#addresses()
    switch (refusal.kind) {
      case 'host':
        return !isPermitted(refusal.host, hosts)
      case 'malformed':
        return true
      case 'origin':
        return !origins.includes(refusal.origin)
    }
  }
}

import { setTimeout as delay } from 'node:timers/promises'
import type { System } from './ports.ts'

const limitMs = 2000

/** By the system's own rules, as Postgres's clients look names up. */
export const addressesOf: System['addressesOf'] = async (host) => {
  const { lookup } = await import('node:dns/promises')
  const found = lookup(host, { all: true }).then(
    (all) => all.map(({ address }) => address),
    () => [],
  )
  return await Promise.race([found, delay(limitMs, [], { ref: false })])
}

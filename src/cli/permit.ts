import { askJson } from '../http/client.ts'
import type { ShownConfig } from '../http/config.ts'
import { withHost } from '../settings/hosts.ts'
import { itemsOf } from '../settings/kinds.ts'
import { type Usage, usageOf } from './arguments.ts'
import { change } from './config.ts'

const usage: Usage = usageOf('permit', 'permit')

/** Adds one host to ALLOWED_HOSTS. */
export const run = async (args: readonly string[]): Promise<number> => {
  const [host, ...more] = args
  if (host === undefined || more.length > 0 || host.startsWith('-')) return usage('give one host')
  const { version, settings } = await askJson<ShownConfig>('GET', '/v1/config')
  const hosts = itemsOf(settings.find(({ name }) => name === 'ALLOWED_HOSTS')?.value ?? '')
  return await change({ base: version, set: { ALLOWED_HOSTS: withHost(hosts, host).join(',') } })
}

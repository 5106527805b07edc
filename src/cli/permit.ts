import { SupervisorError } from '../errors.ts'
import { ask } from '../http/client.ts'
import { withHost } from '../settings/hosts.ts'
import { change } from './config.ts'

type Shown = {
  readonly version: string
  readonly settings: readonly { readonly name: string; readonly value: string | null }[]
}

/** Adds one host to ALLOWED_HOSTS. */
export const run = async (args: readonly string[]): Promise<number> => {
  const [host, ...more] = args
  if (host === undefined || more.length > 0 || host.startsWith('-'))
    throw new SupervisorError('USAGE', 'cannot permit: give one host', {
      hint: 'Type `supervisor permit --help`.',
    })
  const { version, settings } = JSON.parse((await ask('GET', '/v1/config')).text) as Shown
  const hosts = (settings.find(({ name }) => name === 'ALLOWED_HOSTS')?.value ?? '')
    .split(',')
    .filter(Boolean)
  return await change({ base: version, set: { ALLOWED_HOSTS: withHost(hosts, host).join(',') } })
}

import type { Instance } from '../../daemon/instance.ts'
import { type ConsoleAddress, Entrance } from '../../http/console/entrance.ts'
import { permittedHosts } from '../../settings/hosts.ts'
import type { System } from '../../system/ports.ts'
import { urlOf } from './report.ts'

const urlOfPort = ({ host, port }: ConsoleAddress): string => {
  const isAll = host === '0.0.0.0' || host === '::'
  const named = host.includes(':') ? `[${host}]` : host
  return `http://${isAll ? 'localhost' : named}:${port}`
}

/** Joins the console with the settings in force. */
export const createEntrance = ({ clock, randomText }: System, instance: Instance): Entrance =>
  new Entrance({
    clock,
    randomText,
    given: instance.inForce.settings.CONSOLE_CODE,
    place: () => instance.inForce.settings.CONSOLE,
    hosts: () => permittedHosts(instance.inForce.settings),
    urlOf: (port) => (port === undefined ? urlOf(instance) : urlOfPort(port)),
  })

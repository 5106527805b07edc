import type { Instance } from '../daemon/instance.ts'
import { Entrance } from '../http/console/entrance.ts'
import { permittedHosts } from '../settings/hosts.ts'
import type { System } from '../system/ports.ts'
import { consolePath } from '../units/place.ts'
import { urlOf } from './report.ts'

/** Where people open the console, as far as the settings say. */
const urlOfConsole = (instance: Instance, { port: own }: Entrance): string => {
  if (own === undefined) return urlOf(instance)
  const isAll = own.host === '0.0.0.0' || own.host === '::'
  const host = own.host.includes(':') ? `[${own.host}]` : own.host
  return `http://${isAll ? 'localhost' : host}:${own.port}`
}

/** Joins the console with the settings in force. */
export const createEntrance = ({ clock, randomText }: System, instance: Instance) => {
  const entrance = new Entrance({
    clock,
    randomText,
    given: instance.inForce.settings.CONSOLE_CODE,
    place: () => instance.inForce.settings.CONSOLE,
    hosts: () => permittedHosts(instance.inForce.settings),
  })
  const consoleLinkOf = (key: string): string =>
    `${new URL(consolePath, urlOfConsole(instance, entrance)).href}#${key}`
  return { entrance, consoleLinkOf }
}

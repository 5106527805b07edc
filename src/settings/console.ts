import { excerpt } from '../core/message.ts'
import { isIpv4, isIpv6 } from './addresses.ts'

/** Where the console is: nowhere, on Mathesar's port, or on a port of its own. */
export type ConsolePlace = 'off' | 'on' | { readonly host: string; readonly port: number }

const isPort = (port: number): boolean => port >= 1 && port <= 65_535

const parse = (text: string): ConsolePlace | undefined => {
  if (text === 'off' || text === 'on') return text
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([\d.]+)):(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (!isPort(port)) return undefined
  if (bracketed !== undefined && isIpv6(bracketed)) return { host: bracketed, port }
  return plain !== undefined && isIpv4(plain) ? { host: plain, port } : undefined
}

/** Why a text is not a value of CONSOLE. */
export const whyNotConsole = (text: string): string | undefined =>
  parse(text) === undefined
    ? `"${excerpt(text, 80)}" is neither on nor off, nor an address with a port such as 0.0.0.0:9000`
    : undefined

/** What a value of CONSOLE means that was checked. */
export const consolePlaceOf = (text: string): ConsolePlace => parse(text) ?? 'off'

import { excerpt } from '../core/message.ts'
import { isRecord } from '../core/record.ts'
import { listItems } from '../core/text.ts'
import { isIpv4, isIpv6 } from './addresses.ts'

/** A name that DNS or a network of containers may have: labels of letters, digits, hyphens, underscores. */
const isHostName = (text: string): boolean =>
  text.length <= 253 &&
  text.split('.').every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label))

/**
 * An address of http or https without a password, for it is shown. nginx gets its host in a list, and that of
 * a URL may have quotes in it.
 */
export const whyNotWebUrl = (text: string, _: unknown, shown: string): string | undefined => {
  const url = /^https?:/.test(text) && URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !(isHostName(url.hostname) || url.hostname.startsWith('[')))
    return `${shown} is not an http or https address`
  return url.username === '' && url.password === '' ? undefined : 'the address has a password, which is shown'
}

/** The host of a text that holds more than one, if it is there: to say what to write in its place. */
const hostIn = (text: string): string | undefined => {
  const inner = text
    .replace(/^["'[\s]+|["'\]\s]+$/g, '')
    .replace(/^[a-z]+:\/\//i, '')
    .replace(/^\*\.?/, '.')
    .replace(/\.$/, '')
  // An address of IPv6, or a network, is none with less.
  if (/:.*:/.test(inner) || /^[\d.]+\//.test(inner)) return undefined
  const [host = ''] = inner.split(/[/:;\s,]/)
  const name = host.replace(/^\./, '')
  if (isHostName(name)) return host
  const ascii = /^[\p{L}\p{N}.-]+$/u.test(name) && URL.canParse(`http://${name}`) && new URL(`http://${name}`)
  return ascii && isHostName(ascii.hostname) ? ascii.hostname : undefined
}

const quoted = (text: string): string => `"${excerpt(text, 80)}"`

/** Why an item of ALLOWED_HOSTS is none that Django takes. */
const whyNotPermittedHost = (item: string): string | undefined => {
  const host = item.replace(/^\./, '')
  if (host.includes('_') && isHostName(host)) {
    return (
      `${quoted(item)} has an underscore, which no host name has: Django refuses it whatever is permitted. ` +
      'Let the proxy pass on the Host that people type'
    )
  }
  const isBracketed = host.startsWith('[') && host.endsWith(']')
  if (item === '*' || isIpv4(host) || isHostName(host) || (isBracketed && isIpv6(host.slice(1, -1))))
    return undefined
  if (isIpv6(host)) return `${quoted(item)} must be in brackets: [${host}]`
  const meant = hostIn(item)
  const form =
    'a host name or address without scheme, port, path or quotes, .example.org for all names below it, or *'
  return `${quoted(item)} must be ${form}${meant === undefined ? '' : `; write ${meant}`}`
}

/** Why an item of CSRF_TRUSTED_ORIGINS has no effect in Django. */
const whyNotOrigin = (item: string): string | undefined => {
  const [, host] = /^https?:\/\/(?:\*\.)?([^/?#@\s]+)$/i.exec(item) ?? []
  if (host !== undefined && URL.canParse(`http://${host}/`)) return undefined
  const meant = hostIn(item)
  return (
    `${quoted(item)} must be an origin with its scheme, such as ` +
    `https://${meant?.replace(/^\./, '') ?? 'mathesar.example.org'}`
  )
}

/** Why a text is not a comma-separated list of what `whyNot` takes. */
const whyNotListOf = (text: string, whyNot: (item: string) => string | undefined): string | undefined => {
  if (/^\s*\[".*"\]\s*$/.test(text)) return `${quoted(text)} must be separated by commas, not written as JSON`
  const items = listItems(text)
  if (items.includes('')) return `${quoted(text)} has an empty item`
  return items.map(whyNot).find((why) => why !== undefined)
}

const whyNotNetwork = (item: string): string | undefined => {
  if (item === 'private' || item === 'none') return undefined
  const [, address = '', bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(item) ?? []
  const most = isIpv4(address) ? 32 : 128
  if ((isIpv4(address) || isIpv6(address)) && Number(bits ?? 0) <= most) return undefined
  return `${quoted(item)} must be an address, a network such as 10.0.0.0/8, \`private\` or \`none\``
}

/** Why a text does not list some of these names. */
export const whyNotNames = (text: string, names: readonly string[]): string | undefined =>
  whyNotListOf(text, (item) =>
    names.includes(item) ? undefined : `${quoted(item)} is none of ${names.join(', ')}`,
  )
export const whyNotNetworks = (text: string): string | undefined => whyNotListOf(text, whyNotNetwork)
export const whyNotHosts = (text: string): string | undefined => whyNotListOf(text, whyNotPermittedHost)
export const whyNotOrigins = (text: string): string | undefined => whyNotListOf(text, whyNotOrigin)

/** Bech32, which has no upper case here. A key for after quantum computers is 2 kB long. */
const whyNotRecipient = (item: string): string | undefined =>
  /^age1[0-9a-z]{20,4000}$/.test(item) ? undefined : `${quoted(item)} must be a public key of age (age1…)`
export const whyNotRecipients = (text: string): string | undefined => whyNotListOf(text, whyNotRecipient)

const isServer = (text: string): boolean =>
  /^\/[^\0\n\r]*$/.test(text) || isIpv4(text) || isIpv6(text) || isHostName(text)

/** Each is tried in turn, at each connection. */
const mostServers = 10

/**
 * Why a text is not a host of a Postgres server: a name or address, or the folder of its socket, or several
 * of which one takes writes, as libpq takes them.
 */
export const whyNotServer = (text: string): string | undefined => {
  const servers = text.split(',')
  const wrong = servers.find((server) => !isServer(server))
  if (wrong === undefined)
    return servers.length > mostServers ? `it names more than ${mostServers} servers` : undefined
  const meant = hostIn(wrong)
  const form = 'one host name or address without scheme, port, blanks or brackets, or the folder of a socket'
  return `${quoted(wrong)} must be ${form}${meant === undefined ? '' : `; write ${meant}`}`
}

/** What gunicorn's arguments may not change, and why. */
const forbiddenArguments: Readonly<Record<string, string>> = {
  '-b': 'the supervisor holds the socket: use BIND_ADDRESS and PORT',
  '--bind': 'the supervisor holds the socket: use BIND_ADDRESS and PORT',
  '-D': 'the supervisor would lose it',
  '--daemon': 'the supervisor would lose it',
  '-c': 'it would replace the configuration of this image',
  '--config': 'it would replace the configuration of this image',
  '--certfile': 'the supervisor could not ask it whether it is ready: let a proxy do TLS',
  '--keyfile': 'the supervisor could not ask it whether it is ready: let a proxy do TLS',
  '-p': 'nothing here reads it',
  '--pid': 'nothing here reads it',
  '-u': 'the supervisor has chosen the user',
  '--user': 'the supervisor has chosen the user',
  '-g': 'the supervisor has chosen the group',
  '--group': 'the supervisor has chosen the group',
  '-e': 'give the variable to the container',
  '--env': 'give the variable to the container',
  '-m': 'media files would be closed to Mathesar',
  '--umask': 'media files would be closed to Mathesar',
  '--initgroups': 'the supervisor has chosen the groups',
  '--chdir': 'Mathesar is where it is',
  '--reload': 'a change of the settings starts a new generation',
  '-k': 'with other workers a change of the settings would reset connections',
  '--worker-class': 'with other workers a change of the settings would reset connections',
  '--threads': 'it is a setting: use WEB_THREADS',
  '--paste': 'it would serve something else',
  '--check-config': 'gunicorn would end at once',
  '--print-config': 'gunicorn would end at once',
  '-v': 'gunicorn would end at once',
  '--version': 'gunicorn would end at once',
  '-h': 'gunicorn would end at once',
  '--help': 'gunicorn would end at once',
}

/** What a shell leaves of a text without its quotes and escapes; `undefined` when one of them has no end. */
const withoutQuotes = (text: string): string | undefined => {
  const rest = text.replace(/\\[^]|'[^']*'|"(?:\\[^]|[^"\\])*"/g, '')
  return /['"\\]/.test(rest) ? undefined : text.replace(/['"\\]/g, '')
}

/**
 * The forbidden option that a word is, also where it is cut short: gunicorn completes that. `-R` takes no
 * value, so that others may follow it in the same word.
 */
const forbiddenIn = (word: string): string | undefined => {
  const short = word.replace(/^-R+(?=[a-zA-Z])/, '-')
  const [option = ''] = word.startsWith('--') ? word.split('=') : [/^-[a-zA-Z]/.exec(short)?.[0]]
  if (Object.hasOwn(forbiddenArguments, option)) return option
  if (!/^--\w{2}/.test(option)) return undefined
  return Object.keys(forbiddenArguments).find((each) => each.startsWith(option))
}

/**
 * Why gunicorn's arguments would break what the supervisor relies on.
 * An argument may be followed by its value or hold it.
 */
export const whyNotArguments = (text: string): string | undefined => {
  if (/[\0\n\r]/.test(text)) return 'it holds a control character'
  const plain = withoutQuotes(text)
  if (plain === undefined) return 'it has a quote or a backslash without its other half'
  const option = plain
    .trim()
    .split(/\s+/)
    .map(forbiddenIn)
    .find((each) => each !== undefined)
  return option === undefined ? undefined : `${option} is not permitted: ${forbiddenArguments[option]}`
}

/** Whether quotes around a value were meant for a shell that never saw them. */
export const hasShellQuotes = (text: string): boolean => /^(["']).*\1$/s.test(text)

/** What about a secret that was refused may be wrong, without showing it. */
export const oddityOf = (text: string): string | undefined => {
  if (hasShellQuotes(text))
    return 'it has quotes around it, which belong to it: `docker run --env-file` keeps them'
  if (/[\r\n]/.test(text)) return 'it holds a line break'
  if (text !== text.trim()) return 'it begins or ends with a blank'
  if (text.includes('\uFFFD')) return 'it came from a file that is not UTF-8'
  return undefined
}

export const isJsonObject = (text: string): boolean => {
  try {
    return isRecord(JSON.parse(text))
  } catch {
    return false
  }
}

type Limits = { readonly min?: number; readonly orFrom?: number; readonly max?: number }

/** Why a text is not a whole number within bounds. `shown` stands for it in the sentence. */
export const whyNotInteger = (
  text: string,
  { min = 0, orFrom = min, max = Number.MAX_SAFE_INTEGER }: Limits,
  shown: string,
): string | undefined => {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  const isFine = number === min || (number >= orFrom && number <= max)
  const besides = orFrom === min ? '' : `${min}, or `
  return isFine ? undefined : `${shown} is not ${besides}a whole number from ${orFrom} to ${max}`
}

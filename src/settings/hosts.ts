import { isIpv4, isIpv6 } from './addresses.ts'
import type { Settings } from './typed.ts'

/** A request that Django refused: for its host, which ALLOWED_HOSTS or nothing may permit, or its origin. */
export type Refusal =
  | { readonly kind: 'host' | 'malformed'; readonly host: string }
  | { readonly kind: 'origin'; readonly origin: string }

// oxfmt-ignore
const hostLine = /^ERROR django\.security\.DisallowedHost: Invalid HTTP_HOST header: '[A-Za-z0-9.:[\]-]{1,270}'\. You may need to add '([^']{1,253})' to ALLOWED_HOSTS\.\r?(?:\n|$)/
// oxfmt-ignore
const malformedLine = /^ERROR django\.security\.DisallowedHost: Invalid HTTP_HOST header: '([a-z0-9._-]{1,253})(?::\d{1,5})?'\. The domain name provided is not valid according to RFC 1034\/1035\.\r?(?:\n|$)/i
// oxfmt-ignore
const originLine = /^WARNING django\.security\.csrf: Forbidden \(Origin checking failed - (https?:\/\/([a-z0-9.-]{1,253}|\[[0-9a-f:]{2,39}\])(?::\d{1,5})?) does not match any trusted origins\.\)/

/** In brackets, as in a URL. */
const isBracketed = (host: string): boolean =>
  /^\[[0-9a-f:]{2,39}\]$/i.test(host) && isIpv6(host.slice(1, -1))
const isLabel = (label: string): boolean => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(label)
/** A last label of digits alone belongs to an address, and then the whole has to be one. */
const isName = (host: string): boolean => host.split('.').every(isLabel) && !/(?:^|\.)\d+$/.test(host)

/** Stands in ALLOWED_HOSTS for the plain addresses of private networks. */
const privateHosts = 'private'

/**
 * Addresses that nobody on the internet has: loopback, RFC 1918, RFC 6598, RFC 4193 and link-local. A page of
 * somebody else cannot reach Mathesar by one of them: for DNS rebinding it needs a name. JavaScript, PCRE
 * (nginx) and Python read the pattern alike.
 */
export const privatePattern =
  '^(?:(?:127\\.\\d+|10\\.\\d+|192\\.168|169\\.254|172\\.(?:1[6-9]|2\\d|3[01])' +
  '|100\\.(?:6[4-9]|[7-9]\\d|1[01]\\d|12[0-7]))\\.\\d+\\.\\d+' +
  '|\\[(?:::1|f[cd][0-9a-f]{2}:[0-9a-f:]*|fe[89ab][0-9a-f]:[0-9a-f:]*)\\])$'

const isPrivate = (host: string): boolean =>
  (isIpv4(host) || isBracketed(host)) && new RegExp(privatePattern).test(host)

const isHost = (host: string): boolean => isName(host) || isIpv4(host) || isBracketed(host)

type HostRefusal = Extract<Refusal, { readonly host: string }>

/**
 * What a refused Host header asked for; `undefined` where nobody should read it. Whoever sends a request
 * chooses it, and people copy what we make of it: nothing but a well-formed host comes out, or a name that
 * only underscores keep from being one.
 */
export const hostRefusal = (header = ''): HostRefusal | undefined => {
  const host = header.toLowerCase().replace(/:\d{1,5}$/, '')
  if (host.length > 253) return undefined
  if (isHost(host)) return { kind: 'host', host }
  const isAlmost = host.includes('_') && isName(host.replaceAll('_', 'x'))
  return isAlmost ? { kind: 'malformed', host } : undefined
}

/** What Django refused in this line of the log. */
export const refusalIn = (line: string): Refusal | undefined => {
  const host = hostLine.exec(line)?.[1]
  if (host !== undefined) {
    const refusal = hostRefusal(host)
    return refusal?.kind === 'host' ? refusal : undefined
  }
  const malformed = malformedLine.exec(line)?.[1]
  if (malformed !== undefined) return hostRefusal(malformed)
  const [, origin, of = ''] = originLine.exec(line) ?? []
  return origin !== undefined && isHost(of) ? { kind: 'origin', origin } : undefined
}

/** Whether Django takes the host (without its port): exactly, below a `.suffix` or at it, or by `*`. */
export const isPermitted = (host: string, allowedHosts: readonly string[]): boolean => {
  const asked = host.toLowerCase().replace(/\.$/, '')
  const permits = (item: string): boolean =>
    item === '*' ||
    item === asked ||
    (item === privateHosts && isPrivate(asked)) ||
    (item.startsWith('.') && (asked.endsWith(item) || asked === item.slice(1)))
  return asked !== '' && allowedHosts.some((item) => permits(item.toLowerCase()))
}

/**
 * The hosts with one more, unless they name it already. An address that `private` permits is named all the
 * same: a certificate that is made here needs names.
 */
export const withHost = (hosts: readonly string[], host: string): readonly string[] => {
  const named = hosts.filter((item) => item !== privateHosts)
  return isPermitted(host, named) ? hosts : [...hosts, host]
}

/** The command that permits the host. */
export const permitCommand = (host: string): string => `supervisor permit ${host}`

/**
 * The name by which the supervisor itself asks Mathesar, which always takes it. Nobody else comes by it: the
 * door refuses it, and by RFC 6761 no resolver leads there.
 */
export const probeHost = 'supervisor.invalid'

const quoted = (text: string): string => `"${text.replaceAll('"', '')}"`

/** What has another meaning there, also in quotes. */
const wordsOfMap: readonly string[] = ['default', 'hostnames', 'include', 'volatile']

/** The same list for the `map` of nginx, by its variable $host: in small letters, and without the port. */
export const hostMapLines = (allowedHosts: readonly string[]): readonly string[] =>
  allowedHosts.flatMap((item) => {
    const host = item.toLowerCase()
    if (host === '*') return ['default 1;']
    if (host === privateHosts) return [`"~${privatePattern}" 1;`]
    // A leading dot: the name itself, and all names below it.
    const exact = host.replace(/^\./, '').replace(/[.[\]*]/g, '\\$&')
    if (host.startsWith('.')) return [`"~^(?:.+\\.)?${exact}$" 1;`]
    return [wordsOfMap.includes(host) ? `"~^${exact}$" 1;` : `${quoted(host)} 1;`]
  })

type Addresses = Pick<Settings, 'ALLOWED_HOSTS' | 'PUBLIC_URL' | 'CSRF_TRUSTED_ORIGINS'>

/** The hosts under which Mathesar may be opened. That of PUBLIC_URL is one of them. */
export const permittedHosts = ({ ALLOWED_HOSTS, PUBLIC_URL }: Addresses): readonly string[] => {
  const host = PUBLIC_URL === undefined ? undefined : new URL(PUBLIC_URL).hostname
  return host === undefined || isPermitted(host, ALLOWED_HOSTS) ? ALLOWED_HOSTS : [...ALLOWED_HOSTS, host]
}

/**
 * The origins from which forms may come.
 * Behind a proxy that does TLS, Django would else refuse those of PUBLIC_URL.
 */
export const trustedOrigins = ({ CSRF_TRUSTED_ORIGINS = [], PUBLIC_URL }: Addresses): readonly string[] => {
  const origin = PUBLIC_URL === undefined ? undefined : new URL(PUBLIC_URL).origin
  return origin === undefined || CSRF_TRUSTED_ORIGINS.includes(origin)
    ? CSRF_TRUSTED_ORIGINS
    : [...CSRF_TRUSTED_ORIGINS, origin]
}

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

const isIPv6 = (host: string): boolean =>
  /^\[[0-9a-f:]{2,39}\]$/i.test(host) && URL.canParse(`http://${host}/`)
const isIPv4 = (host: string): boolean =>
  /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host) &&
  host.split('.').every((part) => String(Number(part)) === part && Number(part) <= 255)
const isLabel = (label: string): boolean => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(label)
/** A last label of digits alone belongs to an address, and then the whole has to be one. */
const isName = (host: string): boolean => host.split('.').every(isLabel) && !/(?:^|\.)\d+$/.test(host)

const isHost = (host: string): boolean => isName(host) || isIPv4(host) || isIPv6(host)

/**
 * What Django refused in this line. Whoever sends a request chooses it, and people copy what we make of it:
 * nothing but a well-formed host or origin comes out, or a name that only underscores keep from being one.
 */
export const refusalIn = (line: string): Refusal | undefined => {
  const host = hostLine.exec(line)?.[1]?.toLowerCase()
  if (host !== undefined) return isHost(host) ? { kind: 'host', host } : undefined
  const malformed = malformedLine.exec(line)?.[1]?.toLowerCase()
  if (malformed !== undefined) {
    const isAlmost = malformed.includes('_') && isName(malformed.replaceAll('_', 'x'))
    return isAlmost ? { kind: 'malformed', host: malformed } : undefined
  }
  const [, origin, of = ''] = originLine.exec(line) ?? []
  return origin !== undefined && isHost(of) ? { kind: 'origin', origin } : undefined
}

/** Whether Django takes the host (without its port): exactly, below a `.suffix` or at it, or by `*`. */
export const isPermitted = (host: string, allowedHosts: readonly string[]): boolean => {
  const asked = host.toLowerCase().replace(/\.$/, '')
  const permits = (item: string): boolean =>
    item === '*' ||
    item === asked ||
    (item.startsWith('.') && (asked.endsWith(item) || asked === item.slice(1)))
  return asked !== '' && allowedHosts.some((item) => permits(item.toLowerCase()))
}

/** The command that permits the host beside those permitted now, quoted for a shell. */
export const permitCommand = (host: string, allowedHosts: readonly string[]): string => {
  const hosts = (isPermitted(host, allowedHosts) ? allowedHosts : [...allowedHosts, host]).join(',')
  return `supervisor config set ALLOWED_HOSTS='${hosts.replaceAll("'", "'\\''")}'`
}

/** A host name that Django will accept from the probe: the first one permitted, made concrete. */
export const probeHost = (allowedHosts: readonly string[]): string => {
  const [first = 'localhost'] = allowedHosts.filter((host) => host !== '*')
  return allowedHosts.includes('*') ? 'localhost' : first.replace(/^\./, '')
}

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

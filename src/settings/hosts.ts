import type { Settings } from './typed.ts'

/**
 * Django's line about a host that ALLOWED_HOSTS does not permit.
 * The one about a malformed host suggests nothing, and neither do we.
 */
// oxfmt-ignore
const refusal = /^ERROR django\.security\.DisallowedHost: Invalid HTTP_HOST header: '[A-Za-z0-9.:[\]-]{1,270}'\. You may need to add '([^']{1,253})' to ALLOWED_HOSTS\.\r?(?:\n|$)/

const isIPv6 = (host: string): boolean =>
  /^\[[0-9a-f:]{2,39}\]$/i.test(host) && URL.canParse(`http://${host}/`)
const isIPv4 = (host: string): boolean =>
  /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host) &&
  host.split('.').every((part) => String(Number(part)) === part && Number(part) <= 255)
const isLabel = (label: string): boolean => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(label)
/** A last label of digits alone belongs to an address, and then the whole has to be one. */
const isName = (host: string): boolean => host.split('.').every(isLabel) && !/(?:^|\.)\d+$/.test(host)

/**
 * The host that Django refused in this line. Whoever sends a request chooses it, and people copy what we make
 * of it: nothing but a well-formed host comes out.
 */
export const refusedHost = (line: string): string | undefined => {
  const host = refusal.exec(line)?.[1]?.toLowerCase()
  return host !== undefined && (isName(host) || isIPv4(host) || isIPv6(host)) ? host : undefined
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

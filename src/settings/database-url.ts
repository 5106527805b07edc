import { definedOf } from '../core/record.ts'
import { SupervisorError } from '../errors.ts'
import { whyNotServer } from './forms.ts'
import { whyInvalid } from './why-invalid.ts'

/** What a DATABASE_URL says. */
export type DatabaseUrl = {
  readonly host: string
  readonly port: number
  readonly name: string
  readonly user: string
  readonly password: string | undefined
  readonly sslmode: string | undefined
  readonly sslrootcert: string | undefined
  /** The server has to prove that the TLS connection ends at it (SCRAM-SHA-256-PLUS). */
  readonly channelBinding?: 'require'
}

/** Parameters that say what the rest of the URL may say, too, or how to connect. */
// oxfmt-ignore
const taken = ['host', 'port', 'dbname', 'user', 'password', 'sslmode', 'sslrootcert', 'channel_binding'] as const
type Parameters = Readonly<Partial<Record<(typeof taken)[number], string>>>

/** Parameters that change nothing of what is read and written, or that mean a pool which is not here. */
// oxfmt-ignore
const harmless = new Set([
  'application_name', 'fallback_application_name', 'client_encoding', 'connect_timeout', 'tcp_user_timeout',
  'keepalives', 'keepalives_idle', 'keepalives_interval', 'keepalives_count', 'gssencmode', 'sslcompression', 'sslsni',
  'pgbouncer', 'connection_limit', 'pool_timeout',
])
/** Values that are the usual ones: asked for, they change nothing either. */
const usual: Readonly<Record<string, readonly string[]>> = {
  target_session_attrs: ['any', 'read-write', 'primary'],
}

const refuse = (why: string): never => {
  throw new SupervisorError('SETTING_INVALID', `cannot use DATABASE_URL: ${why}`, {
    hint: 'Its form is postgres://user:password@host:5432/database',
  })
}

const refuseUnescaped = (): never =>
  refuse('characters of the password such as @, /, ? and # must be escaped: %40, %2F, %3F, %23')

const decode = (part: string): string => {
  let text: string
  try {
    text = decodeURIComponent(part)
  } catch {
    return refuse('it holds a % that begins no escape')
  }
  return text.includes('\0') ? refuse('it holds a zero byte') : text
}

const readParameters = (query: string): Parameters => {
  const found: Partial<Record<(typeof taken)[number], string>> = {}
  for (const item of query.split('&').filter((each) => each !== '')) {
    const [key = '', ...rest] = item.split('=')
    const value = decode(rest.join('='))
    const known = taken.find((each) => each === key)
    if (known !== undefined) found[known] = value
    else if (!harmless.has(key) && !(Object.hasOwn(usual, key) && usual[key]?.includes(value))) {
      // What looks like a parameter may be the end of a password.
      if (query.includes('@') || !/^[a-zA-Z_]{1,40}$/.test(key)) refuseUnescaped()
      refuse(`the parameter ${key} is not supported: it would have no effect`)
    }
  }
  return found
}

/**
 * A host with its port. The folder of a socket is escaped, and may hold colons.
 * What is none may be a part of a password: it is not shown.
 */
const readHost = (text: string): readonly [host: string, port: string | undefined] => {
  const [, escaped, bracketed, plain, port] =
    /^(?:(%2F.*?)|\[([^\]]*)\]|([^:[\]]*))(?::(\d*))?$/i.exec(text) ??
    refuse('its host and port are not host:port')
  return [decode(escaped ?? bracketed ?? plain ?? ''), port || undefined]
}

/** Mathesar knows one port, whatever the number of hosts. */
const portOf = (texts: readonly string[]): number => {
  const [text = '', ...others] = new Set(texts)
  if (others.length > 0) refuse('its hosts have different ports, and Mathesar takes one for all')
  const why = whyInvalid('POSTGRES_PORT', text)
  return why === undefined ? Number(text) : refuse(`its port ${why}`)
}

const checked = (name: 'sslmode' | 'sslrootcert', value: string | undefined): string | undefined => {
  const setting = name === 'sslmode' ? 'POSTGRES_SSLMODE' : 'POSTGRES_SSLROOTCERT'
  const why = value === undefined ? undefined : whyInvalid(setting, value)
  return why === undefined ? value : refuse(`${name} ${why}`)
}

/** What hosts such as Neon put into their URLs. What asks for less than that changes nothing. */
const readBinding = (value: string | undefined): Pick<DatabaseUrl, 'channelBinding'> => {
  if (value === 'require') return { channelBinding: value }
  if (value !== undefined && value !== 'prefer' && value !== 'disable')
    refuse('its channel_binding is not require, prefer or disable')
  return {}
}

/**
 * The parts of a URL as libpq takes them: a user, a host and a database may be in the parameters.
 * It is not that of browsers, which know no URL without a host.
 */
export const parseDatabaseUrl = (text: string): DatabaseUrl => {
  const [, rest] = /^postgres(?:ql)?:\/\/(.*)$/s.exec(text) ?? refuse('it does not begin with postgres://')
  const [, authority = '', path = '', query = ''] =
    /^([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/s.exec(rest!) ?? refuseUnescaped()
  // A password that holds @ or / as they are ends early: what follows would be shown.
  const [server = '', login, ...more] = authority.split('@').toReversed()
  if (more.length > 0 || /[@/]/.test(path)) refuseUnescaped()
  const parameters = readParameters(query)
  const servers = server.split(',').map(readHost)
  const [ownUser = '', ...password] = (login ?? '').split(':')
  const host = parameters.host ?? servers.map(([name]) => name).join(',')
  const name = parameters.dbname ?? decode(path)
  const user = parameters.user ?? decode(ownUser)
  const missing = [!host && 'a host', !name && 'a database', !user && 'a user'].filter(Boolean)
  if (missing.length > 0) refuse(`it lacks ${missing.join(' and ')}`)
  const whyHost = whyNotServer(host)
  if (whyHost !== undefined) refuse(`its host ${whyHost}`)
  return {
    host,
    port: portOf(parameters.port?.split(',') ?? servers.map(([, port]) => port ?? '5432')),
    name,
    user,
    password: (parameters.password ?? decode(password.join(':'))) || undefined,
    sslmode: checked('sslmode', parameters.sslmode),
    sslrootcert: checked('sslrootcert', parameters.sslrootcert),
    ...readBinding(parameters.channel_binding),
  }
}

/** The same as a URL. */
export const formatDatabaseUrl = (url: DatabaseUrl): string => {
  const { host, port, name, user, password, sslmode, sslrootcert, channelBinding } = url
  const login = [user, ...(password === undefined ? [] : [password])].map(encodeURIComponent).join(':')
  const servers = host
    .split(',')
    .map((each) => `${each.includes(':') ? `[${each}]` : encodeURIComponent(each)}:${port}`)
  const given = definedOf({ sslmode, sslrootcert, channel_binding: channelBinding })
  const parameters = Object.entries(given).map(([key, value]) => `${key}=${encodeURIComponent(value)}`)
  const query = parameters.length === 0 ? '' : `?${parameters.join('&')}`
  return `postgres://${login}@${servers.join(',')}/${encodeURIComponent(name)}${query}`
}

import { SupervisorError } from '../errors.ts'
import { whyNotServer } from './forms.ts'
import { databaseSettings, namesDatabase, type Values, whyInvalid } from './table.ts'

/** The Postgres that Mathesar keeps its own tables in. */
export type Database =
  | { readonly kind: 'embedded' }
  | {
      readonly kind: 'external'
      readonly host: string
      readonly port: number
      readonly name: string
      readonly user: string
      readonly password: string | undefined
      readonly sslmode: string | undefined
      readonly sslrootcert: string | undefined
    }

const refuseUrl = (why: string): never => {
  throw new SupervisorError('SETTING_INVALID', `cannot use DATABASE_URL: ${why}`, {
    hint: 'Its form is postgres://user:password@host:5432/database',
  })
}

const decode = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    return refuseUrl('it holds a % that begins no escape')
  }
}

const parseUrl = (text: string): URL => {
  if (!URL.canParse(text)) return refuseUrl('it is not a URL')
  const url = new URL(text)
  return /^postgres(ql)?:$/.test(url.protocol) ? url : refuseUrl('it does not begin with postgres://')
}

/** Parameters that would put tables elsewhere, or log in otherwise. */
const unsupportedParameters = [
  'options',
  'schema',
  'currentSchema',
  'search_path',
  'sslcert',
  'sslkey',
  'service',
]

const fromUrl = (text: string, values: Values): Database => {
  const url = parseUrl(text)
  const name = decode(url.pathname.slice(1))
  const host = url.searchParams.get('host') ?? decode(url.hostname).replace(/^\[(.*)\]$/, '$1')
  // A password that holds @ or / as they are ends the host early: what follows would be shown.
  if (/[@/]/.test(name))
    return refuseUrl('characters of the password such as @ and / must be escaped: %40, %2F')
  const unsupported = [...url.searchParams.keys()].find((key) => unsupportedParameters.includes(key))
  if (unsupported !== undefined)
    return refuseUrl(`the parameter ${unsupported} is not supported: it would have no effect`)
  const missing = [!host && 'a host', !name && 'a database', !url.username && 'a user'].filter(Boolean)
  const whyHost = host ? whyNotServer(host) : undefined
  if (whyHost !== undefined) return refuseUrl(`its host ${whyHost}`)
  if (missing.length > 0) return refuseUrl(`it lacks ${missing.join(' and ')}`)
  const parameter = (
    key: string,
    setting: 'POSTGRES_SSLMODE' | 'POSTGRES_SSLROOTCERT',
  ): string | undefined => {
    const value = url.searchParams.get(key)
    const why = value === null ? undefined : whyInvalid(setting, value)
    return why === undefined ? (value ?? values[setting].value) : refuseUrl(`${key} ${why}`)
  }
  return {
    kind: 'external',
    host,
    port: Number(url.port || 5432),
    name,
    user: decode(url.username),
    password: decode(url.password) || undefined,
    sslmode: parameter('sslmode', 'POSTGRES_SSLMODE'),
    sslrootcert: parameter('sslrootcert', 'POSTGRES_SSLROOTCERT'),
  }
}

const chooseDatabase = (values: Values): Database => {
  const url = values.DATABASE_URL.value
  const given = databaseSettings.filter((name) => namesDatabase(name) && values[name].value !== undefined)
  if (url !== undefined && given.length > 0) {
    throw new SupervisorError(
      'SETTING_INVALID',
      `cannot choose a database: DATABASE_URL and ${given.join(', ')} are both given`,
      { hint: 'Give only one of the two.' },
    )
  }
  if (url !== undefined) return fromUrl(url, values)
  if (given.length === 0) return { kind: 'embedded' }
  const {
    POSTGRES_HOST: { value: host },
    POSTGRES_DB: { value: name },
    POSTGRES_USER: { value: user },
  } = values
  if (host === undefined || name === undefined || user === undefined) {
    const missing = (['POSTGRES_HOST', 'POSTGRES_DB', 'POSTGRES_USER'] as const).filter(
      (each) => values[each].value === undefined,
    )
    throw new SupervisorError(
      'DATABASE_SETTINGS_PARTIAL',
      `cannot choose a database: ${given.join(', ')} given, but not ${missing.join(', ')}`,
    )
  }
  return {
    kind: 'external',
    host,
    port: Number(values.POSTGRES_PORT.value ?? 5432),
    name,
    user,
    password: values.POSTGRES_PASSWORD.value,
    sslmode: values.POSTGRES_SSLMODE.value,
    sslrootcert: values.POSTGRES_SSLROOTCERT.value,
  }
}

/**
 * Which database the settings mean. A partial set is an error that names what is missing,
 * never a silent empty database.
 */
export const databaseOf = (values: Values): Database => {
  const database = chooseDatabase(values)
  if (database.kind === 'embedded' || !database.sslmode?.startsWith('verify')) return database
  if (database.sslrootcert !== undefined || database.host.startsWith('/')) return database
  throw new SupervisorError(
    'SETTING_INVALID',
    `cannot use the database: ${database.sslmode} needs the certificate of a CA, and ` +
      'POSTGRES_SSLROOTCERT is not given',
    {
      hint:
        'Mount the certificate and give its path: `-v ./ca.pem:/ca.pem:ro -e ' +
        'POSTGRES_SSLROOTCERT=/ca.pem`. /etc/ssl/certs/ca-certificates.crt holds the public ones.',
    },
  )
}

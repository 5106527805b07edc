import { SupervisorError } from '../errors.ts'
import { type DatabaseUrl, parseDatabaseUrl } from './database-url.ts'
import { databaseSettings, namesDatabase, type Values } from './table.ts'

/** The Postgres that Mathesar keeps its own tables in. */
export type Database = { readonly kind: 'embedded' } | ({ readonly kind: 'external' } & DatabaseUrl)

/** The servers of which one takes writes: each connection finds out which. */
export const hostsOf = ({ host }: Pick<DatabaseUrl, 'host'>): readonly string[] => host.split(',')

/** What the URL does not say of TLS, the settings say. */
const fromUrl = (text: string, values: Values): Database => {
  const url = parseDatabaseUrl(text)
  return {
    kind: 'external',
    ...url,
    sslmode: url.sslmode ?? values.POSTGRES_SSLMODE.value,
    sslrootcert: url.sslrootcert ?? values.POSTGRES_SSLROOTCERT.value,
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
  if (database.sslrootcert !== undefined || hostsOf(database).every((host) => host.startsWith('/')))
    return database
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

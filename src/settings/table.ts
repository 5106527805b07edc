import { SupervisorError } from '../errors.ts'
import { excerpt } from '../core/message.ts'

type Kind = 'text' | 'integer' | 'boolean' | 'list' | 'choice' | 'url' | 'ipv4' | 'json' | 'path'

/** The least that makes a changed value true. From left to right each includes what Mathesar needs of those before it. */
export type Action =
  | 'nothing'
  | 'generation'
  | 'postgres-reload'
  | 'postgres-restart'
  | 'database'
  | 'container'

type Setting = {
  readonly kind: Kind
  readonly default?: string
  /** Never shown, logged or passed to a service that does not need it. */
  readonly secret?: true
  readonly choices?: readonly string[]
  readonly min?: number
  readonly max?: number
  /** Not in the file: it must not be in the hands of whoever may edit that. */
  readonly only?: 'environment'
  readonly change: Action
  readonly does: string
}

/** Every setting: its environment variable, type, default, whether it is secret, what a change of it needs, and one sentence. */
// oxfmt-ignore
export const settingsTable = {
  ALLOWED_HOSTS: { kind: 'list', default: '.localhost,127.0.0.1,[::1]', change: 'generation', does: 'Host names and addresses under which people open Mathesar, comma-separated; `*` permits all.' },
  PUBLIC_URL: { kind: 'url', change: 'nothing', does: 'The address that the banner and status show, such as https://mathesar.example.org.' },
  PORT: { kind: 'integer', default: '8000', min: 1, max: 65535, change: 'container', does: 'TCP port that Mathesar listens on.' },
  BIND_ADDRESS: { kind: 'ipv4', default: '0.0.0.0', change: 'container', does: 'IPv4 address that Mathesar listens on.' },
  SECRET_KEY: { kind: 'text', secret: true, only: 'environment', change: 'container', does: 'Key that signs sessions and encrypts stored passwords; made on first boot.' },
  CSRF_TRUSTED_ORIGINS: { kind: 'list', change: 'generation', does: 'Addresses of proxies that change the Host, such as https://mathesar.example.org, comma-separated.' },
  DEBUG: { kind: 'boolean', default: 'false', change: 'generation', does: 'Django debug pages: never for others to see.' },
  WEB_CONCURRENCY: { kind: 'integer', min: 1, max: 64, change: 'generation', does: 'Gunicorn worker processes; fitted to memory and processors when not given.' },
  GUNICORN_TIMEOUT: { kind: 'integer', default: '300', min: 1, max: 86400, change: 'generation', does: 'Seconds that one request may take; an import of a large file needs them.' },
  GUNICORN_CMD_ARGS: { kind: 'text', change: 'generation', does: 'Further gunicorn arguments.' },
  POSTGRES_HOST: { kind: 'text', change: 'database', does: 'Host of an existing Postgres; with it, POSTGRES_DB and POSTGRES_USER no embedded Postgres is started.' },
  POSTGRES_PORT: { kind: 'integer', min: 1, max: 65535, change: 'database', does: 'Port of the existing Postgres; 5432 when not given.' },
  POSTGRES_DB: { kind: 'text', change: 'database', does: 'Database of the existing Postgres that Mathesar keeps its own tables in.' },
  POSTGRES_USER: { kind: 'text', change: 'database', does: 'Role on the existing Postgres.' },
  POSTGRES_PASSWORD: { kind: 'text', secret: true, change: 'database', does: 'Password of that role.' },
  POSTGRES_SSLMODE: { kind: 'choice', choices: ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'], change: 'database', does: 'TLS to the existing Postgres, in the words of libpq; `prefer` when not given.' },
  POSTGRES_SSLROOTCERT: { kind: 'path', change: 'database', does: 'File with the certificate of the CA that the existing Postgres must have its own from; /etc/ssl/certs/ca-certificates.crt holds the public ones.' },
  DATABASE_URL: { kind: 'text', secret: true, change: 'database', does: 'The same in one: postgres://user:password@host:port/database?sslmode=require.' },
  EMBEDDED_POSTGRES_WORK_MEM: { kind: 'integer', min: 1, max: 65536, change: 'postgres-reload', does: 'MiB that one sort or hash of the embedded Postgres may take; 4 when not given.' },
  EMBEDDED_POSTGRES_LOG_SLOW: { kind: 'integer', min: 0, max: 86400000, change: 'postgres-reload', does: 'Milliseconds from which on the embedded Postgres logs a statement; it logs none when not given.' },
  EMBEDDED_POSTGRES_SHARED_BUFFERS: { kind: 'integer', min: 16, max: 1048576, change: 'postgres-restart', does: 'MiB of shared memory of the embedded Postgres; an eighth of the container when not given.' },
  EMBEDDED_POSTGRES_MAX_CONNECTIONS: { kind: 'integer', default: '100', min: 20, max: 10000, change: 'postgres-restart', does: 'Connections that the embedded Postgres accepts at a time.' },
  DATABASE_WAIT_TIMEOUT: { kind: 'integer', default: '120', min: 0, max: 86400, change: 'nothing', does: 'Seconds to wait at boot for an existing Postgres that does not answer yet.' },
  SSO_CONFIG_DICT: { kind: 'json', secret: true, change: 'generation', does: 'Single sign-on, as JSON; the file sso.yml serves the same.' },
  OIDC_CONFIG_DICT: { kind: 'json', secret: true, change: 'generation', does: 'Older name of SSO_CONFIG_DICT.' },
  REQUIRE_SSO_LOGIN: { kind: 'boolean', default: 'false', change: 'generation', does: 'Permit login by single sign-on alone.' },
  FILE_STORAGE_DICT: { kind: 'json', secret: true, change: 'generation', does: 'File storage backends, as JSON; the file file_storage.yml serves the same.' },
  UI_MAY_EDIT_CONFIG: { kind: 'boolean', default: 'false', only: 'environment', change: 'container', does: "Let Mathesar's own user write mathesar.env and change settings through a socket of its own." },
  LOG_FORMAT: { kind: 'choice', choices: ['text', 'json'], default: 'text', change: 'container', does: 'Log lines for people, or one JSON object a line.' },
  LOG_LEVEL: { kind: 'choice', choices: ['debug', 'info', 'warn', 'error'], default: 'info', change: 'container', does: "Least level of the supervisor's own lines." },
  STOP_GRACE_PERIOD: { kind: 'integer', default: '10', min: 2, max: 3600, change: 'nothing', does: 'Seconds from SIGTERM to the SIGKILL of the platform (`docker stop -t`); the stop ends before it.' },
} as const satisfies Record<string, Setting>

export type SettingName = keyof typeof settingsTable
export const settingNames = Object.keys(settingsTable) as SettingName[]
export const settingOf = (name: SettingName): Setting => settingsTable[name]

export type Source = 'default' | 'file' | 'environment'
export type Value = { readonly value: string | undefined; readonly source: Source }
export type Values = Readonly<Record<SettingName, Value>>
export type Environment = Readonly<Record<string, string | undefined>>
export const isSetting = (name: string): name is SettingName => Object.hasOwn(settingsTable, name)

/** The words that Mathesar takes for true. */
export const isTrue = (text: string | undefined): boolean =>
  text !== undefined && ['true', 'True', 't'].includes(text)

const isIpv4 = (text: string): boolean =>
  text.split('.').length === 4 &&
  text.split('.').every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)

const isJsonObject = (text: string): boolean => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}

/** Why `text` is no value for the setting, or `undefined` when it is. Never repeats the value of a secret. */
export const whyInvalid = (name: SettingName, text: string): string | undefined => {
  const setting = settingOf(name)
  const shown = setting.secret ? 'the value' : `"${excerpt(text, 80)}"`
  if (/[\0\n\r]/.test(text) && setting.kind !== 'text' && setting.kind !== 'json')
    return `${shown} holds a control character`
  switch (setting.kind) {
    case 'integer': {
      const { min = 0, max = Number.MAX_SAFE_INTEGER } = setting
      const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
      return number >= min && number <= max
        ? undefined
        : `${shown} is not a whole number from ${min} to ${max}`
    }
    case 'boolean':
      return isTrue(text) || ['false', 'False', 'f'].includes(text)
        ? undefined
        : `${shown} is neither true nor false`
    case 'choice':
      return setting.choices?.includes(text)
        ? undefined
        : `${shown} is none of ${setting.choices?.join(', ')}`
    case 'list':
      return text.split(',').every((item) => item.trim() !== '') ? undefined : `${shown} has an empty item`
    case 'url':
      return URL.canParse(text) && /^https?:/.test(text) ? undefined : `${shown} is no http or https address`
    case 'ipv4':
      return isIpv4(text) ? undefined : `${shown} is no IPv4 address such as 127.0.0.1`
    case 'json':
      return isJsonObject(text) ? undefined : `${shown} is no JSON object`
    case 'path':
      return text.startsWith('/') ? undefined : `${shown} is no absolute path`
    case 'text':
      return text.includes('\0') ? `${shown} holds a zero byte` : undefined
  }
}

/** What the environment gives, directly or by the file that a `NAME_FILE` variable names. An empty variable counts as not given. */
const readEnvironment = (
  environment: Environment,
  readFile: (path: string) => string,
): Partial<Record<SettingName, string>> => {
  const read = (name: SettingName): string | undefined => {
    // For a service named postgres, Kubernetes gives every container a POSTGRES_PORT of this form.
    const direct =
      (name === 'POSTGRES_PORT' && environment[name]?.startsWith('tcp://')) || environment[name] === ''
        ? undefined
        : environment[name]
    const path = environment[`${name}_FILE`] || undefined
    if (direct !== undefined && path !== undefined)
      throw new SupervisorError(
        'SETTING_INVALID',
        `cannot use ${name}: ${name} and ${name}_FILE are both given`,
        { hint: `Give only one of ${name} and ${name}_FILE.` },
      )
    let text = direct
    if (path !== undefined) {
      try {
        text = readFile(path).replace(/\r?\n$/, '')
      } catch (cause) {
        throw new SupervisorError(
          'SETTING_INVALID',
          `cannot use ${name}_FILE: cannot read ${path}: ${(cause as NodeJS.ErrnoException).code ?? (cause as Error).message}`,
          { cause },
        )
      }
      if (text === '')
        throw new SupervisorError('SETTING_INVALID', `cannot use ${name}_FILE: ${path} is empty`)
    }
    const why = text === undefined ? undefined : whyInvalid(name, text)
    if (why !== undefined) throw new SupervisorError('SETTING_INVALID', `cannot use ${name}: ${why}`)
    return text
  }
  return Object.fromEntries(
    settingNames.flatMap((name) => {
      const text = read(name)
      return text === undefined ? [] : [[name, text]]
    }),
  )
}

const databaseSettings = [
  'POSTGRES_HOST',
  'POSTGRES_PORT',
  'POSTGRES_DB',
  'POSTGRES_USER',
  'POSTGRES_PASSWORD',
  'POSTGRES_SSLMODE',
  'POSTGRES_SSLROOTCERT',
] as const
/** Those that say which database; the others say how to connect to it, also beside a DATABASE_URL, unless the file has them for another one. */
const namesDatabase = (name: SettingName): boolean =>
  name !== 'POSTGRES_SSLMODE' && name !== 'POSTGRES_SSLROOTCERT'

/**
 * default < file < environment. The two ways to name a database exclude each other: that of the environment puts aside the other one
 * in the file, which an earlier container may have left there. `file` has been checked before.
 */
export const readSettings = (
  environment: Environment,
  readFile: (path: string) => string,
  file: Partial<Record<SettingName, string>> = {},
): Values => {
  const given = readEnvironment(environment, readFile)
  const ofFile = databaseSettings.filter(namesDatabase).some((name) => file[name] !== undefined)
    ? databaseSettings
    : []
  const putAside = new Set<SettingName>([
    ...(given.DATABASE_URL === undefined ? [] : ofFile),
    ...(databaseSettings.some((name) => namesDatabase(name) && given[name] !== undefined)
      ? ['DATABASE_URL' as const]
      : []),
  ])
  const read = (name: SettingName): Value => {
    if (given[name] !== undefined) return { value: given[name], source: 'environment' }
    if (file[name] !== undefined && !putAside.has(name)) return { value: file[name], source: 'file' }
    return { value: settingOf(name).default, source: 'default' }
  }
  return Object.fromEntries(settingNames.map((name) => [name, read(name)])) as Record<SettingName, Value>
}

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

const fromUrl = (text: string, values: Values): Database => {
  const refuse = (why: string): never => {
    throw new SupervisorError('SETTING_INVALID', `cannot use DATABASE_URL: ${why}`, {
      hint: 'Its form is postgres://user:password@host:5432/database',
    })
  }
  if (!URL.canParse(text)) return refuse('it is no URL')
  const url = new URL(text)
  if (!/^postgres(ql)?:$/.test(url.protocol)) return refuse('it does not begin with postgres://')
  const decode = (part: string): string => {
    try {
      return decodeURIComponent(part)
    } catch {
      return refuse('it holds a % that begins no escape')
    }
  }
  const name = decode(url.pathname.slice(1))
  const host = url.searchParams.get('host') ?? decode(url.hostname).replace(/^\[(.*)\]$/, '$1')
  if (!host || !name || !url.username)
    return refuse(
      `it lacks ${[!host && 'a host', !name && 'a database', !url.username && 'a user'].filter(Boolean).join(' and ')}`,
    )
  const parameter = (key: string, name: 'POSTGRES_SSLMODE' | 'POSTGRES_SSLROOTCERT'): string | undefined => {
    const value = url.searchParams.get(key)
    const why = value === null ? undefined : whyInvalid(name, value)
    return why === undefined ? (value ?? values[name].value) : refuse(`${key} ${why}`)
  }
  const [sslmode, sslrootcert] = [
    parameter('sslmode', 'POSTGRES_SSLMODE'),
    parameter('sslrootcert', 'POSTGRES_SSLROOTCERT'),
  ]
  return {
    kind: 'external',
    host,
    port: Number(url.port || 5432),
    name,
    user: decode(url.username),
    password: decode(url.password) || undefined,
    sslmode,
    sslrootcert,
  }
}

const chooseDatabase = (values: Values): Database => {
  const url = values.DATABASE_URL.value
  const given = databaseSettings.filter((name) => namesDatabase(name) && values[name].value !== undefined)
  if (url !== undefined) {
    if (given.length > 0)
      throw new SupervisorError(
        'SETTING_INVALID',
        `cannot choose a database: DATABASE_URL and ${given.join(', ')} are both given`,
        { hint: 'Give only one of the two.' },
      )
    return fromUrl(url, values)
  }
  if (given.length === 0) return { kind: 'embedded' }
  const missing = (['POSTGRES_HOST', 'POSTGRES_DB', 'POSTGRES_USER'] as const).filter(
    (name) => values[name].value === undefined,
  )
  if (missing.length > 0)
    throw new SupervisorError(
      'DATABASE_SETTINGS_PARTIAL',
      `cannot choose a database: ${given.join(', ')} given, but not ${missing.join(', ')}`,
    )
  return {
    kind: 'external',
    host: values.POSTGRES_HOST.value!,
    port: Number(values.POSTGRES_PORT.value ?? 5432),
    name: values.POSTGRES_DB.value!,
    user: values.POSTGRES_USER.value!,
    password: values.POSTGRES_PASSWORD.value,
    sslmode: values.POSTGRES_SSLMODE.value,
    sslrootcert: values.POSTGRES_SSLROOTCERT.value,
  }
}

/** Which database the settings mean. A partial set is an error that names what is missing, never a silent empty database. */
export const databaseOf = (values: Values): Database => {
  const database = chooseDatabase(values)
  if (
    database.kind === 'external' &&
    database.sslmode?.startsWith('verify') &&
    database.sslrootcert === undefined &&
    !database.host.startsWith('/')
  ) {
    throw new SupervisorError(
      'SETTING_INVALID',
      `cannot use the database: ${database.sslmode} needs the certificate of a CA, and POSTGRES_SSLROOTCERT is not given`,
      {
        hint: 'Mount the certificate and give its path: `-v ./ca.pem:/ca.pem:ro -e POSTGRES_SSLROOTCERT=/ca.pem`. /etc/ssl/certs/ca-certificates.crt holds the public ones.',
      },
    )
  }
  return database
}

/** A host name that Django will accept from the probe: the first one permitted, made concrete. */
export const probeHost = (allowedHosts: string): string => {
  const hosts = allowedHosts.split(',').map((host) => host.trim())
  const [first = 'localhost'] = hosts.filter((host) => host !== '*')
  return hosts.includes('*') ? 'localhost' : first.replace(/^\./, '')
}

import { SupervisorError } from '../errors.ts'

type Kind = 'text' | 'integer' | 'boolean' | 'list' | 'choice' | 'url'

/** What has to happen before a changed value is true. */
export type Action = 'nothing' | 'mathesar' | 'postgres' | 'database' | 'container'

type Setting = {
  readonly kind: Kind
  readonly default?: string
  /** Never shown, logged or passed to a service that does not need it. */
  readonly secret?: true
  readonly choices?: readonly string[]
  readonly min?: number
  readonly max?: number
  readonly change: Action
  readonly does: string
}

/** Every setting: its environment variable, type, default, whether it is secret, what a change of it needs, and one sentence. */
export const settingsTable = {
  ALLOWED_HOSTS: { kind: 'list', default: '.localhost,127.0.0.1,[::1]', change: 'mathesar', does: 'Host names and addresses under which people open Mathesar, comma-separated; `*` permits all.' },
  PUBLIC_URL: { kind: 'url', change: 'nothing', does: 'The address that the banner and status show, such as https://mathesar.example.org.' },
  PORT: { kind: 'integer', default: '8000', min: 1, max: 65535, change: 'container', does: 'TCP port that Mathesar listens on.' },
  BIND_ADDRESS: { kind: 'text', default: '0.0.0.0', change: 'container', does: 'IPv4 address that Mathesar listens on.' },
  SECRET_KEY: { kind: 'text', secret: true, change: 'container', does: 'Key that signs sessions and encrypts stored passwords; made on first boot.' },
  DEBUG: { kind: 'boolean', default: 'false', change: 'mathesar', does: 'Django debug pages: never for others to see.' },
  WEB_CONCURRENCY: { kind: 'integer', min: 1, max: 64, change: 'mathesar', does: 'Gunicorn worker processes; fitted to memory and processors when not given.' },
  GUNICORN_TIMEOUT: { kind: 'integer', default: '300', min: 1, max: 86400, change: 'mathesar', does: 'Seconds that one request may take; an import of a large file needs them.' },
  GUNICORN_CMD_ARGS: { kind: 'text', change: 'mathesar', does: 'Further gunicorn arguments.' },
  POSTGRES_HOST: { kind: 'text', change: 'database', does: 'Host of an existing Postgres; with it, POSTGRES_DB and POSTGRES_USER no embedded Postgres is started.' },
  POSTGRES_PORT: { kind: 'integer', min: 1, max: 65535, change: 'database', does: 'Port of the existing Postgres; 5432 when not given.' },
  POSTGRES_DB: { kind: 'text', change: 'database', does: 'Database of the existing Postgres that Mathesar keeps its own tables in.' },
  POSTGRES_USER: { kind: 'text', change: 'database', does: 'Role on the existing Postgres.' },
  POSTGRES_PASSWORD: { kind: 'text', secret: true, change: 'database', does: 'Password of that role.' },
  POSTGRES_SSLMODE: { kind: 'choice', choices: ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'], change: 'database', does: 'TLS to the existing Postgres, in the words of libpq.' },
  DATABASE_URL: { kind: 'text', secret: true, change: 'database', does: 'The same in one: postgres://user:password@host:port/database?sslmode=require.' },
  DATABASE_WAIT_TIMEOUT: { kind: 'integer', default: '120', min: 0, max: 86400, change: 'nothing', does: 'Seconds to wait at boot for an existing Postgres that does not answer yet.' },
  SSO_CONFIG_DICT: { kind: 'text', secret: true, change: 'mathesar', does: 'Single sign-on, as JSON; the file sso.yml serves the same.' },
  OIDC_CONFIG_DICT: { kind: 'text', secret: true, change: 'mathesar', does: 'Older name of SSO_CONFIG_DICT.' },
  REQUIRE_SSO_LOGIN: { kind: 'boolean', default: 'false', change: 'mathesar', does: 'Permit login by single sign-on alone.' },
  FILE_STORAGE_DICT: { kind: 'text', secret: true, change: 'mathesar', does: 'File storage backends, as JSON; the file file_storage.yml serves the same.' },
  LOG_FORMAT: { kind: 'choice', choices: ['text', 'json'], default: 'text', change: 'container', does: 'Log lines for people, or one JSON object a line.' },
  LOG_LEVEL: { kind: 'choice', choices: ['debug', 'info', 'warn', 'error'], default: 'info', change: 'container', does: "Least level of the supervisor's own lines." },
  STOP_GRACE_PERIOD: { kind: 'integer', default: '10', min: 2, max: 3600, change: 'nothing', does: 'Seconds from SIGTERM to the SIGKILL of the platform (`docker stop -t`); the stop ends before it.' },
} as const satisfies Record<string, Setting>

export type SettingName = keyof typeof settingsTable
export const settingNames = Object.keys(settingsTable) as SettingName[]
export const settingOf = (name: SettingName): Setting => settingsTable[name]

export type Source = 'default' | 'environment' | 'file'
export type Value = { readonly value: string | undefined; readonly source: Source }
export type Values = Readonly<Record<SettingName, Value>>

/** Why `text` is no value for the setting, or `undefined` when it is. Never repeats the value of a secret. */
export const whyInvalid = (name: SettingName, text: string): string | undefined => {
  const setting = settingOf(name)
  const shown = setting.secret ? 'the value' : `"${text}"`
  if (/[\0\n\r]/.test(text) && setting.kind !== 'text') return `${shown} holds a control character`
  switch (setting.kind) {
    case 'integer': {
      const { min = 0, max = Number.MAX_SAFE_INTEGER } = setting
      const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
      return number >= min && number <= max ? undefined : `${shown} is not a whole number from ${min} to ${max}`
    }
    case 'boolean': return ['true', 'True', 't', 'false', 'False', 'f'].includes(text) ? undefined : `${shown} is neither true nor false`
    case 'choice': return setting.choices?.includes(text) ? undefined : `${shown} is none of ${setting.choices?.join(', ')}`
    case 'list': return text.split(',').every((item) => item.trim() !== '') ? undefined : `${shown} has an empty item`
    case 'url': return URL.canParse(text) && /^https?:/.test(text) ? undefined : `${shown} is no http or https address`
    case 'text': return text.includes('\0') ? `${shown} holds a zero byte` : undefined
  }
}

/** Settings from the environment and from the files that `NAME_FILE` variables name. An empty variable counts as not given. */
export const readSettings = (env: Readonly<Record<string, string | undefined>>, readFile: (path: string) => string): Values => {
  const read = (name: SettingName): Value => {
    const direct = env[name] || undefined
    const path = env[`${name}_FILE`] || undefined
    if (direct !== undefined && path !== undefined) throw new SupervisorError('SETTING_INVALID', `cannot use ${name}: ${name} and ${name}_FILE are both given`, { hint: `Give only one of ${name} and ${name}_FILE.` })
    if (direct === undefined && path === undefined) return { value: (settingOf(name) as Setting).default, source: 'default' }
    let text = direct
    if (path !== undefined) {
      try {
        text = readFile(path).replace(/\r?\n$/, '')
      } catch (cause) {
        throw new SupervisorError('SETTING_INVALID', `cannot use ${name}_FILE: cannot read ${path}: ${(cause as NodeJS.ErrnoException).code ?? 'unknown'}`, { cause })
      }
    }
    if (text === '') throw new SupervisorError('SETTING_INVALID', `cannot use ${name}_FILE: ${path} is empty`)
    const why = whyInvalid(name, text!)
    if (why !== undefined) throw new SupervisorError('SETTING_INVALID', `cannot use ${name}: ${why}`)
    return { value: text, source: path === undefined ? 'environment' : 'file' }
  }
  return Object.fromEntries(settingNames.map((name) => [name, read(name)])) as Record<SettingName, Value>
}

/** The Postgres that Mathesar keeps its own tables in. */
export type Database =
  | { readonly kind: 'embedded' }
  | { readonly kind: 'external'; readonly host: string; readonly port: number; readonly name: string; readonly user: string; readonly password: string | undefined; readonly sslmode: string | undefined }

const fromUrl = (text: string): Database => {
  const refuse = (why: string): never => { throw new SupervisorError('SETTING_INVALID', `cannot use DATABASE_URL: ${why}`, { hint: 'Its form is postgres://user:password@host:5432/database' }) }
  if (!URL.canParse(text)) return refuse('it is no URL')
  const url = new URL(text)
  if (!/^postgres(ql)?:$/.test(url.protocol)) return refuse('it does not begin with postgres://')
  const decode = (part: string): string => { try { return decodeURIComponent(part) } catch { return refuse('it holds a % that begins no escape') } }
  const name = decode(url.pathname.slice(1))
  const host = url.searchParams.get('host') ?? decode(url.hostname).replace(/^\[(.*)\]$/, '$1')
  if (!host || !name || !url.username) return refuse(`it lacks ${[!host && 'a host', !name && 'a database', !url.username && 'a user'].filter(Boolean).join(' and ')}`)
  const sslmode = url.searchParams.get('sslmode') ?? undefined
  const why = sslmode === undefined ? undefined : whyInvalid('POSTGRES_SSLMODE', sslmode)
  if (why !== undefined) return refuse(`sslmode ${why}`)
  return { kind: 'external', host, port: Number(url.port || 5432), name, user: decode(url.username), password: decode(url.password) || undefined, sslmode }
}

/** Which database the settings mean. A partial set is an error that names what is missing, never a silent empty database. */
export const databaseOf = (values: Values): Database => {
  const url = values.DATABASE_URL.value
  const given = (['POSTGRES_HOST', 'POSTGRES_DB', 'POSTGRES_USER', 'POSTGRES_PASSWORD', 'POSTGRES_PORT'] as const).filter((name) => values[name].value !== undefined)
  if (url !== undefined) {
    if (given.length > 0) throw new SupervisorError('SETTING_INVALID', `cannot choose a database: DATABASE_URL and ${given.join(', ')} are both given`, { hint: 'Give only one of the two.' })
    return fromUrl(url)
  }
  if (given.length === 0) return { kind: 'embedded' }
  const missing = (['POSTGRES_HOST', 'POSTGRES_DB', 'POSTGRES_USER'] as const).filter((name) => values[name].value === undefined)
  if (missing.length > 0) throw new SupervisorError('DATABASE_SETTINGS_PARTIAL', `cannot choose a database: ${given.join(', ')} given, but not ${missing.join(', ')}`)
  return {
    kind: 'external', host: values.POSTGRES_HOST.value!, port: Number(values.POSTGRES_PORT.value ?? 5432), name: values.POSTGRES_DB.value!,
    user: values.POSTGRES_USER.value!, password: values.POSTGRES_PASSWORD.value, sslmode: values.POSTGRES_SSLMODE.value,
  }
}

/** A host name that Django will accept from the probe: the first one permitted, made concrete. */
export const probeHost = (allowedHosts: string): string => {
  const hosts = allowedHosts.split(',').map((host) => host.trim())
  const [first = 'localhost'] = hosts.filter((host) => host !== '*')
  return hosts.includes('*') ? 'localhost' : first.replace(/^\./, '')
}

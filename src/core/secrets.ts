import type { Configuration } from './configuration.ts'
import { settingNames, settingOf } from './settings.ts'

const secretKey = /secret|password|passwd|token|key|credential|connection_string/i

/** The texts under keys that tell of a secret, at any depth. */
const nested = (value: unknown, key = ''): string[] => {
  if (typeof value === 'string') return secretKey.test(key) ? [value] : []
  return typeof value === 'object' && value !== null ? Object.entries(value).flatMap(([name, inner]) => nested(inner, Array.isArray(value) ? key : name)) : []
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Every secret of a configuration, for the log to leave out: values of secret settings, what they hold as JSON, and the same of the YAML files. */
export const secretsOf = ({ settings, database, files }: Configuration): string[] => [
  ...settingNames.filter((name) => settingOf(name).secret).flatMap((name) => { const { value } = settings[name]; return value === undefined ? [] : [value, ...nested(parsed(value))] }),
  ...(database.kind === 'external' && database.password !== undefined ? [database.password] : []),
  // Of YAML a line by line look is enough: a secret is a plain value there.
  ...['sso.yml', 'file_storage.yml'].flatMap((name) => [...(files[name as 'sso.yml'] ?? '').matchAll(/^[ \t-]*["']?([\w-]+)["']?[ \t]*:[ \t]*["']?([^"'\n]+?)["']?[ \t]*$/gm)].flatMap(([, key = '', value = '']) => nested(value, key))),
]

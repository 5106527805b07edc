import type { Configuration } from './configuration.ts'
import { settingNames, settingOf } from './table.ts'

const secretKey = /secret|password|passwd|token|key|credential|connection_string/i

/**
 * How many secrets of a configuration the log looks out for. Each is looked for in all that is logged,
 * and a file may hold thousands.
 */
const secretsLimit = 100

/**
 * The texts under keys that tell of a secret, at any depth; YAML takes one of digits for a number. By hand:
 * what people write may be too deep for recursion, and YAML may hold itself.
 */
const underSecretKeys = (root: unknown): string[] => {
  const found: string[] = []
  const seen = new Set<object>()
  const open: (readonly [key: string, value: unknown])[] = [['', root]]
  for (const [key, value] of open) {
    if ((typeof value === 'string' || typeof value === 'number') && secretKey.test(key))
      found.push(String(value))
    if (typeof value !== 'object' || value === null || seen.has(value)) continue
    seen.add(value)
    for (const [name, inner] of Object.entries(value)) open.push([Array.isArray(value) ? key : name, inner])
  }
  return found
}

const secretNames = settingNames.filter((name) => settingOf(name).secret)

const parsed = (text: string): unknown => {
  if (!/^\s*[[{]/.test(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * The secrets of a configuration, for the log to leave out: values of secret settings,
 * what they hold as JSON, and the same of the YAML files.
 */
export const secretsOf = ({ values: given, database, yaml }: Configuration): string[] => {
  const values = secretNames.flatMap((name) => given[name].value ?? [])
  const found = [
    ...values,
    ...(database.kind === 'external' && database.password !== undefined ? [database.password] : []),
    ...[...values.map(parsed), ...yaml].flatMap(underSecretKeys),
  ]
  return [...new Set(found)].slice(0, secretsLimit)
}

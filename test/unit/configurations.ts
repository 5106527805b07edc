import fc from 'fast-check'
import { formatEntry } from '../../src/settings/env-file.ts'
import { type ConfigFiles, type Configuration, readConfiguration } from '../../src/settings/configuration.ts'
import { type Environment, settingNames, settingOf, type SettingName } from '../../src/settings/table.ts'
import { whyInvalid } from '../../src/settings/why-invalid.ts'
import { cleanValue } from '../../src/settings/values.ts'
import { loadYaml } from '../../src/system/yaml.ts'
import { anyCharacter } from './characters.ts'

const parseYaml = await loadYaml()

export type Given = Partial<Record<SettingName, string>>

export const filesOf = (text: string | undefined, others: Partial<ConfigFiles> = {}): ConfigFiles => ({
  'mathesar.env': text,
  'sso.yml': undefined,
  'file_storage.yml': undefined,
  'login_page.yml': undefined,
  ...others,
})
export const fileOf = (given: Given): string =>
  Object.entries(given)
    .map(([name, value]) => `${formatEntry(name, value)}\n`)
    .join('')

/** Reads files and an environment as the daemon does. `secretFiles` are those that a NAME_FILE may name. */
export const read = (
  files: ConfigFiles,
  environment: Environment = {},
  secretFiles: Readonly<Record<string, string>> = {},
  mathesar: string | null = null,
): Configuration =>
  readConfiguration(files, {
    environment,
    parseYaml,
    mathesar,
    readFile: (path) =>
      secretFiles[path] ??
      (() => {
        throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
      })(),
  })
export const readFile = (given: Given | string, environment: Environment = {}): Configuration =>
  read(filesOf(typeof given === 'string' ? given : fileOf(given)), environment)

const databaseNames = [
  'POSTGRES_HOST',
  'POSTGRES_PORT',
  'POSTGRES_DB',
  'POSTGRES_USER',
  'POSTGRES_PASSWORD',
  'POSTGRES_SSLMODE',
  'POSTGRES_SSLROOTCERT',
  'DATABASE_URL',
] as const
const text = fc
  .string({ unit: anyCharacter, minLength: 1, maxLength: 12 })
  .filter((value) => !value.includes('\0'))
const host = fc.constantFrom('a.org', '.b.org', '10.0.0.1', '[::1]', '*', 'c-1.org')
const origin = fc.constantFrom('https://a.org', 'http://10.0.0.1:8000', 'https://*.b.org')
const listOf = (item: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.array(item, { minLength: 1, maxLength: 3 }).map((items) => items.join(', '))

const anyTextOf = (name: SettingName): fc.Arbitrary<string> => {
  const { kind, choices = [], min = 0, max = 1e9 } = settingOf(name)
  switch (kind) {
    case 'integer':
      return fc.integer({ min, max }).map(String)
    case 'duration':
      return fc.constantFrom('off', '1s', '30m', '2h', '1d')
    case 'boolean':
      return fc.constantFrom('true', 'True', 't', 'false', 'False', 'f')
    case 'choice':
      return fc.constantFrom(...choices)
    case 'names':
      return listOf(fc.constantFrom(...choices))
    case 'hosts':
      return listOf(host)
    case 'origins':
      return listOf(origin)
    case 'server':
      return fc.constantFrom('db', 'db.example.org', '10.0.0.1', 'fd00::7', '/run/postgresql')
    case 'networks':
      return listOf(fc.constantFrom('10.0.0.0/8', '127.0.0.1', 'private', 'fc00::/7'))
    case 'recipients':
      return listOf(fc.constantFrom('age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p'))
    case 'places':
      return fc.constantFrom('volume', '/backups', 'volume, s3://bucket/a/b')
    case 'schedule':
      return fc.constantFrom('off', '30 3 * * *', '@daily')
    case 'retention':
      return fc.constantFrom('all', '7 daily, 4 weekly', '3 last')
    case 'notify':
      return fc.constantFrom('https://hooks.example/x', 'ntfy://ntfy.sh/topic')
    case 'updates':
      return fc.constantFrom('off', 'https://releases.example/mathesar.json')
    case 'console':
      return fc.constantFrom('off', 'on', '0.0.0.0:9000', '[::1]:9000')
    case 'arguments':
      return fc.constantFrom('-q', '--max-requests 500', '--log-level=debug')
    case 'url':
      return fc.constantFrom('http://a.org', 'https://b.org:8443/x')
    case 'address':
      return fc.oneof(fc.ipV4(), fc.ipV6())
    case 'json':
      return fc
        .dictionary(fc.string(), fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 2 }), { maxKeys: 2 })
        .map((value) => JSON.stringify(value))
    case 'path':
      return text.map((rest) => `/${rest.replace(/[\n\r]/g, '')}`)
    case 'text':
      return text
  }
}

/** A value that the setting takes, as it is kept: without blanks at its ends. */
export const anyValueOf = (name: SettingName): fc.Arbitrary<string> =>
  anyTextOf(name)
    .map((value) => cleanValue(name, value))
    .filter((value) => value !== '' && whyInvalid(name, value) === undefined)

/** No database, a URL, or a whole set of settings for one. */
const anyDatabase: fc.Arbitrary<Given> = fc.oneof(
  fc.constant({}),
  fc
    .constantFrom(
      'postgres://u:p@db/m',
      'postgres://u@db:5433/m',
      'postgresql://u:other@db2/m?sslmode=require',
    )
    .map((url) => ({ DATABASE_URL: url })),
  fc.record(
    {
      POSTGRES_HOST: anyValueOf('POSTGRES_HOST'),
      POSTGRES_DB: anyValueOf('POSTGRES_DB'),
      POSTGRES_USER: anyValueOf('POSTGRES_USER'),
      POSTGRES_PORT: anyValueOf('POSTGRES_PORT'),
      POSTGRES_PASSWORD: anyValueOf('POSTGRES_PASSWORD'),
      POSTGRES_SSLMODE: anyValueOf('POSTGRES_SSLMODE'),
      POSTGRES_SSLROOTCERT: anyValueOf('POSTGRES_SSLROOTCERT'),
    },
    { requiredKeys: ['POSTGRES_HOST', 'POSTGRES_DB', 'POSTGRES_USER', 'POSTGRES_SSLROOTCERT'] },
  ),
)
const fields = (names: readonly SettingName[]): fc.Arbitrary<Given> =>
  fc.record(Object.fromEntries(names.map((name) => [name, anyValueOf(name)])), { requiredKeys: [] })
const inFile = settingNames.filter(
  (name) => settingOf(name).only === undefined && !databaseNames.some((other) => other === name),
)

/** Settings as a file gives them, valid. A few of them: most of a record of all would be there each time. */
export const anyFile: fc.Arbitrary<Given> = fc
  .subarray(inFile, { maxLength: 6 })
  .chain((names) =>
    fc.tuple(fields(names), anyDatabase).map(([given, database]) => ({ ...given, ...database })),
  )
/** The same of an environment, which may give more. */
export const anyEnvironment: fc.Arbitrary<Given> = fc
  .tuple(anyFile, fields(['SECRET_KEY', 'UI_MAY_EDIT_CONFIG']))
  .map(([file, more]) => ({ ...file, ...more }))
export const anyConfiguration: fc.Arbitrary<Configuration> = fc
  .tuple(anyFile, anyEnvironment, fc.constantFrom(undefined, 'version: 2\n', 'version: 2\nproviders: {}\n'))
  .map(([file, environment, sso]) => read(filesOf(fileOf(file), { 'sso.yml': sso }), environment))

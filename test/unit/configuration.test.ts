import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { editConfig, parseConfig } from '../../src/settings/env-file.ts'
import {
  type Configuration,
  type DescribedSetting,
  describeSetting,
  editsToPersist,
  fileLimitBytes,
  versionOf,
} from '../../src/settings/configuration.ts'
import { isPinned, templateText } from '../../src/settings/proposal.ts'
import { inForceOf } from '../../src/settings/plan.ts'
import { type Environment, settingNames, settingOf, type SettingName } from '../../src/settings/table.ts'
import { Redactor } from '../../src/core/redactor.ts'
import { secretsOf } from '../../src/settings/secrets.ts'
import type { YamlFile } from '../../src/settings/yaml-files.ts'
import { SupervisorError } from '../../src/errors.ts'
import { anyCharacter } from './characters.ts'
import { anyEnvironment, anyFile, fileOf, filesOf, type Given, read, readFile } from './configurations.ts'
import { runs, runsTimeoutMs } from './runs.ts'

const url = 'postgres://u:p@db/m'
const failureOf = (act: () => unknown): SupervisorError => {
  try {
    act()
  } catch (error) {
    return error as SupervisorError
  }
  throw new Error('it did not fail')
}
const shown = ({ values }: Configuration, name: SettingName): string =>
  `${values[name].value} (${values[name].source})`
/** The file as it is after the boot: the environment written into it. */
const persisted = (configuration: Configuration, environment: Environment): string =>
  editConfig(
    configuration.files['mathesar.env'] ?? templateText(),
    editsToPersist(configuration, environment),
  )

describe('a setting', () => {
  test.each<[string, Environment, string]>([
    ['', {}, '300 (default)'],
    ['GUNICORN_TIMEOUT=', {}, '300 (default)'],
    ['# GUNICORN_TIMEOUT=5', {}, '300 (default)'],
    ['GUNICORN_TIMEOUT=5', {}, '5 (file)'],
    ['GUNICORN_TIMEOUT=5', { GUNICORN_TIMEOUT: '' }, '5 (file)'],
    ['GUNICORN_TIMEOUT=5', { GUNICORN_TIMEOUT: '7' }, '7 (environment)'],
    ['GUNICORN_TIMEOUT=5', { GUNICORN_TIMEOUT_FILE: '/secret' }, '9 (environment)'],
  ])('with the file %j and the environment %j is %s', (text, environment, value) => {
    expect(shown(read(filesOf(text), environment, { '/secret': '9\n' }), 'GUNICORN_TIMEOUT')).toBe(value)
  })

  test(
    'comes from the environment, else from the file, else from the table',
    () => {
      fc.assert(
        fc.property(anyFile, anyEnvironment, (file, environment) => {
          const { values } = readFile(file, environment)
          const wanted = settingNames.map((name) => {
            if (environment[name] !== undefined) return { value: environment[name], source: 'environment' }
            if (values[name].source === 'file') return { value: file[name], source: 'file' }
            return { value: settingOf(name).default, source: 'default' }
          })
          expect(settingNames.map((name) => values[name])).toEqual(wanted)
          // What is put aside is a database that the environment names in the other way.
          const putAside = settingNames.filter(
            (name) => file[name] !== undefined && values[name].source === 'default',
          )
          expect(putAside.filter((name) => settingOf(name).appliesBy !== 'database')).toEqual([])
        }),
        runs(40),
      )
    },
    runsTimeoutMs,
  )

  test.each<[string, Given, Environment, string]>([
    [
      'of the environment alone',
      { DATABASE_URL: url },
      { POSTGRES_HOST: 'h', POSTGRES_DB: 'd', POSTGRES_USER: 'u2' },
      'h',
    ],
    [
      'of the environment alone',
      { POSTGRES_HOST: 'h', POSTGRES_DB: 'd', POSTGRES_USER: 'u2', POSTGRES_SSLMODE: 'require' },
      { DATABASE_URL: url },
      'db',
    ],
    [
      'of the environment alone',
      { POSTGRES_HOST: 'h', POSTGRES_DB: 'd', POSTGRES_USER: 'u2', POSTGRES_SSLROOTCERT: '/ca.pem' },
      { DATABASE_URL: url },
      'db',
    ],
    [
      'of the environment, with how the file says to connect',
      { POSTGRES_SSLMODE: 'verify-full', POSTGRES_SSLROOTCERT: '/ca.pem' },
      { DATABASE_URL: url },
      'db',
    ],
    [
      'of both where they say it in the same way',
      { POSTGRES_HOST: 'h', POSTGRES_DB: 'd', POSTGRES_USER: 'u2' },
      { POSTGRES_HOST: 'other' },
      'other',
    ],
    [
      'of the file where the environment says only how to connect',
      { DATABASE_URL: url },
      { POSTGRES_SSLMODE: 'require' },
      'db',
    ],
  ])('that names the database is %s: %j, %j', (_, file, environment, host) => {
    expect(readFile(file, environment).database).toMatchObject({ kind: 'external', host })
  })
})

describe('what is wrong', () => {
  test.each<[string, string]>([
    ['# x\nPORT=abc', 'mathesar.env, line 2: PORT: "abc" is not a whole number from 1 to 65535'],
    ['PORT=1\nPORT=2', 'mathesar.env, line 2: PORT is set twice, on line 1 and on line 2'],
    ['SECRET_KEY=hunter2', 'mathesar.env, line 1: SECRET_KEY: it is taken from the environment only'],
    [
      'UI_MAY_EDIT_CONFIG=true',
      'mathesar.env, line 1: UI_MAY_EDIT_CONFIG: it is taken from the environment only',
    ],
    [
      '\n\nPOSTGRES_PASSWORD_FILE=/hunter2',
      'mathesar.env, line 3: POSTGRES_PASSWORD_FILE: a path is taken from the environment only',
    ],
    ['SSO_CONFIG_DICT=hunter2', 'mathesar.env, line 1: SSO_CONFIG_DICT: the value is not a JSON object'],
    ['hunter2', 'mathesar.env, line 1: it is not NAME=value'],
    [
      'DEBUG=maybe\nLOG_LEVEL=loud',
      'mathesar.env, line 1: DEBUG: "maybe" is neither true nor false; ' +
        'mathesar.env, line 2: LOG_LEVEL: "loud" is none of debug, info, warn, error',
    ],
    [`# ${'x'.repeat(fileLimitBytes)}`, 'mathesar.env: it is larger than 64 KiB'],
  ])('with %.40j is said with file and line: %s', (text, faults) => {
    const { code, message } = failureOf(() => readFile(text))
    expect([code, message]).toEqual(['CONFIG_INVALID', `cannot use the configuration: ${faults}`])
    expect(message).not.toContain('hunter2')
  })

  test.each<[YamlFile, string, string | undefined]>([
    ['sso.yml', '', 'it must be a mapping'],
    ['sso.yml', '- a', 'it must be a mapping'],
    ['sso.yml', 'version: 3', 'its version must be 1 or 2'],
    ['sso.yml', 'oidc_providers: [hunter2]', 'oidc_providers must be a mapping'],
    ['sso.yml', 'version: 2\nproviders: hunter2', 'providers must be a mapping'],
    ['sso.yml', 'version: 1\noidc_providers:', undefined],
    ['sso.yml', 'version: 2\nproviders:\n  p: {secret: x}', undefined],
    ['sso.yml', 'version: 2\nproviders: &a {p: *a}', undefined],
    ['file_storage.yml', '{}', undefined],
    ['file_storage.yml', 's3:\n  kwargs: {secret: hunter2}', undefined],
    ['file_storage.yml', 's3: hunter2', 's3 must be a mapping'],
    ['file_storage.yml', 'null', 'it must be a mapping'],
    [
      'login_page.yml',
      'heading: Hello\nbody:\ntranslations: {es: {heading: Hola}, fr: {body: Salut}}',
      undefined,
    ],
    ['login_page.yml', 'Hello', 'it must be a mapping'],
    ['login_page.yml', 'heading: 12', 'heading must be a text'],
    ['login_page.yml', 'body: [Hello]', 'body must be a text'],
    ['login_page.yml', 'translations: [es]', 'translations must be a mapping'],
    ['login_page.yml', 'translations: {es: Hola}', 'es must be a mapping'],
    ['login_page.yml', 'translations: {es: {heading: {a: Hola}}}', 'heading of es must be a text'],
  ])('with %s %j is: %s', (file, text, why) => {
    const act = () => read(filesOf(undefined, { [file]: text }))
    if (why === undefined) expect(act().yaml).toHaveLength(1)
    else expect(failureOf(act).message).toBe(`cannot use the configuration: ${file}: ${why}`)
  })

  test.each([
    'a: [hunter2',
    'a: "hunter2',
    'a: b\nc: *hunter2',
    'hunter2: x\n hunter2: y',
    '\t- hunter2',
    'a: b: hunter2',
  ])('with the YAML %j is reported by its line, without its text', (text) => {
    const { code, message } = failureOf(() => read(filesOf(undefined, { 'sso.yml': text })))
    expect(code).toBe('CONFIG_INVALID')
    expect(message).toMatch(/^cannot use the configuration: sso\.yml(, line [12])?: it /)
    expect(message).not.toContain('hunter2')
  })

  test(
    'names its line and never a secret, whatever the file holds',
    () => {
      const secret = 'hunter2-correct-horse'
      const secretNames = settingNames.filter((name) => settingOf(name).secret)
      const line = fc.oneof(
        fc
          .tuple(
            fc.constantFrom(...secretNames),
            fc.constantFrom('', '"', "'", ' {', '{"a":', 'postgres://u:', '\0'),
          )
          .map(([name, before]) => `${name}=${before}${secret}`),
        fc.constantFrom('PORT=0', 'DEBUG=x', '# c', '', 'ALLOWED_HOSTS=a,,b', 'unknown=1', 'A B=1'),
      )
      fc.assert(
        fc.property(fc.array(line, { maxLength: 6 }), fc.constantFrom('\n', '\r\n'), (lines, lineBreak) => {
          try {
            expect(readFile(lines.join(lineBreak)).warnings.join()).not.toContain(secret)
          } catch (error) {
            if (!(error instanceof SupervisorError)) throw error
            expect(error.message + error.hint).not.toContain(secret)
            if (error.code === 'CONFIG_INVALID')
              for (const fault of error.message.replace(/; and \d+ more$/, '').split('; '))
                expect(fault).toMatch(/mathesar\.env, line [1-6]: /)
          }
        }),
        runs(100),
      )
    },
    runsTimeoutMs,
  )

  test(
    'of any text fails as an error of the table, or not at all',
    () => {
      const anyText = fc.oneof(
        fc.string({ unit: anyCharacter }),
        fc.string({
          unit: fc.constantFrom(
            'PORT',
            'DATABASE_URL',
            'DEBUG',
            '_FILE',
            '=',
            '\n',
            "'",
            '"',
            'postgres://',
            'u:p@',
            'h/d',
            '{',
            '}',
            '1',
            'true',
            '#',
            ' ',
            '%',
            '\\',
          ),
          maxLength: 20,
        }),
      )
      fc.assert(
        fc.property(anyText, anyText, (text, sso) => {
          try {
            read(filesOf(text, { 'sso.yml': sso }))
          } catch (error) {
            expect(error).toBeInstanceOf(SupervisorError)
            expect(['CONFIG_INVALID', 'SETTING_INVALID', 'DATABASE_SETTINGS_PARTIAL']).toContain(
              (error as SupervisorError).code,
            )
          }
        }),
        runs(100),
      )
    },
    runsTimeoutMs,
  )

  test('in the environment is not blamed on the file', () => {
    expect(failureOf(() => readFile('DEBUG=x', { PORT: 'abc' }))).toMatchObject({
      code: 'SETTING_INVALID',
      message: expect.stringContaining('PORT'),
    })
  })

  test('but harmless is a warning: names that nobody reads, each once', () => {
    expect(readFile('PORTT=1\nyou=1\nFOO=1', { WORKERS: '2' }).warnings).toEqual([
      'unknown setting WORKERS: did you mean WEB_CONCURRENCY?',
      'mathesar.env: unknown setting PORTT: did you mean PORT?',
      'mathesar.env: unknown setting you: it has no effect in this file',
      'mathesar.env: unknown setting FOO: it has no effect in this file',
    ])
  })
})

describe('a file of the worst kind', () => {
  const filled = (unit: string): string => unit.repeat(Math.floor(fileLimitBytes / unit.length))
  const counted = (line: (index: number) => string): string => {
    let text = ''
    for (let index = 0; text.length + 40 < fileLimitBytes; index++) text += line(index)
    return text
  }
  const half = 'A'.repeat(fileLimitBytes / 2 - 2)
  test.each<[string, string]>([
    ['one name set thousands of times', filled('A=x\n')],
    ['thousands of bad values', filled('PORT=x\n')],
    ['thousands of lines that are none', filled('x\n')],
    ['thousands of quotes that are never closed', filled("A='\n")],
    [
      'thousands of names that are almost settings',
      counted((index) => `POSTGRES_SSLROOTCER${index.toString(36)}=x\n`),
    ],
    ['thousands of names that are none', counted((index) => `Q${index.toString(36)}=1\n`)],
    ['names of 32 KiB', `${half}=1\n${half}=`],
    ['a bad value of 64 KiB', `PORT=${'x'.repeat(fileLimitBytes - 10)}`],
    ['thousands of hosts', `ALLOWED_HOSTS=${'a,'.repeat(fileLimitBytes / 2 - 10)}`],
    ['empty lines alone', filled('\n')],
    ['comments alone', filled('#A=\n')],
    ['thousands of secrets', `SSO_CONFIG_DICT={"keys":[${counted((index) => `"secret${index}",`)}"x"]}`],
    ['JSON of thousands of levels', `SSO_CONFIG_DICT=${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`],
    ['four times as much as is read', filled('A=x\n').repeat(4)],
  ])('%s costs little and is reported in few words', (_, text) => {
    const before = process.threadCpuUsage()
    let words: readonly string[]
    try {
      const configuration = readFile(text)
      new Redactor().add(...secretsOf(configuration))
      words = configuration.warnings
    } catch (error) {
      words = [(error as SupervisorError).message]
    }
    const { user, system } = process.threadCpuUsage(before)
    expect((user + system) / 1000).toBeLessThan(400) // Some 30 ms where nothing else runs.
    expect(words.join('').length).toBeLessThan(5000)
  })

  test('is reported by its first five faults and the number of the others', () => {
    const faultOf = (line: number): string =>
      `mathesar.env, line ${line}: A is set twice, on line 1 and on line ${line}`
    const faults = [2, 3, 4, 5, 6].map(faultOf).join('; ')
    expect(failureOf(() => readFile('A=x\n'.repeat(10_000))).message).toBe(
      `cannot use the configuration: ${faults}; and 9,994 more`,
    )
  })

  test('is warned of by its first names and the number of the others', () => {
    const { warnings } = readFile(
      Array.from({ length: 5000 }, (_, index) => `Q${index}=1\n`).join(''),
      Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`MATHESAR_Q${index}`, '1'])),
    )
    expect(warnings).toHaveLength(42)
    expect(warnings[20]).toBe('and 4,980 such variables')
    expect(warnings.at(-1)).toBe('and 4,980 unknown settings in mathesar.env')
  })

  test('that is YAML costs little more, and its first fault is reported', () => {
    const before = process.threadCpuUsage()
    expect(
      failureOf(() => read(filesOf(undefined, { 'sso.yml': `a:\n${filled(']').slice(3)}` }))).message,
    ).toBe('cannot use the configuration: sso.yml, line 2: it is not valid YAML (UNEXPECTED_TOKEN)')
    const { user, system } = process.threadCpuUsage(before)
    // Some 300 ms. Only the one who runs the container writes it.
    expect((user + system) / 1000).toBeLessThan(4000)
  }, 30_000)
})

describe('what the environment gives', () => {
  test(
    'is written into the file, for the next container without it',
    () => {
      fc.assert(
        fc.property(anyFile, anyEnvironment, fc.boolean(), (file, environment, isFirstBoot) => {
          const before = read(filesOf(isFirstBoot ? undefined : fileOf(file)), environment)
          const after = readFile(persisted(before, environment))
          const textsOf = ({ values }: Configuration) =>
            settingNames.map((name) => settingOf(name).only ?? [name, values[name].value])
          expect(textsOf(after)).toEqual(textsOf(before))
          expect(after.database).toEqual(before.database)
          // And once: the next start with the same environment has nothing to write.
          const again = readFile(after.files['mathesar.env']!, environment)
          expect(editsToPersist(again, environment)).toEqual({})
          expect(again.values).toEqual(before.values)
        }),
        runs(40),
      )
    },
    runsTimeoutMs,
  )

  test('by a file of its own stays there, and a key stays out of the file', () => {
    const environment = {
      POSTGRES_PASSWORD_FILE: '/secret',
      SECRET_KEY: 'hunter2',
      POSTGRES_HOST: 'h',
      POSTGRES_DB: 'd',
      POSTGRES_USER: 'u',
    }
    const configuration = read(filesOf(undefined), environment, { '/secret': 'hunter3' })
    expect(configuration.values.POSTGRES_PASSWORD).toEqual({ value: 'hunter3', source: 'environment' })
    expect(editsToPersist(configuration, environment)).toEqual({
      POSTGRES_HOST: 'h',
      POSTGRES_DB: 'd',
      POSTGRES_USER: 'u',
    })
  })

  test('takes the other way to name a database out of the file', () => {
    const environment = { DATABASE_URL: url }
    const configuration = readFile(
      '# mine\nPOSTGRES_HOST=h\nPOSTGRES_DB=d\nPOSTGRES_USER=u\nDEBUG=true\n',
      environment,
    )
    expect(persisted(configuration, environment)).toBe(`# mine\nDEBUG=true\nDATABASE_URL=${url}\n`)
  })
})

test('the file of the first boot changes nothing, and has every setting as a comment', () => {
  const text = templateText()
  expect(parseConfig(text)).toEqual({ entries: [], problems: [] })
  expect(readFile(text).values).toEqual(readFile('').values)
  for (const name of settingNames) expect(text).toContain(`\n# ${name}=${settingOf(name).default ?? ''}`)
  expect(readFile(text).warnings).toEqual([])
})

test('a version names the content of all files', () => {
  const versions = [
    filesOf(undefined),
    filesOf(''),
    filesOf('a'),
    filesOf(undefined, { 'sso.yml': 'a' }),
    filesOf(undefined, { 'file_storage.yml': 'a' }),
  ].map(versionOf)
  expect(new Set(versions).size).toBe(versions.length)
  for (const version of versions) expect(version).toMatch(/^[0-9a-f]{12}$/)
  expect(versionOf(filesOf('a'))).toBe(versions[2])
})

describe('a setting as it is shown', () => {
  test('masks a secret', () => {
    const { values } = readFile('POSTGRES_HOST=h\nPOSTGRES_DB=d\nPOSTGRES_USER=u\nPOSTGRES_PASSWORD=hunter2')
    expect(describeSetting('POSTGRES_PASSWORD', values, values)).toMatchObject({
      value: null,
      given: true,
      secret: true,
      pinned: false,
    })
    expect(describeSetting('DATABASE_URL', values, values)).toMatchObject({
      value: null,
      given: false,
      secret: true,
    })
  })

  test(
    'never holds a secret, and is pinned just when an edit of it is refused',
    () => {
      fc.assert(
        fc.property(anyFile, anyEnvironment, (file, environment) => {
          const configuration = readFile(file, environment)
          const inForce = inForceOf(readFile('').values, configuration).values
          const described = settingNames.map((name) => describeSetting(name, configuration.values, inForce))
          const namesWith = (isSo: (setting: DescribedSetting) => boolean) =>
            described.filter(isSo).map(({ name }) => name)
          expect(namesWith(({ pinned }) => pinned)).toEqual(
            settingNames.filter((name) => isPinned(name, configuration)),
          )
          expect(namesWith(({ name, value }) => settingOf(name).secret === true && value !== null)).toEqual(
            [],
          )
          expect(
            namesWith(
              ({ name, pendingRestart }) => pendingRestart && settingOf(name).appliesBy !== 'container',
            ),
          ).toEqual([])
        }),
        runs(30),
      )
    },
    runsTimeoutMs,
  )
})

test.each([
  ['METRICS=10.0.0.5', true],
  ['METRICS=10.0.0.5, private', true],
  ['METRICS=private', false],
  ['METRICS=none', false],
  ['METRICS=10.0.0.5\nTRUSTED_PROXIES=none', false],
  ['METRICS=10.0.0.5\nTRUSTED_PROXIES=10.0.0.1', false],
  ['METRICS=10.0.0.5\nTRUSTED_PROXIES=private', false],
])('%j opens the metrics to more than it names: %j', (text, isSaid) => {
  const said = expect.stringMatching(/^METRICS=10\.0\.0\.5.*: TRUSTED_PROXIES is `private` by default/)
  expect(readFile(text).warnings).toEqual(isSaid ? [said] : [])
})

import { describe, expect, test } from 'vitest'
import { knownTo, warningsForVersion } from '../../src/settings/mathesar-versions.ts'
import { warningsFor } from '../../src/settings/near-names.ts'
import { settingsTable, variableNames } from '../../src/settings/table.ts'
import { appEnvironment } from '../../src/units/mathesar/environment.ts'
import { filesOf, read } from './configurations.ts'
import { createScope } from './fakes/scope.ts'

/**
 * The variables that Mathesar's page "Environment Variables" documents, in each version what the one before
 * has not. Names are facts: they are from docs/docs/administration/environment-variables.md of the tags, and
 * for 0.12 of the release branch.
 */
const documented = {
  '0.9': [
    'SECRET_KEY',
    'ALLOWED_HOSTS',
    'WEB_CONCURRENCY',
    'POSTGRES_DB',
    'POSTGRES_USER',
    'POSTGRES_PASSWORD',
    'POSTGRES_HOST',
    'POSTGRES_PORT',
    'POSTGRES_SSLMODE',
    'DOMAIN_NAME',
    'OIDC_CONFIG_DICT',
    'FILE_STORAGE_DICT',
  ],
  '0.11': ['SSO_CONFIG_DICT', 'REQUIRE_SSO_LOGIN'],
  '0.12': [
    'MATHESAR_DJANGO_ADMIN_ENABLED',
    'DATA_FILES_STORAGE_BACKEND',
    'DATA_FILES_AZURE_ACCOUNT_NAME',
    'DATA_FILES_AZURE_CONTAINER',
    'MATHESAR_LANDING_PAGE_URL',
    'MATHESAR_INSTANCE_NAME',
    'MATHESAR_AUTH_LOGO_URL',
    'MATHESAR_LOGIN_PAGE_TEXT_DICT',
    'MATHESAR_LOGIN_PAGE_BACKGROUND',
    'MATHESAR_TERMS_OF_SERVICE_URL',
    'MATHESAR_PRIVACY_POLICY_URL',
  ],
} as const

/** Variables that config/settings reads and that no page documents. */
const undocumented = [
  'DEBUG',
  'MODE',
  'TEST',
  'MEDIA_ROOT',
  'PER_USER_DATABASES_ENABLED',
  'DATA_FILES_AZURE_CONNECTION_STRING',
  'MATHESAR_ANALYTICS_URL',
  'MATHESAR_INIT_REPORT_URL',
  'MATHESAR_FEEDBACK_URL',
  'MATHESAR_CLIENT_DEV_PORT',
]

describe("Mathesar's own settings", () => {
  test.each(Object.values(documented).flat())('%s is one of ours, or named with what to use', (name) => {
    if (Object.hasOwn(settingsTable, name)) return
    expect(warningsFor([name], variableNames)).toEqual([expect.stringContaining('did you mean')])
  })

  test.each(undocumented)('%s reaches it all the same', (name) => {
    const inFile = name in settingsTable ? `${name}=true\n` : ''
    const { scope } = createScope({
      config: inFile,
      place: { environment: inFile ? {} : { [name]: 'true' } },
    })
    expect(appEnvironment(scope)[name]).toBe('true')
    expect(warningsFor([name], variableNames)).toEqual([])
  })

  test.each(Object.entries(documented))(
    'of %s are told from those that each Mathesar knows',
    (version, names) => {
      for (const name of names) {
        if (!Object.hasOwn(settingsTable, name)) continue
        const since = knownTo[name as keyof typeof settingsTable]?.since ?? '0.9'
        // What is documented later than it is read was there before, without a word.
        expect(Number(since.slice(2))).toBeLessThanOrEqual(Number(version.slice(2)))
        expect(warningsForVersion([name as keyof typeof settingsTable], `${version}.0`)).toEqual([])
      }
    },
  )
})

describe('what the Mathesar of the image does not read', () => {
  const given = [
    'MATHESAR_INSTANCE_NAME',
    'DATA_FILES_AZURE_CONNECTION_STRING',
    'FILE_STORAGE_DICT',
    'login_page.yml',
  ] as const

  test.each<[string | null, readonly string[]]>([
    ['0.10.1', ['MATHESAR_INSTANCE_NAME', 'DATA_FILES_AZURE_CONNECTION_STRING', 'login_page.yml']],
    ['0.11.0', ['MATHESAR_INSTANCE_NAME', 'login_page.yml']],
    ['0.12.0', ['DATA_FILES_AZURE_CONNECTION_STRING']],
    ['0.13.0', ['DATA_FILES_AZURE_CONNECTION_STRING']],
    ['0.11.1-dev', []],
    [null, []],
  ])('%s is named: %j', (version, names) => {
    const warnings = warningsForVersion(given, version)
    expect(warnings.map((warning) => warning.split(' ')[0])).toEqual(names)
  })

  test('is a warning of the configuration, in words', () => {
    const files = filesOf('MATHESAR_INSTANCE_NAME=Ours\n', { 'login_page.yml': 'heading: Hello\n' })
    expect(read(files, {}, {}, '0.11.0').warnings).toEqual([
      'MATHESAR_INSTANCE_NAME has no effect: Mathesar reads it from 0.12 on, and this one is 0.11.0',
      'login_page.yml has no effect: Mathesar reads it from 0.12 on, and this one is 0.11.0',
    ])
    expect(read(files, {}, {}, '0.12.0').warnings).toEqual([])
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { didYouMean, fileWarningsFor, warningsFor } from '../../src/settings/near-names.ts'
import { settingNames } from '../../src/settings/table.ts'
import { anyCharacter } from './characters.ts'
import { runs, runsTimeoutMs } from './runs.ts'

const warningOf = (name: string): string | undefined => warningsFor([name], settingNames)[0]

describe('a name', () => {
  test.each([
    ['ALOWED_HOSTS', 'ALLOWED_HOSTS'],
    ['ALLOWED_HOST', 'ALLOWED_HOSTS'],
    ['ALLWOED_HOSTS', 'ALLOWED_HOSTS'],
    ['allowed_hosts', 'ALLOWED_HOSTS'],
    ['ALLOWED-HOSTS', 'ALLOWED_HOSTS'],
    ['allowed.hosts', 'ALLOWED_HOSTS'],
    ['ALOWED_HOST', 'ALLOWED_HOSTS'],
    ['PROT', 'PORT'],
    ['MATHESAR_ALOWED_HOSTS', 'ALLOWED_HOSTS'],
    ['DJANGO_ALLOWED_HOSTS', 'ALLOWED_HOSTS'],
    ['HOSTS', 'ALLOWED_HOSTS'],
    ['MATHESAR_PORT', 'PORT'],
    ['PORTS', 'PORT'],
    ['DJANGO_SECRET_KEY', 'SECRET_KEY'],
    ['SECRETKEY', 'SECRET_KEY'],
    ['PGHOST', 'POSTGRES_HOST'],
    ['PGSSLMODE', 'POSTGRES_SSLMODE'],
    ['PGSSLROOTCERT', 'POSTGRES_SSLROOTCERT'],
    ['SECRET_KEY_FIEL', 'SECRET_KEY_FILE'],
    ['SECRET_KEYFILE', 'SECRET_KEY_FILE'],
    ['secret_key_file', 'SECRET_KEY_FILE'],
    ['DJANGO_DATABASE_URL', 'DATABASE_URL'],
    ['POSTGRES_HOSTNAME', 'POSTGRES_HOST'],
    ['POSTGRES_DATABASE', 'POSTGRES_DB'],
    ['POSTGRES_USERNAME', 'POSTGRES_USER'],
    ['POSTGRESS_USER', 'POSTGRES_USER'],
    ['GUNICORN_WORKERS', 'WEB_CONCURRENCY'],
    ['WORKERS', 'WEB_CONCURRENCY'],
    ['GUNICORN_TIMEOUTS', 'GUNICORN_TIMEOUT'],
    ['ATHESAR_LANDING_PAGE_URL', 'MATHESAR_LANDING_PAGE_URL'],
    ['LANDING_PAGE_URL', 'MATHESAR_LANDING_PAGE_URL'],
    ['DOMAIN_NAME', 'PUBLIC_URL and ALLOWED_HOSTS'],
  ])('%s was meant to be %s', (name, meant) => {
    expect(warningOf(name)).toBe(`unknown setting ${name}: did you mean ${meant}?`)
  })

  test('of Mathesar is passed on where it comes by the environment', () => {
    const names = ['MATHESAR_COLOUR', 'SUPERVISOR_SPEED', 'MATHESAR_THEME_COLOR_PRIMARY_ACTION']
    expect(warningsFor(names, settingNames, /^MATHESAR_/)).toEqual([
      'unknown setting MATHESAR_COLOUR: it is passed on to Mathesar as it is',
      'unknown setting SUPERVISOR_SPEED: nothing reads it',
    ])
  })

  test.each([
    [
      'MATHESAR_DATABASES',
      'setting MATHESAR_DATABASES has no effect: it was removed from Mathesar; connect databases in its page',
    ],
    ['PGDATA', 'setting PGDATA has no effect: the data of the embedded Postgres is always on the volume'],
    [
      'POSTGRES_INITDB_ARGS',
      'setting POSTGRES_INITDB_ARGS has no effect: the embedded Postgres is made with the image',
    ],
    ['MATHESAR_COLOUR', 'unknown setting MATHESAR_COLOUR: nothing reads it'],
    ['SUPERVISOR_SPEED', 'unknown setting SUPERVISOR_SPEED: nothing reads it'],
    ['EMBEDDED_ELEPHANT', 'unknown setting EMBEDDED_ELEPHANT: nothing reads it'],
  ])('%s has its own sentence', (name, warning) => {
    expect(warningOf(name)).toBe(warning)
  })

  test.each([
    ...settingNames,
    ...settingNames.map((name) => `${name}_FILE`),
    'PATH',
    'HOME',
    'LANG',
    'LC_ALL',
    'TZ',
    'PWD',
    'OLDPWD',
    'HOST',
    'HOSTNAME',
    'USER',
    'TERM',
    'SHLVL',
    '_',
    'http_proxy',
    'NO_PROXY',
    'GPG_KEY',
    'PYTHONUNBUFFERED',
    'PYTHON_VERSION',
    'PYTHONPATH',
    'NODE_OPTIONS',
    'DJANGO_SETTINGS_MODULE',
    'DJANGO_SUPERUSER_USERNAME',
    'DJANGO_SUPERUSER_PASSWORD',
    'PG_MAJOR',
    'MEDIA_ROOT',
    'DOCKERIZE_VERSION',
    'container',
    'SOMETHING_ELSE',
    'TEST',
    'MODE',
    'MATHESAR_DOCKER_IMAGE',
    'MATHESAR_ANALYTICS_URL',
    'MATHESAR_INIT_REPORT_URL',
    'MATHESAR_FEEDBACK_URL',
    'SUPERVISOR_DATA',
    'SUPERVISOR_GUNICORN_CONFIG',
    'SUPERVISOR_PYTHON_BIN',
    'ALOWD_HOST',
    'ALLOWED_XXXTS',
    'POXX',
    'SUPPORT',
    'MATHESAR_SERVICE_HOST',
    'MATHESAR_SERVICE_PORT_HTTP',
    'MATHESAR_PORT_8000_TCP_ADDR',
    'POSTGRES_PORT_5432_TCP',
    'POSTGRES_ENV_PG_MAJOR',
    'KUBERNETES_PORT_443_TCP_PROTO',
  ])('%s is in order', (name) => {
    expect(warningOf(name)).toBeUndefined()
  })

  test.each(['ALLOWED_HOSTS ', ' DEBUG', 'SECRET_KEY_FILE\t'])('%j has a blank that is named', (name) => {
    expect(warningOf(name)).toBe(
      `nothing reads ${name.trim()} with a blank around its name: leave the blank out`,
    )
  })

  test('that Kubernetes gives for a service called mathesar is in order', () => {
    expect(warningsFor(['MATHESAR_PORT', 'MATHESAR_SERVICE_HOST'], settingNames)).toEqual([])
  })

  test('is compared with all settings, and the nearest one is named', () => {
    expect(warningsFor(['LONG_NAME_XY'], ['LONG_NAME_AB', 'LONG_NAME_XZ'])).toEqual([
      'unknown setting LONG_NAME_XY: did you mean LONG_NAME_XZ?',
    ])
  })

  test('is warned of once, and in the order given', () => {
    expect(warningsFor(['PORTS', 'PATH', 'DEBUGG', 'PORTS'], settingNames)).toEqual([
      'unknown setting PORTS: did you mean PORT?',
      'unknown setting DEBUGG: did you mean DEBUG?',
    ])
  })

  test('that is no name is passed over', () => {
    expect(
      warningsFor(
        ['', 'MATHESAR_\n', 'MATHESAR_\x1b[2J', `MATHESAR_${'A'.repeat(100_000)}`, 'ALLOWED HOSTS'],
        settingNames,
      ),
    ).toEqual([])
  })

  test(
    'one slip away from a long setting is always recognised',
    () => {
      const slip = fc
        .tuple(
          fc.constantFrom(...settingNames.filter((name) => name.length >= 9)),
          fc.nat(),
          fc.constantFrom('drop', 'double', 'swap'),
        )
        .map(([name, at, how]) => {
          const i = at % (name.length - 1)
          if (how === 'drop') return [name, name.slice(0, i) + name.slice(i + 1)] as const
          return [
            name,
            how === 'double'
              ? name.slice(0, i) + name[i] + name.slice(i)
              : name.slice(0, i) + name[i + 1] + name[i] + name.slice(i + 2),
          ] as const
        })
      fc.assert(
        fc.property(slip, ([name, slipped]) => {
          if (slipped !== name)
            expect(warningOf(slipped)).toBe(`unknown setting ${slipped}: did you mean ${name}?`)
        }),
        runs(50),
      )
    },
    runsTimeoutMs,
  )

  test(
    'of any kind gives at most one printable line',
    () => {
      fc.assert(
        fc.property(
          fc.array(
            fc.oneof(
              fc.string({ unit: anyCharacter }),
              fc.stringMatching(/^(MATHESAR_|POSTGRES_)?[A-Z_]{0,12}$/),
            ),
          ),
          (names) => {
            const warnings = warningsFor(names, settingNames)
            expect(warnings.length).toBeLessThanOrEqual(new Set(names).size)
            for (const warning of warnings) expect(warning).toMatch(/^(?:unknown )?setting [\x20-\x7e]+$/)
          },
        ),
        runs(50),
      )
    },
    runsTimeoutMs,
  )
})

describe('a file of the config folder', () => {
  const known = ['mathesar.env', 'sso.yml', 'file_storage.yml']

  test.each([
    ['sso.yaml', 'sso.yml'],
    ['SSO.yml', 'sso.yml'],
    ['file-storage.yml', 'file_storage.yml'],
    ['file_storage.yaml', 'file_storage.yml'],
    ['mathesar.env.txt', 'mathesar.env'],
    ['.env', 'mathesar.env'],
    ['.mathesar.env', 'mathesar.env'],
    ['env', 'mathesar.env'],
  ])('%s was meant to be %s', (name, meant) => {
    expect(fileWarningsFor([name], known)).toEqual([`nothing reads config/${name}: did you mean ${meant}?`])
  })

  test('is no matter where it has its name, is a refused one, or is of no one we know', () => {
    const names = [...known, 'sso.yml.rejected', 'README.md', '..data', 'sso.yaml\n', 'env.bak']
    expect(fileWarningsFor(names, known)).toEqual([])
  })
})

test.each([
  ['statsu', 'status'],
  ['Status', 'status'],
  ['back-up', 'backup'],
  ['dance', undefined],
  ['x'.repeat(1_000_000), undefined],
])('a command that is typed as %.20s was meant as %s', (name, meant) => {
  const said = didYouMean(name, ['status', 'backup', 'restore', 'run'])
  expect(said).toBe(meant === undefined ? '' : `: did you mean ${meant}?`)
})

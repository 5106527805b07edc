import { describe, expect, test } from 'vitest'
import { databaseOf } from '../../src/settings/database.ts'
import { settingNames, settingOf, settingsTable, type SettingName } from '../../src/settings/table.ts'
import { whyInvalid } from '../../src/settings/why-invalid.ts'
import { itemsOf } from '../../src/settings/kinds.ts'
import { typeSettings } from '../../src/settings/typed.ts'
import { readSettings } from '../../src/settings/values.ts'
import { SupervisorError } from '../../src/errors.ts'

const noFile = (path: string): string => {
  throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' })
}
const read = (env: Record<string, string | undefined>, files: Record<string, string> = {}) =>
  readSettings(env, (path) => files[path] ?? noFile(path))
const database = (env: Record<string, string>) => databaseOf(read(env))

const failureOf = (act: () => unknown): SupervisorError => {
  try {
    act()
  } catch (error) {
    if (error instanceof SupervisorError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('settings', () => {
  test('have their defaults when nothing is given', () => {
    const values = read({})
    for (const name of settingNames)
      expect(values[name]).toEqual({ value: settingOf(name).default, source: 'default' })
    expect(values.PORT.value).toBe('8000')
    expect(values.STOP_GRACE_PERIOD.value).toBe('10')
  })

  test.each(settingNames.filter((name) => settingOf(name).default !== undefined))(
    '%s has a default that it accepts',
    (name) => {
      expect(whyInvalid(name, settingOf(name).default!)).toBeUndefined()
    },
  )

  test('come from the environment', () => {
    expect(read({ PORT: '8001' }).PORT).toEqual({ value: '8001', source: 'environment' })
  })

  test('are without the blanks that an editor left at their ends, but for those of a password', () => {
    expect(read({ PORT: ' 8001\n', SECRET_KEY: '\tkey ' })).toMatchObject({
      PORT: { value: '8001' },
      SECRET_KEY: { value: 'key' },
    })
    expect(read({ POSTGRES_PASSWORD: ' p \r\n' }).POSTGRES_PASSWORD.value).toBe(' p ')
    expect(read({ PORT: ' ' }).PORT.source).toBe('default')
  })

  test('may have a second name in the environment, also for a file, but not both at once', () => {
    expect(read({ MATHESAR_ADMIN_USERNAME: 'ada', ADMIN_USERNAME: '' }).ADMIN_USERNAME.value).toBe('ada')
    const files = { '/run/secrets/admin': 'a secret\n' }
    expect(read({ MATHESAR_ADMIN_PASSWORD_FILE: '/run/secrets/admin' }, files).ADMIN_PASSWORD).toEqual({
      value: 'a secret',
      source: 'environment',
    })
    const both = { ADMIN_PASSWORD: 'hunter2', MATHESAR_ADMIN_PASSWORD_FILE: '/run/secrets/admin' }
    const { message, hint } = failureOf(() => read(both, files))
    expect([message, hint]).toEqual([
      'cannot use ADMIN_PASSWORD: ADMIN_PASSWORD and MATHESAR_ADMIN_PASSWORD_FILE are both given',
      'Give only one of ADMIN_PASSWORD and MATHESAR_ADMIN_PASSWORD_FILE.',
    ])
  })

  test('count an empty variable as not given', () => {
    expect(read({ PORT: '', PORT_FILE: '' }).PORT).toEqual({ value: '8000', source: 'default' })
  })

  test('hold each secret to be one', () => {
    const secret = settingNames.filter((name) => settingOf(name).secret)
    const words =
      /ACCESS_KEY|PASS(WORD|PHRASE)|IDENTITY|SECRET|(CONFIG|AGE)_DICT|DATABASE_URL|_CODE$|NOTIFY|_STRING$/
    expect(secret).toEqual(settingNames.filter((name) => words.test(name)))
  })

  test('are in the table by upper-case names with a sentence', () => {
    for (const [name, { description }] of Object.entries(settingsTable)) {
      expect(name).toMatch(/^[A-Z][A-Z0-9_]*$/)
      expect(description).toMatch(/\.$/)
    }
  })
})

describe('a value', () => {
  test.each<[SettingName, string, string]>([
    ['PORT', 'http', '"http" is not a whole number from 1 to 65535'],
    ['PORT', '0', '"0" is not a whole number from 1 to 65535'],
    [
      'DEMO',
      'library_management, books',
      '"books" is none of bike_shop, hardware_store, ice_cream_employees, library_management, ' +
        'library_makerspace, movie_rentals, museum_exhibits, nonprofit_grants',
    ],
    ['SETUP_CODE', '1234567', 'the value has fewer than 8 characters'],
    ['CONSOLE_CODE', '123456789012345', 'the value has fewer than 16 characters'],
    ['CONSOLE', 'true', '"true" is neither on nor off, nor an address with a port'],
    ['CONSOLE', 'localhost:9000', '"localhost:9000" is neither'],
    ['CONSOLE', '0.0.0.0:0', '"0.0.0.0:0" is neither'],
    ['CONSOLE', '256.0.0.1:9000', '"256.0.0.1:9000" is neither'],
    ['CONSOLE', '[x]:9000', '"[x]:9000" is neither'],
    ['PORT', '65536', '"65536" is not a whole number from 1 to 65535'],
    ['PORT', '-1', '"-1" is not'],
    ['PORT', '8000.5', '"8000.5" is not'],
    ['PORT', '0x50', '"0x50" is not'],
    ['PORT', '8 0', '"8 0" is not'],
    ['PORT', '8\n0', 'control character'],
    ['PORT', '"80"', 'write the value without'],
    ['STOP_GRACE_PERIOD', '1', 'from 2 to 3600'],
    ['WEB_CONCURRENCY', '65', 'from 1 to 64'],
    ['DEBUG', 'maybe', '"maybe" is neither true nor false'],
    ['DEBUG', 'TRUTH', '"TRUTH" is neither'],
    ['LOG_FORMAT', 'xml', '"xml" is none of text, json'],
    ['LOG_LEVEL', 'INFO', '"INFO" is none of debug, info, warn, error'],
    ['POSTGRES_SSLMODE', 'on', '"on" is none of disable, allow,'],
    ['POSTGRES_SSLROOTCERT', 'ca.pem', '"ca.pem" is not an absolute path'],
    ['POSTGRES_SSLROOTCERT', 'system', '"system" is not an absolute path'],
    ['ALLOWED_HOSTS', 'a.org,,b.org', 'has an empty item'],
    ['ALLOWED_HOSTS', 'a.org, ', 'has an empty item'],
    ['PUBLIC_URL', 'mathesar.example.org', 'is not an http or https address'],
    ['PUBLIC_URL', 'ftp://example.org', 'is not an http or https address'],
    ['PUBLIC_URL', 'https://', 'is not an http or https address'],
    // The standard of URLs takes them for hosts.
    ...['.a"b', 'a;b', 'a{b}', 'a$b', 'a,b', '*', 'a..b'].map((host): [SettingName, string, string] => [
      'PUBLIC_URL',
      `https://${host}/`,
      'is not an http or https address',
    ]),
    ...[
      'localhost',
      '[::1]',
      'fe80::1%eth0',
      '::x',
      '0',
      '127.1',
      '1.2.3.256',
      '1.2.3.',
      '1.2.3.4.5',
      '1. 2.3.4',
      '01.2.3.4',
    ].map((address): [SettingName, string, string] => ['BIND_ADDRESS', address, 'is not an IP address']),
    ['POSTGRES_DB', 'a\0b', 'holds a zero byte'],
    ['POSTGRES_PASSWORD', 'a\ud83d', 'the value holds half a character'],
  ])('%s=%j is refused: %s', (name, text, why) => {
    expect(whyInvalid(name, text)).toContain(why)
    const failure = failureOf(() => read({ [name]: text }))
    expect(failure.code).toBe('SETTING_INVALID')
    expect(failure.message).toContain(`cannot use ${name}: `)
  })

  test.each<[SettingName, string]>([
    ['PORT', '1'],
    ['PORT', '65535'],
    ['DATABASE_WAIT_TIMEOUT', '0'],
    ['DEBUG', 'true'],
    ['DEBUG', 'True'],
    ['DEBUG', 't'],
    ['DEBUG', 'f'],
    ['LOG_FORMAT', 'json'],
    ['POSTGRES_SSLMODE', 'verify-full'],
    ['POSTGRES_SSLROOTCERT', '/ca.pem'],
    ['ALLOWED_HOSTS', '*'],
    ['ALLOWED_HOSTS', 'a.org, b.org'],
    ['PUBLIC_URL', 'https://mathesar.example.org/'],
    ['PUBLIC_URL', 'https://mäthesar.example.org:8443/a'],
    ['PUBLIC_URL', 'http://10.0.0.7'],
    ['PUBLIC_URL', 'http://[fd00::7]:8000'],
    ['BACKUP_S3_ENDPOINT', 'http://minio_1:9000'],
    ['BIND_ADDRESS', '0.0.0.0'],
    ['BIND_ADDRESS', '192.168.1.255'],
    ['BIND_ADDRESS', '::'],
    ['BIND_ADDRESS', 'fd00::7'],
    ['SSO_CONFIG_DICT', '{\n"a": 1\n}'],
    ['POSTGRES_PASSWORD', 'a\u{1f600}'],
  ])('%s=%j is accepted', (name, text) => {
    expect(whyInvalid(name, text)).toBeUndefined()
  })

  test.each(settingNames.filter((name) => settingOf(name).secret))(
    'of the secret %s is in no message',
    (name) => {
      const failure = failureOf(() => databaseOf(read({ [name]: 'hunter2-\0-hunter2' })))
      expect(`${failure.message} ${failure.hint}`).not.toContain('hunter2')
    },
  )
})

describe('a value of a form of its own', () => {
  test.each<[SettingName, string]>([
    ['ALLOWED_HOSTS', 'a.org, .b.org,*,10.0.0.1,[::1],my-host'],
    ['CSRF_TRUSTED_ORIGINS', 'https://a.org, http://10.0.0.1:8000,https://*.b.org'],
    ['POSTGRES_HOST', 'db'],
    ['POSTGRES_HOST', 'db_1.example.org'],
    ['POSTGRES_HOST', '10.0.0.7'],
    ['POSTGRES_HOST', 'fd00::7'],
    ['POSTGRES_HOST', '/run/postgresql'],
    ['GUNICORN_CMD_ARGS', '--max-requests 500 --log-level=debug'],
    ['GUNICORN_CMD_ARGS', '-R -w2'],
  ])('%s=%s is accepted', (name, text) => {
    expect(whyInvalid(name, text)).toBeUndefined()
  })

  test.each<[SettingName, string, string]>([
    ['ALLOWED_HOSTS', 'https://a.org:8000/x', 'write a.org'],
    ['ALLOWED_HOSTS', 'a.org:8000', 'write a.org'],
    ['ALLOWED_HOSTS', '*.a.org', 'write .a.org'],
    ['ALLOWED_HOSTS', '["a.org"]', 'not written as JSON'],
    ['ALLOWED_HOSTS', '::1', 'must be in brackets: [::1]'],
    ['ALLOWED_HOSTS', 'a.org b.org', 'write a.org'],
    ['CSRF_TRUSTED_ORIGINS', 'a.org', 'such as https://a.org'],
    ['CSRF_TRUSTED_ORIGINS', 'https://a.org/x', 'such as https://a.org'],
    ['POSTGRES_HOST', 'http://db:5432', 'write db'],
    ['POSTGRES_HOST', 'db1,db2:5433', 'write db2'],
    ['POSTGRES_HOST', 'db1,', '"" must be one host'],
    ['POSTGRES_HOST', Array.from({ length: 11 }, (_, at) => `db${at}`).join(','), 'more than 10 servers'],
    ['POSTGRES_HOST', '[fd00::7]', 'must be one host name or address'],
    ['GUNICORN_CMD_ARGS', '--bind=0.0.0.0:80', '--bind is not permitted: the supervisor holds the socket'],
    ['GUNICORN_CMD_ARGS', '-b0.0.0.0:80', '-b is not permitted'],
    ['GUNICORN_CMD_ARGS', '-q --daemon', '--daemon is not permitted'],
    ['GUNICORN_CMD_ARGS', '-RD', '-D is not permitted'],
    ['GUNICORN_CMD_ARGS', '-RRb:81', '-b is not permitted'],
    ['GUNICORN_CMD_ARGS', '-q\n-b x', 'control character'],
    ['PUBLIC_URL', "'https://a.org'", 'quotes around it'],
    ['PUBLIC_URL', 'https://ada:hunter2@a.org', 'the address has a password, which is shown'],
    ['BACKUP_S3_ENDPOINT', 'https://key:secret@s3.a.org', 'the address has a password, which is shown'],
  ])('%s=%s is refused, with what to write: %s', (name, text, why) => {
    expect(whyInvalid(name, text)).toContain(why)
  })
})

describe('NAME_FILE', () => {
  test('gives the value, less blanks and line breaks at its ends', () => {
    expect(read({ SECRET_KEY_FILE: '/k' }, { '/k': 'key\n' }).SECRET_KEY).toEqual({
      value: 'key',
      source: 'environment',
    })
    expect(read({ SECRET_KEY_FILE: '/k' }, { '/k': 'key\r\n' }).SECRET_KEY.value).toBe('key')
    expect(read({ SECRET_KEY_FILE: '/k' }, { '/k': ' key ' }).SECRET_KEY.value).toBe('key')
    expect(read({ SECRET_KEY_FILE: ' /k\n' }, { '/k': 'key' }).SECRET_KEY.value).toBe('key')
    const marked = { '/p': '\uFEFFa secret \r\n' } // As Notepad and PowerShell write UTF-8.
    expect(read({ POSTGRES_PASSWORD_FILE: '/p' }, marked).POSTGRES_PASSWORD.value).toBe('a secret ')
  })

  test('is checked like the variable', () => {
    expect(failureOf(() => read({ PORT_FILE: '/p' }, { '/p': 'http' })).message).toBe(
      'cannot use PORT: "http" is not a whole number from 1 to 65535',
    )
  })

  test('that cannot be read is named with its reason', () => {
    const failure = failureOf(() => read({ SECRET_KEY_FILE: '/gone' }))
    expect([failure.code, failure.message]).toEqual([
      'SETTING_INVALID',
      'cannot use SECRET_KEY_FILE: cannot read /gone: ENOENT',
    ])
  })

  test('of an empty file never gives an empty value', () => {
    let value: string | undefined
    try {
      value = read({ SECRET_KEY_FILE: '/k' }, { '/k': '\n' }).SECRET_KEY.value
    } catch (error) {
      expect((error as SupervisorError).code).toBe('SETTING_INVALID')
    }
    expect(value).toBeUndefined()
  })

  test('beside the variable is refused without showing either', () => {
    const failure = failureOf(() =>
      read({ SECRET_KEY: 'hunter2', SECRET_KEY_FILE: '/k' }, { '/k': 'hunter3' }),
    )
    expect([failure.code, failure.message]).toEqual([
      'SETTING_INVALID',
      'cannot use SECRET_KEY: SECRET_KEY and SECRET_KEY_FILE are both given',
    ])
    expect(failure.hint).toBe('Give only one of SECRET_KEY and SECRET_KEY_FILE.')
  })
})

describe('the database', () => {
  test('is the embedded one when nothing names another', () => {
    expect(database({})).toEqual({ kind: 'embedded' })
    expect(database({ POSTGRES_SSLMODE: 'require' })).toEqual({ kind: 'embedded' })
  })

  test('is the external one that the whole set names', () => {
    expect(database({ POSTGRES_HOST: 'db', POSTGRES_DB: 'm', POSTGRES_USER: 'u' })).toEqual({
      kind: 'external',
      host: 'db',
      port: 5432,
      name: 'm',
      user: 'u',
      password: undefined,
      sslmode: undefined,
      sslrootcert: undefined,
    })
    expect(
      database({
        POSTGRES_HOST: 'db',
        POSTGRES_DB: 'm',
        POSTGRES_USER: 'u',
        POSTGRES_PORT: '6543',
        POSTGRES_PASSWORD: 'p',
        POSTGRES_SSLMODE: 'require',
        POSTGRES_SSLROOTCERT: '/ca.pem',
      }),
    ).toEqual({
      kind: 'external',
      host: 'db',
      port: 6543,
      name: 'm',
      user: 'u',
      password: 'p',
      sslmode: 'require',
      sslrootcert: '/ca.pem',
    })
  })

  test.each([
    [{ POSTGRES_HOST: 'db' }, 'POSTGRES_HOST given, but not POSTGRES_DB, POSTGRES_USER'],
    [{ POSTGRES_HOST: 'db', POSTGRES_DB: 'm' }, 'POSTGRES_HOST, POSTGRES_DB given, but not POSTGRES_USER'],
    [{ POSTGRES_USER: 'u' }, 'POSTGRES_USER given, but not POSTGRES_HOST, POSTGRES_DB'],
    [
      { POSTGRES_PASSWORD: 'hunter2' },
      'POSTGRES_PASSWORD given, but not POSTGRES_HOST, POSTGRES_DB, POSTGRES_USER',
    ],
    [{ POSTGRES_PORT: '5433' }, 'POSTGRES_PORT given, but not POSTGRES_HOST, POSTGRES_DB, POSTGRES_USER'],
  ])('of the partial set %j is an error that names what is missing', (env, why) => {
    const failure = failureOf(() => database(env))
    expect([failure.code, failure.message]).toEqual([
      'DATABASE_SETTINGS_PARTIAL',
      `cannot choose a database: ${why}`,
    ])
  })

  test('is never chosen between two that are both given', () => {
    const failure = failureOf(() =>
      database({
        DATABASE_URL: 'postgres://u:hunter2@db/m',
        POSTGRES_HOST: 'db',
        POSTGRES_PASSWORD: 'hunter2',
      }),
    )
    expect([failure.code, failure.message]).toEqual([
      'SETTING_INVALID',
      'cannot choose a database: DATABASE_URL and POSTGRES_HOST, POSTGRES_PASSWORD are both given',
    ])
  })
})

describe('DATABASE_URL', () => {
  const external = {
    kind: 'external',
    host: 'db',
    port: 5432,
    name: 'm',
    user: 'u',
    password: undefined,
    sslmode: undefined,
    sslrootcert: undefined,
  }

  test.each([
    ['postgres://u@db/m', external],
    ['postgresql://u@db/m', external],
    ['postgres://u:p@db:6543/m', { ...external, port: 6543, password: 'p' }],
    ['postgres://u:p@db/m?sslmode=require', { ...external, password: 'p', sslmode: 'require' }],
    [
      'postgres://u@db/m?sslmode=verify-ca&sslrootcert=/etc/my%20ca.pem',
      { ...external, sslmode: 'verify-ca', sslrootcert: '/etc/my ca.pem' },
    ],
    [
      'postgres://u%40x:p%3A%2F%25@db.example.org/m%20n',
      { ...external, host: 'db.example.org', user: 'u@x', password: 'p:/%', name: 'm n' },
    ],
    ['postgres://u@%2Frun%2Fpostgresql/m', { ...external, host: '/run/postgresql' }],
    ['postgres://u@x/m?host=/run/postgresql', { ...external, host: '/run/postgresql' }],
    ['postgres://u@10.0.0.7/m', { ...external, host: '10.0.0.7' }],
    ['postgres://u@[fd00::7]:6543/m', { ...external, host: 'fd00::7', port: 6543 }],
    ['postgresql://u:pw@/m?host=/cloudsql/p:r:i', { ...external, password: 'pw', host: '/cloudsql/p:r:i' }],
    ['postgresql://u:pw@%2Fcloudsql%2Fp:r:i/m', { ...external, password: 'pw', host: '/cloudsql/p:r:i' }],
    ['postgresql://u@%2Frun%2Fp:6543/m', { ...external, host: '/run/p', port: 6543 }],
    ['postgres:///m?user=u&host=db', external],
    [
      'postgres://?user=u&host=db&dbname=m&port=6543&password=p%40',
      { ...external, port: 6543, password: 'p@' },
    ],
    ['postgres://u:p+q:r@db/m', { ...external, password: 'p+q:r' }],
    [
      'postgres://u@a:6543,[fd00::7]:6543/m?target_session_attrs=read-write',
      { ...external, host: 'a,fd00::7', port: 6543 },
    ],
    ['postgres://u@/m?host=a,b&port=6543,6543', { ...external, host: 'a,b', port: 6543 }],
    ['postgres://u@a,b/m', { ...external, host: 'a,b' }],
    [
      'postgres://u@db/m?sslmode=require&channel_binding=require',
      { ...external, sslmode: 'require', channelBinding: 'require' },
    ],
    ['postgres://u@db/m?target_session_attrs=read-write&pgbouncer=true&channel_binding=prefer', external],
  ])('%s is understood', (url, expected) => {
    expect(database({ DATABASE_URL: url })).toEqual(expected)
  })

  const refusedUrls: readonly (readonly [url: string, why: string])[] = [
    ['hunter2', 'it does not begin with postgres://'],
    ['postgres://u:hunter2@db:port/m', 'its host and port are not host:port'],
    ['postgres://u:hunter2@db:0/m', 'its port "0" is not a whole number from 1 to 65535'],
    [
      'postgres://u:p@a,b:5433/m?target_session_attrs=read-write',
      'its hosts have different ports, and Mathesar takes one for all',
    ],
    ['postgres://u@db/m?ssl=true', 'the parameter ssl is not supported: it would have no effect'],
    ['postgres://u@db/m?sslcert=a', 'the parameter sslcert is not supported: it would have no effect'],
    ['postgres://u@db/m?channel_binding=on', 'its channel_binding is not require, prefer or disable'],
    ['postgres://u@db/m%00', 'it holds a zero byte'],
    ...['hunter@2', 'hunt/er2', 'hunt?er2', 'hunt#er2', 'hunt?er2=x', '1?er2=x'].map(
      (password) =>
        [
          `postgres://u:${password}@db/m`,
          'characters of the password such as @, /, ? and # must be escaped: %40, %2F, %3F, %23',
        ] as const,
    ),
    ['mysql://u:hunter2@db/m', 'it does not begin with postgres://'],
    ['postgres://db/hunter2', 'it lacks a user'],
    ['postgres://u:hunter2@db', 'it lacks a database'],
    ['postgres://u:hunter2@db/', 'it lacks a database'],
    ['postgres:///hunter2', 'it lacks a host and a user'],
    ['postgres://u:hunter2%@db/m', 'it holds a % that begins no escape'],
  ]
  test.each(refusedUrls)('%s is refused: %s', (url, why) => {
    const failure = failureOf(() => database({ DATABASE_URL: url }))
    expect([failure.code, failure.message]).toEqual(['SETTING_INVALID', `cannot use DATABASE_URL: ${why}`])
    expect(failure.hint).not.toContain('hunter2')
  })

  test('holds its sslmode to the words of libpq', () => {
    expect(failureOf(() => database({ DATABASE_URL: 'postgres://u:p@db/m?sslmode=verify_full' })).code).toBe(
      'SETTING_INVALID',
    )
    expect(
      failureOf(() => database({ DATABASE_URL: 'postgres://u:p@db/m?sslrootcert=system' })).message,
    ).toBe('cannot use DATABASE_URL: sslrootcert "system" is not an absolute path')
  })

  test('goes before the settings that say how to connect, which hold where it says nothing', () => {
    const around = { POSTGRES_SSLMODE: 'verify-full', POSTGRES_SSLROOTCERT: '/ca.pem' }
    expect(database({ ...around, DATABASE_URL: 'postgres://u@db/m' })).toEqual({
      ...external,
      sslmode: 'verify-full',
      sslrootcert: '/ca.pem',
    })
    expect(
      database({ ...around, DATABASE_URL: 'postgres://u@db/m?sslmode=require&sslrootcert=/other.pem' }),
    ).toEqual({ ...external, sslmode: 'require', sslrootcert: '/other.pem' })
  })

  test.each(['verify-ca', 'verify-full'])(
    'with %s needs the certificate of a CA, but not on a unix socket',
    (sslmode) => {
      const failure = failureOf(() =>
        database({ DATABASE_URL: `postgres://u:hunter2@db/m?sslmode=${sslmode}` }),
      )
      expect([failure.code, failure.message]).toEqual([
        'SETTING_INVALID',
        `cannot use the database: ${sslmode} needs the certificate of a CA, ` +
          'and POSTGRES_SSLROOTCERT is not given',
      ])
      expect(
        database({ DATABASE_URL: `postgres://u@x/m?host=/run/postgresql&sslmode=${sslmode}` }),
      ).toMatchObject({ sslmode })
    },
  )
})

describe('a typed value', () => {
  test('has the type of its kind', () => {
    const typed = typeSettings(
      read({
        PORT: '0080',
        DEBUG: 't',
        REQUIRE_SSO_LOGIN: 'False',
        ALLOWED_HOSTS: ' a.org ,b.org',
        LOG_FORMAT: 'json',
        PUBLIC_URL: 'https://a.org',
        BIND_ADDRESS: '127.0.0.1',
        POSTGRES_SSLROOTCERT: '/ca.pem',
        SSO_CONFIG_DICT: '{}',
        GUNICORN_CMD_ARGS: '-q',
        CONSOLE: '[::]:9000',
      }),
    )
    expect(typed).toMatchObject({
      PORT: 80,
      DEBUG: true,
      REQUIRE_SSO_LOGIN: false,
      ALLOWED_HOSTS: ['a.org', 'b.org'],
      LOG_FORMAT: 'json',
      PUBLIC_URL: 'https://a.org',
      BIND_ADDRESS: '127.0.0.1',
      POSTGRES_SSLROOTCERT: '/ca.pem',
      SSO_CONFIG_DICT: '{}',
      GUNICORN_CMD_ARGS: '-q',
      CONSOLE: { host: '::', port: 9000 },
    })
  })

  test.each(settingNames)('of %s is there where there is a default, and else is not', (name) => {
    expect(typeSettings(read({}))[name] === undefined).toBe(settingOf(name).default === undefined)
  })

  test.each([
    ['', []],
    [' , ,', []],
    ['a', ['a']],
    [' a , b,', ['a', 'b']],
  ])('that is the list %j has the items %j', (text, items) => {
    expect(itemsOf(text)).toEqual(items)
  })
})

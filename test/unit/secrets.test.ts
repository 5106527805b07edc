import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { secretsOf } from '../../src/settings/secrets.ts'
import { filesOf, read, readFile } from './configurations.ts'
import { runs, runsTimeoutMs } from './runs.ts'

describe('the secrets of a configuration', () => {
  test('are the values of secret settings, wherever they come from', () => {
    expect(
      secretsOf(
        read(filesOf('FILE_STORAGE_DICT={"s3":{"key":"AKIA","secret":"s3cr3t","bucket":"b"}}'), {
          SECRET_KEY: 'hunter2',
        }),
      ),
    ).toEqual(expect.arrayContaining(['hunter2', 'AKIA', 's3cr3t']))
  })

  test('are none of what is no secret', () => {
    const secrets = secretsOf(
      readFile(
        'ALLOWED_HOSTS=a.org\n' +
          'SSO_CONFIG_DICT={"oidc_providers":{"p":{"client_id":"public","server_url":"https://id.org"}}}',
      ),
    )
    expect(secrets.some((secret) => ['a.org', 'public', 'https://id.org'].includes(secret))).toBe(false)
  })

  test('hold the password of the database, as it is written and as it is meant', () => {
    expect(secretsOf(readFile('DATABASE_URL=postgres://u:p%40ss@db/m'))).toEqual([
      'postgres://u:p%40ss@db/m',
      'p@ss',
    ])
    expect(
      secretsOf(readFile('POSTGRES_HOST=db\nPOSTGRES_DB=m\nPOSTGRES_USER=u\nPOSTGRES_PASSWORD=p@ss')),
    ).toContain('p@ss')
    expect(secretsOf(readFile(''))).toEqual([])
  })

  test.each<[string, string[]]>([
    ['oidc_providers:\n  p:\n    client_id: public\n    secret: hunter2', ['hunter2']],
    ['a:\n  client_secret: "hunter2"', ['hunter2']],
    ["a:\n  'api-key':   'hunter2'  ", ['hunter2']],
    ['a:\n- token: hunter2\n  name: x', ['hunter2']],
    ['a:\n  password: hunter2 # the old one', ['hunter2']],
    ['a: {client_id: public, secret: hunter2}', ['hunter2']],
    ['a: {"secret": "hunter2", x: y}', ['hunter2']],
    ['a:\r\n  secret: hunter2\r\n  b: c\r\n', ['hunter2']],
    ["a:\n  secret: it's hunter2", ["it's hunter2"]],
    ['a:\n  secret: "hunter # 2"', ['hunter # 2']],
    ['a:\n  secret: 31415926', ['31415926']],
    ['a:\n  secret:\n  name: x', []],
  ])('of sso.yml %j are %j', (text, secrets) => {
    expect(secretsOf(read(filesOf(undefined, { 'sso.yml': text })))).toEqual(expect.arrayContaining(secrets))
    if (secrets.length === 0) expect(secretsOf(read(filesOf(undefined, { 'sso.yml': text })))).toEqual([])
  })

  test('are counted: of thousands in one place the first are hidden, and the place as a whole', () => {
    const value = JSON.stringify({ keys: Array.from({ length: 4000 }, (_, index) => `secret${index}`) })
    const secrets = secretsOf(readFile(`SSO_CONFIG_DICT=${value}`))
    expect(secrets).toHaveLength(100)
    expect(secrets.slice(0, 2)).toEqual([value, 'secret0'])
  })

  test(
    'are found at any depth of JSON, and no JSON makes it fail',
    () => {
      const anyKey = fc.constantFrom(
        'secret',
        'client_secret',
        'API_KEY',
        'password',
        'accessToken',
        'credentials',
        'connection_string',
      )
      const wrap = (value: unknown, path: readonly (string | number)[]): unknown =>
        path.reduceRight(
          (inner, key) => (typeof key === 'number' ? [inner] : { [key]: inner, other: 1 }),
          value,
        )
      fc.assert(
        fc.property(
          fc.string({ minLength: 1 }),
          anyKey,
          fc.array(fc.oneof(fc.constantFrom('a', 'b'), fc.constant(0)), { maxLength: 6 }),
          (secret, key, path) => {
            const text = JSON.stringify({ top: wrap({ [key]: secret }, path) })
            expect(secretsOf(read(filesOf(undefined), { SSO_CONFIG_DICT: text }))).toContain(secret)
          },
        ),
        runs(60),
      )
      fc.assert(
        fc.property(
          fc.dictionary(fc.string(), fc.jsonValue()),
          (value) => void secretsOf(read(filesOf(undefined), { SSO_CONFIG_DICT: JSON.stringify(value) })),
        ),
        runs(60),
      )
    },
    runsTimeoutMs,
  )
})

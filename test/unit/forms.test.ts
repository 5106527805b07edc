import { describe, expect, test } from 'vitest'
import { decodeText } from '../../src/core/text.ts'
import { databaseOf } from '../../src/settings/database.ts'
import { oddityOf } from '../../src/settings/forms.ts'
import { permittedHosts, trustedOrigins } from '../../src/settings/hosts.ts'
import { isEmptied } from '../../src/settings/proposal.ts'
import { type SettingName } from '../../src/settings/table.ts'
import { whyInvalid } from '../../src/settings/why-invalid.ts'
import { typeSettings } from '../../src/settings/typed.ts'
import { readSettings } from '../../src/settings/values.ts'

const noFiles = (): string => {
  throw new Error('ENOENT')
}
const read = (environment: Readonly<Record<string, string>>, readFile: (path: string) => string = noFiles) =>
  readSettings(environment, readFile)
const files = (env: string | undefined) => ({
  'mathesar.env': env,
  'sso.yml': undefined,
  'file_storage.yml': undefined,
  'login_page.yml': undefined,
})

describe('a form that is refused says what to write in its place', () => {
  test.each<readonly [SettingName, string, RegExp]>([
    ['ALLOWED_HOSTS', '"a.example.org,localhost"', /has quotes around it.*--env-file/],
    ['ALLOWED_HOSTS', "'a.example.org'", /has quotes around it/],
    ['ALLOWED_HOSTS', 'https://a.example.org', /without scheme.*write a\.example\.org$/],
    ['ALLOWED_HOSTS', 'localhost,a.example.org:8000', /write a\.example\.org$/],
    ['ALLOWED_HOSTS', 'a.example.org/path', /write a\.example\.org$/],
    ['ALLOWED_HOSTS', '*.example.org', /write \.example\.org$/],
    ['ALLOWED_HOSTS', '["a.example.org", "b"]', /separated by commas, not written as JSON/],
    ['ALLOWED_HOSTS', 'a.example.org b.example.org', /write a\.example\.org$/],
    ['ALLOWED_HOSTS', 'a.example.org;b.example.org', /write a\.example\.org$/],
    ['ALLOWED_HOSTS', '::1', /must be in brackets: \[::1\]/],
    ['ALLOWED_HOSTS', 'a,,b', /empty item/],
    ['ALLOWED_HOSTS', '192.168.1.0/24', /must be a host name or address.* or \*$/],
    ['ALLOWED_HOSTS', 'münchen.example', /write xn--mnchen-3ya\.example$/],
    ['ALLOWED_HOSTS', 'example.org.', /write example\.org$/],
    ['ALLOWED_HOSTS', '*example.com', /write \.example\.com$/],
    ['ALLOWED_HOSTS', 'fe80::1%eth0', /must be a host name or address.* or \*$/],
    ['ALLOWED_HOSTS', 'nas,my_app', /"my_app" has an underscore, which no host name has.*proxy/],
    ['ALLOWED_HOSTS', '${HOST}', /must be a host name or address/],
    ['ALLOWED_HOSTS', '.', /must be a host name or address/],
    ['CSRF_TRUSTED_ORIGINS', 'a.example.org', /such as https:\/\/a\.example\.org$/],
    ['CSRF_TRUSTED_ORIGINS', 'https://a.example.org/path', /must be an origin/],
    ['POSTGRES_HOST', 'db:5432', /one host name or address without scheme, port.*write db$/],
    ['POSTGRES_HOST', 'postgres://db', /write db$/],
    ['POSTGRES_HOST', '[::1]', /must be one host name/],
    ['POSTGRES_HOST', 'db other', /write db$/],
    ['POSTGRES_HOST', 'db\nother', /must be one host name|control character/],
    ['POSTGRES_HOST', '"db"', /has quotes around it/],
    ['WEB_CONCURRENCY', '"2"', /has quotes around it/],
    ['GUNICORN_CMD_ARGS', '--certfile=/c.pem', /--certfile is not permitted: .*proxy/],
    ['GUNICORN_CMD_ARGS', '--max-requests 5 --bind 0.0.0.0:80', /--bind is not permitted: .*BIND_ADDRESS/],
    ['GUNICORN_CMD_ARGS', '-b :80', /-b is not permitted/],
    ['GUNICORN_CMD_ARGS', '--daemon', /--daemon is not permitted/],
    ['GUNICORN_CMD_ARGS', '--threads=8', /--threads is not permitted: .*WEB_THREADS/],
    ['GUNICORN_CMD_ARGS', '-k gthread', /-k is not permitted/],
    ['GUNICORN_CMD_ARGS', '--env SECRET_KEY=x', /--env is not permitted/],
    ['GUNICORN_CMD_ARGS', '--umask 077', /--umask is not permitted/],
    ['GUNICORN_CMD_ARGS', '--umas 077', /--umask is not permitted/],
    ['GUNICORN_CMD_ARGS', '-q "--us"er=www-data', /--user is not permitted/],
    ['GUNICORN_CMD_ARGS', '--initgroups', /--initgroups is not permitted/],
    ['GUNICORN_CMD_ARGS', '--check-config', /--check-config is not permitted: gunicorn would end/],
    ['GUNICORN_CMD_ARGS', "--name 'a", /a quote or a backslash without its other half/],
    ['GUNICORN_CMD_ARGS', '--name a\\', /a quote or a backslash without its other half/],
  ])('%s=%s', (name, value, why) => {
    expect(whyInvalid(name, value)).toMatch(why)
  })

  test.each<readonly [SettingName, string]>([
    ['ALLOWED_HOSTS', '*'],
    ['ALLOWED_HOSTS', '.localhost,127.0.0.1,[::1],private'],
    ['ALLOWED_HOSTS', 'nas, a.example.org , my-service'],
    ['CSRF_TRUSTED_ORIGINS', 'https://a.example.org,http://nas:8000,https://*.example.org'],
    ['POSTGRES_HOST', 'db.example.org'],
    ['POSTGRES_HOST', '::1'],
    ['POSTGRES_HOST', '/cloudsql/p:r:i'],
    ['GUNICORN_CMD_ARGS', '--max-requests 100 --access-logfile -'],
    ['GUNICORN_CMD_ARGS', `--name 'it is "mine"' --log-level=debug -w 3 --worker-connections 5`],
  ])('%s=%s is taken', (name, value) => {
    expect(whyInvalid(name, value)).toBeUndefined()
  })
})

describe('a value is cleaned once, where it comes in', () => {
  test('a secret key with a line break or blank at its end is used as it is kept', () => {
    expect(read({ SECRET_KEY: '0123456789abcdef\n' }).SECRET_KEY.value).toBe('0123456789abcdef')
    expect(read({ SECRET_KEY: ' 0123456789abcdef ' }).SECRET_KEY.value).toBe('0123456789abcdef')
    expect(read({ SECRET_KEY_FILE: '/key' }, () => '0123456789abcdef\r\n\n').SECRET_KEY.value).toBe(
      '0123456789abcdef',
    )
  })

  test('a password keeps its blanks, and loses the line breaks of its file', () => {
    expect(read({ POSTGRES_PASSWORD_FILE: '/p' }, () => ' pass word \n\n').POSTGRES_PASSWORD.value).toBe(
      ' pass word ',
    )
  })

  test.each(['TRUE', 'Yes', '1', 'on', 't'])('%s is true', (text) => {
    expect(read({ DEBUG: text }).DEBUG.value).toBe('true')
  })

  test('a variable of blanks counts as not given', () => {
    expect(read({ ALLOWED_HOSTS: ' ' }).ALLOWED_HOSTS.source).toBe('default')
  })
})

describe('a database URL', () => {
  test.each([
    ['postgres://u:p@ss/word@h/db', /must be escaped: %40, %2F/],
    ['postgres://u:p@h/db?options=-csearch_path%3Dx', /options is not supported/],
    ['postgres://u:p@h/db?schema=x', /schema is not supported/],
  ])('%s is refused, and no part of its password is shown', (url, why) => {
    const attempt = (): unknown => databaseOf(read({ DATABASE_URL: url }))
    expect(attempt).toThrow(why)
    expect(attempt).not.toThrow(/word@|p@ss/)
  })
})

describe('bytes that are not UTF-8', () => {
  test.each([
    [Buffer.from('A=1\nPOSTGRES_PASSWORD=gr\xfc\xdfe\n', 'latin1'), /line 2 is not UTF-8.*Latin-1/],
    [Buffer.from('\ufeffA=1\n', 'utf16le'), /UTF-16, as PowerShell writes it/],
    [Buffer.concat([Buffer.from('A=1\n'), Buffer.from('B=2\n', 'utf16le')]), /line 2 is UTF-16/],
    [Buffer.alloc(4096), /line 1 has bytes of zero/],
    [Buffer.concat([Buffer.from('A=1\nB=2\nC='), Buffer.alloc(100)]), /line 3 has bytes of zero/],
    [Buffer.from('A=1\nSECRET_KEY=a\0bcdefgh\n'), /line 2 has bytes of zero/],
  ])('%# are refused with the line and the likely encoding', (bytes, why) => {
    expect(() => decodeText(bytes)).toThrow(why)
  })

  test('are no reason to refuse any other text', () => {
    for (const text of ['', 'A=1', 'M=München\r\n', '\ufeffA=1'])
      expect(decodeText(Buffer.from(text))).toBe(text)
  })
})

test('an emptied mathesar.env is no edit, where it held anything', () => {
  for (const now of [undefined, '', ' \n']) expect(isEmptied(files(now), files('A=1'))).toBe(true)
  expect(isEmptied(files('B=2'), files('A=1'))).toBe(false)
  expect(isEmptied(files('# nothing else'), files('DEBUG=true'))).toBe(false)
  expect(isEmptied(files(''), files(undefined))).toBe(false)
})

test('PUBLIC_URL permits its own host and origin', () => {
  const settings = typeSettings(read({ PUBLIC_URL: 'https://m.example.org/path' }))
  expect(permittedHosts(settings)).toContain('m.example.org')
  expect(trustedOrigins(settings)).toEqual(['https://m.example.org'])
})

test.each([
  ['"quoted"', /quotes/],
  [' hunter2', /blank/],
  ['line\nbreak', /line break/],
])('what is odd about the secret %j is said without showing it', (secret, why) => {
  expect(oddityOf(secret)).toMatch(why)
  expect(oddityOf(secret)).not.toContain(secret.trim().replaceAll('"', ''))
})

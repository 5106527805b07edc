import { describe, expect, test } from 'vitest'
import { settingNames, settingOf, variableNames } from '../../../src/settings/table.ts'
import { appEnvironment, withAdmin } from '../../../src/units/mathesar/environment.ts'
import { createScope } from '../fakes/scope.ts'

const run = (config = '', environment: Readonly<Record<string, string>> = {}, cpus = 2) => {
  const { place } = createScope().scope
  return appEnvironment(
    createScope({ config, place: { environment, machine: { ...place.machine, cpus } } }).scope,
  )
}

describe('the environment of Mathesar', () => {
  test('has what Django and gunicorn read, each by its own name', () => {
    expect(run()).toMatchObject({
      DJANGO_SETTINGS_MODULE: 'config.settings.production',
      PYTHONUNBUFFERED: '1',
      SECRET_KEY: 'the secret key',
      MATHESAR_HOSTS_FILE: '/run/m/app/hosts',
      DEBUG: 'false',
      WEB_CONCURRENCY: '4',
      MEDIA_ROOT: '/data/media/',
      TMPDIR: '/data/tmp',
      HOME: '/data/tmp',
    })
  })

  test('gives up a database server that vanished', () => {
    expect(run()).toMatchObject({
      PGCONNECT_TIMEOUT: '30',
      PGSERVICE: 'mathesar',
      PGSERVICEFILE: expect.stringMatching(/^\/.*\/pg_service\.conf$/),
    })
  })

  test('names the embedded database by its socket, without a password', () => {
    const environment = run()
    expect(environment).toMatchObject({
      POSTGRES_HOST: '/run/m/postgres',
      POSTGRES_DB: 'mathesar_django',
      POSTGRES_USER: 'mathesar',
    })
    expect(Object.keys(environment).filter((name) => name.startsWith('POSTGRES_'))).toHaveLength(3)
  })

  test('names an external database by its parts, whatever way it was given', () => {
    const environment = run('DATABASE_URL=postgres://joe:hunter2@db:5433/app?sslmode=require\n')
    expect(environment).toMatchObject({
      POSTGRES_HOST: 'db',
      POSTGRES_PORT: '5433',
      POSTGRES_DB: 'app',
      POSTGRES_USER: 'joe',
      POSTGRES_PASSWORD: 'hunter2',
      POSTGRES_SSLMODE: 'require',
    })
    expect(environment).not.toHaveProperty('DATABASE_URL')
  })

  test('takes a setting from what is in force, never from the variable itself', () => {
    expect(
      run('DEBUG=true\nWEB_CONCURRENCY=3\n', { GUNICORN_TIMEOUT: '', GUNICORN_CMD_ARGS: '' }),
    ).toMatchObject({
      DEBUG: 'true',
      WEB_CONCURRENCY: '3',
      GUNICORN_TIMEOUT: '300',
    })
    expect(run('', { GUNICORN_CMD_ARGS: '' })).not.toHaveProperty('GUNICORN_CMD_ARGS')
  })

  test('has threads for the workers that there are, fewer where the database is one of others', () => {
    const external = 'DATABASE_URL=postgres://joe@db/app\n'
    expect(run('WEB_CONCURRENCY=2\n')).toMatchObject({ WEB_CONCURRENCY: '2', WEB_THREADS: '8' })
    expect(run(`WEB_CONCURRENCY=2\n${external}`)).toMatchObject({ WEB_CONCURRENCY: '2', WEB_THREADS: '5' })
    expect(run('WEB_CONCURRENCY=2\nWEB_THREADS=1\n')).toMatchObject({ WEB_THREADS: '1' })
  })

  test('passes on what the container has of its own, and nothing that is for the supervisor', () => {
    const foreign = { LANG: 'de_DE.UTF-8', DJANGO_SUPERUSER_USERNAME: 'admin', http_proxy: 'http://p' }
    const own = {
      SUPERVISOR_DATA: '/elsewhere',
      PGHOST: 'elsewhere',
      NODE_OPTIONS: '--inspect',
      HOME: '/root',
      USER: 'root',
      PORT: '9000',
      CONSOLE: 'on',
      CONSOLE_CODE: 'a code of sixteen letters',
    }
    const environment = run('', { ...foreign, ...own })
    expect(environment).toMatchObject(foreign)
    for (const name of Object.keys(own).filter((each) => each !== 'HOME'))
      expect(environment).not.toHaveProperty(name)
    expect(environment.HOME).toBe('/data/tmp')
  })

  test('passes on what nobody here knows, and what only looks like a secret of ours', () => {
    const unknown = {
      MATHESAR_THEME_COLOR_BRAND_ACCENT: '#147987',
      MATHESAR_AUTH_LOGO_FILE: 'auth.svg',
      MATHESAR_WHAT_COMES_NEXT: 'x',
      AZURE_FEDERATED_TOKEN_FILE: '/run/token',
      SSL_CERT_FILE: '/etc/ca.pem',
    }
    const ours = variableNames.map((name) => `${name}_FILE`)
    const { scope } = createScope()
    const given = { ...unknown, ...Object.fromEntries(ours.map((name) => [name, '/run/secret'])) }
    const environment = appEnvironment({ ...scope, place: { ...scope.place, environment: given } })
    expect(environment).toMatchObject(unknown)
    for (const name of ours) expect(environment).not.toHaveProperty(name)
  })

  test('has what Mathesar reads of its own settings, from the file and from the environment', () => {
    const given = { MATHESAR_INSTANCE_NAME: 'Ours', MATHESAR_LOGIN_PAGE_BACKGROUND: '#123' }
    expect(run('MATHESAR_INSTANCE_NAME=Ours\n', { MATHESAR_LOGIN_PAGE_BACKGROUND: '' })).toMatchObject({
      MATHESAR_INSTANCE_NAME: 'Ours',
    })
    expect(run('MATHESAR_INSTANCE_NAME=Ours\nMATHESAR_LOGIN_PAGE_BACKGROUND=#123\n')).toMatchObject(given)
    expect(run()).not.toHaveProperty('MATHESAR_DJANGO_ADMIN_ENABLED')
    expect(run('MATHESAR_DJANGO_ADMIN_ENABLED=yes\n')).toMatchObject(withAdmin)
  })

  test('holds no secret but its own key and what its settings give it', () => {
    const secret = settingNames.filter((name) => settingOf(name).secret && name.endsWith('DICT'))
    expect(JSON.stringify(run())).not.toContain('the password')
    const given = run(secret.map((name) => `${name}={"a":{"b":"${name}"}}\n`).join(''))
    for (const name of secret) expect(given[name]).toBe(`{"a":{"b":"${name}"}}`)
  })

  test.each([
    [0.5, '1'],
    [1, '2'],
    [64, '8'],
  ])('has workers that fit %d processors: %s', (cpus, workers) => {
    expect(run('', {}, cpus).WEB_CONCURRENCY).toBe(workers)
  })
})

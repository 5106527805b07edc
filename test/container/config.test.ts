import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { makeConfigMap } from '../fixtures/config-map.ts'
import {
  type Box,
  cleanUp,
  cleanUpAfterEach,
  dataFolder,
  describeContainer,
  leanImage,
  makeAdmin,
  newVolume,
  onVolume,
  start,
  until,
} from '../helpers/docker.ts'
import { freePort } from '../helpers/port.ts'

const file = `${dataFolder}/config/mathesar.env`
const makeFolder = (): string => {
  const folder = mkdtempSync('/tmp/config-')
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
const asMathesar = (box: Box, script: string) =>
  box.exec(
    'setpriv',
    '--reuid=mathesar',
    '--regid=mathesar',
    '--init-groups',
    '--no-new-privs',
    'sh',
    '-euc',
    script,
  )
const inMathesar = async (box: Box, name: string): Promise<string | null> =>
  ((await (await fetch(box.url(`/env/?name=${name}`))).json()) as { value: string | null }).value
const lastEntry = async (box: Box) =>
  (
    JSON.parse((await box.supervisor('config', 'history', '--json')).stdout) as {
      from: string
      result: string
      why: string | null
    }[]
  ).at(-1)!
const force = (box: Box, name: string, value: string | null) =>
  until(
    `${name} to be ${value} in Mathesar`,
    async () => (await inMathesar(box, name).catch(() => undefined)) === value,
  )

const provider = `version: 2
providers:
  one: { type: oidc, provider_name: Example Login, client_id: a, secret: b, server_url: https://x.example }`
const halfUsed = {
  version: 2,
  providers: { one: { type: 'github', client_id: 'a', secret: 'b' }, two: { type: 'saml', secret: 'c' } },
}
const refusedDictionaries: readonly (readonly [setting: string, value: unknown, why: string])[] = [
  ['FILE_STORAGE_DICT', { default: 'x' }, 'default must be a mapping'],
  ['FILE_STORAGE_DICT', { default: { public_form_access: 'x' } }, 'public_form_access of default must be'],
  ['SSO_CONFIG_DICT', { version: 3 }, 'its version must be 1 or 2'],
  ['SSO_CONFIG_DICT', { foo: 1 }, 'it has no mapping oidc_providers'],
  ['SSO_CONFIG_DICT', { version: 2, providers: 'x' }, 'providers must be a mapping'],
  ['SSO_CONFIG_DICT', { version: 2, providers: { one: { type: 'saml' } } }, 'Mathesar uses 0 of 1 providers'],
  ['OIDC_CONFIG_DICT', { oidc_providers: { one: { provider_name: 'x' } } }, 'Mathesar uses 0 of 1 providers'],
]
/** What YAML 1.2 permits, and the parser that Mathesar uses does not. No part of a secret is repeated. */
const refusedByParsers: readonly (readonly [name: string, text: string, why: string])[] = [
  [
    'sso.yml',
    'a:\tb: 1',
    ', line 1: Mathesar cannot read it as YAML: found character … that cannot start any token',
  ],
  [
    'sso.yml',
    'key: !secret a',
    ', line 1: Mathesar cannot read it as YAML: could not determine a constructor for the tag …',
  ],
  [
    'sso.yml',
    'a: 1\nsecret: !ENV X',
    ', line 2: Mathesar cannot read it as YAML: could not determine a constructor for the tag …',
  ],
  [
    'file_storage.yml',
    'a: {}\nv: 2023-13-45',
    ', line 2: Mathesar cannot read it as YAML: a value begins as a date, a number or the like, ' +
      'and is none: put it in quotes',
  ],
  ['file_storage.yml', 'a: *hunter2', ', line 1: Mathesar cannot read it as YAML: found undefined alias …'],
  ['file_storage.yml', '2023-01-02: {}', ': 2023-01-02 must be a name with a mapping'],
  ['file_storage.yml', `a: ${'['.repeat(3000)}${']'.repeat(3000)}`, ': it is nested too deep for Mathesar'],
]

/** A script of Python in the container that asks on the app's socket; prints the status and the body. */
const askScript = (method: string, path: string, body = ''): string => `python3 - <<'PY'
import http.client, socket
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect('/run/mathesar/app/config.sock')
c = Unix('supervisor')
c.request('${method}', '${path}', body='''${body}''')
r = c.getresponse()
print(r.status, r.read().decode())
PY`

describeContainer('a user interface', () => {
  cleanUpAfterEach()

  it('with UI_MAY_EDIT_CONFIG may write mathesar.env and use its socket, and nothing else', async () => {
    const box = await start({ env: { UI_MAY_EDIT_CONFIG: 'true', SAMPLE_APP_TEST: '1' } })
    await box.ready()
    await until(
      'the app socket',
      async () => (await box.exec('test', '-S', '/run/mathesar/app/config.sock')).exitCode === 0,
    )
    expect(await asMathesar(box, `echo GUNICORN_TIMEOUT=77 >> ${file}`)).toMatchObject({ exitCode: 0 })
    await force(box, 'GUNICORN_TIMEOUT', '77')
    expect((await asMathesar(box, `echo new > ${dataFolder}/config/other`)).exitCode).not.toBe(0)
    expect((await asMathesar(box, `rm ${file}`)).exitCode).not.toBe(0)
    expect((await asMathesar(box, `ls ${dataFolder}/history`)).exitCode).not.toBe(0)
    // Also once the supervisor has written it.
    expect((await box.supervisor('config', 'set', 'GUNICORN_TIMEOUT=78')).exitCode).toBe(0)
    expect(await asMathesar(box, `echo REQUIRE_SSO_LOGIN=true >> ${file}`)).toMatchObject({ exitCode: 0 })
    await force(box, 'REQUIRE_SSO_LOGIN', 'true')

    const ask = async (method: string, path: string, body?: string): Promise<string> =>
      (await asMathesar(box, askScript(method, path, body))).stdout
    expect(await ask('GET', '/v1/config')).toMatch(/^200 \{"version"/)
    expect(await ask('POST', '/v1/config/changes', '{"set":{"GUNICORN_TIMEOUT":"79"}}')).toMatch(
      /^200 .*"result":"applied"/,
    )
    expect(await inMathesar(box, 'GUNICORN_TIMEOUT')).toBe('79')
    expect(await lastEntry(box)).toMatchObject({ from: 'app', result: 'applied' })
    expect(await ask('POST', '/v1/config/changes', '{"set":{"SECRET_KEY":"stolen"}}')).toMatch(
      /^403 .*SETTING_PINNED/,
    )
    for (const path of ['/v1/status', '/v1/health', '/v1/logs', '/v1/config/file'])
      expect(await ask('GET', path), path).toMatch(/^404 /)
    expect(await ask('POST', '/v1/services/postgres/stop')).toMatch(/^404 /)
    expect((await asMathesar(box, 'ls /run/mathesar/control')).exitCode).not.toBe(0)
    expect((await asMathesar(box, 'echo x > /run/mathesar/app/sso.yml')).exitCode).not.toBe(0)
    expect((await box.stop()).exitCode).toBe(0)
  })

  it('without it can do neither', async () => {
    const box = await start()
    await box.ready()
    expect((await asMathesar(box, `cat ${file}`)).exitCode).not.toBe(0)
    expect((await asMathesar(box, `echo x >> ${file}`)).exitCode).not.toBe(0)
    expect((await box.exec('test', '-e', '/run/mathesar/app/config.sock')).exitCode).toBe(1)
    expect((await box.sh(`stat -c %a:%u ${file}`)).stdout).toBe('600:0')
    expect((await box.supervisor('config', 'set', 'UI_MAY_EDIT_CONFIG=true')).exitCode).toBe(26)
  })
})

describeContainer('the config folder', () => {
  cleanUpAfterEach()

  it('of any user is kept in the volume: `--user 12345:0` on a read-only root', async () => {
    const volume = await newVolume()
    const run = ['--user', '12345:0', '--read-only', '--cap-drop', 'ALL']
    const box = await start({ volume, run, env: { SAMPLE_APP_TEST: '1', UI_MAY_EDIT_CONFIG: 'true' } })
    await box.ready()
    expect((await box.supervisor('config', 'set', 'GUNICORN_TIMEOUT=77')).exitCode).toBe(0)
    expect(await inMathesar(box, 'GUNICORN_TIMEOUT')).toBe('77')
    expect(
      await box.sh(
        `stat -c %u ${file}; python3 -c "import socket; ` +
          `socket.socket(socket.AF_UNIX).connect('/run/mathesar/app/config.sock')"`,
      ),
    ).toMatchObject({ exitCode: 0, stdout: '12345' })
    expect((await box.supervisor('config', 'set', 'GUNICORN_CMD_ARGS=--nonsense')).exitCode).toBe(24)
    expect((await box.stop()).exitCode).toBe(0)
    await box.remove()
    const second = await start({ volume, run, env: { SAMPLE_APP_TEST: '1' } })
    await second.ready()
    expect(await inMathesar(second, 'GUNICORN_TIMEOUT')).toBe('77')
  })

  it('mounted read-only, as a ConfigMap is, serves: edits are applied, `config set` is refused', async () => {
    const folder = makeFolder()
    const map = makeConfigMap(folder)
    map.put({ 'mathesar.env': 'GUNICORN_TIMEOUT=71\n' })
    const box = await start({
      env: { SAMPLE_APP_TEST: '1' },
      run: ['--volume', `${folder}:${dataFolder}/config:ro`],
    })
    await box.ready()
    expect(await inMathesar(box, 'GUNICORN_TIMEOUT')).toBe('71')
    map.put({ 'mathesar.env': 'GUNICORN_TIMEOUT=72\n' })
    await force(box, 'GUNICORN_TIMEOUT', '72')
    const refused = await box.supervisor('config', 'set', 'GUNICORN_TIMEOUT=73')
    expect(refused.exitCode, refused.stderr).toBe(30)
    expect(refused.stderr).toMatch(/read-only/)
    expect(await inMathesar(box, 'GUNICORN_TIMEOUT')).toBe('72')
    map.put({ 'mathesar.env': 'GUNICORN_TIMEOUT=soon\n' })
    await until('the bad edit to be refused', async () => (await lastEntry(box)).result === 'rejected')
    await until('the bad line to be shown', async () =>
      (await box.supervisor('config', 'show')).stdout.includes('mathesar.env, line 1: GUNICORN_TIMEOUT'),
    )
    expect(await inMathesar(box, 'GUNICORN_TIMEOUT')).toBe('72')
    map.put({ 'mathesar.env': 'GUNICORN_TIMEOUT=74\n' })
    await force(box, 'GUNICORN_TIMEOUT', '74')
    await until('the problem to be gone', async () => (await box.status()).problems.length === 0)
    expect((await box.stop()).exitCode).toBe(0)
  })

  it('with a single file mounted: `config set` writes in place, an edit on the host is applied', async () => {
    const path = join(makeFolder(), 'mathesar.env')
    writeFileSync(path, '# mine\nGUNICORN_TIMEOUT=71\n')
    const box = await start({ env: { SAMPLE_APP_TEST: '1' }, run: ['--volume', `${path}:${file}`] })
    await box.ready()
    expect(await box.supervisor('config', 'set', 'GUNICORN_TIMEOUT=72')).toMatchObject({ exitCode: 0 })
    expect(readFileSync(path, 'utf8')).toMatch(/^# mine\nGUNICORN_TIMEOUT=72\n/)
    writeFileSync(path, 'GUNICORN_TIMEOUT=73\n')
    await force(box, 'GUNICORN_TIMEOUT', '73')
    writeFileSync(path, 'GUNICORN_TIMEOUT=soon\n')
    await until('the bad edit to be taken back', () => readFileSync(path, 'utf8') === 'GUNICORN_TIMEOUT=73\n')
    await until(
      'it to lie beside',
      async () => (await box.exec('test', '-e', `${file}.rejected`)).exitCode === 0,
    )
    expect((await box.exec('cat', `${file}.rejected`)).stdout).toBe('GUNICORN_TIMEOUT=soon')
    writeFileSync(`${path}.new`, 'GUNICORN_TIMEOUT=74\n')
    renameSync(`${path}.new`, path)
    await until('the stale mount to be said', async () =>
      (await box.status()).problems.some(({ message }) =>
        message.includes('edits to mathesar.env no longer reach this container'),
      ),
    )
  })

  it('with a single file mounted read-only: a rollback that has to change it changes nothing', async () => {
    const volume = await newVolume()
    const first = await start({ volume })
    await first.ready()
    expect((await first.supervisor('config', 'set', 'GUNICORN_TIMEOUT=71')).exitCode).toBe(0)
    const { version } = (await first.status()).config
    await first.stop()
    await first.remove()
    const path = join(makeFolder(), 'sso.yml')
    writeFileSync(
      path,
      'version: 2\nproviders:\n  one:\n    type: oidc\n    provider_name: ' +
        'Example Login\n    client_id: id\n    secret: s\n    server_url: https://login.example.org\n',
    )
    const box = await start({ volume, run: ['--volume', `${path}:${dataFolder}/config/sso.yml:ro`] })
    await box.ready()
    expect((await box.supervisor('config', 'set', 'GUNICORN_TIMEOUT=72')).exitCode).toBe(0)
    const files = async (): Promise<string> =>
      (
        await box.sh(
          `cat ${file} ${dataFolder}/config/sso.yml; ls ${dataFolder}/history | grep intent || true`,
        )
      ).stdout
    const before = await files()
    const refused = await box.supervisor('config', 'rollback', version)
    expect(refused.exitCode, refused.stderr).toBeGreaterThan(0)
    expect(await files()).toBe(before)
    expect((await box.supervisor('config', 'set', 'GUNICORN_TIMEOUT=73')).exitCode).toBe(0)
    await box.stop()
    await box.startAgain()
    await box.ready()
    expect(await files()).toBe(before.replace('GUNICORN_TIMEOUT=72', 'GUNICORN_TIMEOUT=73'))
  })

  it('hands on a good sso.yml and file_storage.yml, and keeps them when new ones are bad', async () => {
    const volume = await newVolume()
    const box = await start({ volume })
    await box.ready()
    const backends = async (): Promise<unknown> => (await fetch(box.url('/backends/'))).json()
    expect(await backends()).toEqual({ backends: [] })
    const put = (name: string, text: string): Promise<string> =>
      onVolume(volume, `cat > config/${name} <<'EOF'\n${text}\nEOF`)
    await put('file_storage.yml', 'default:\n  protocol: s3\n  nickname: Store\n')
    await until(
      'the storage to be handed on',
      async () => JSON.stringify(await backends()) === '{"backends":["default"]}',
    )
    await put('sso.yml', provider)
    await makeAdmin(box)
    await until('the provider to be shown', async () =>
      (await (await fetch(box.url('/auth/login/'))).text()).includes('example login'),
    )
    const { length } = JSON.parse((await box.supervisor('config', 'history', '--json')).stdout) as unknown[]
    const refused = async (): Promise<number> =>
      (JSON.parse((await box.supervisor('config', 'history', '--json')).stdout) as { result: string }[])
        .slice(length)
        .filter(({ result }) => result === 'rejected').length
    await put('file_storage.yml', 'default: [\n')
    await until('the bad storage to be refused', async () => (await refused()) === 1)
    await put('sso.yml', 'version: 3\n')
    await until('the bad provider to be refused', async () => (await refused()) === 2)
    expect(await backends()).toEqual({ backends: ['default'] })
    expect(await (await fetch(box.url('/auth/login/'))).text()).toContain('example login')
    await until(
      'both to be put aside',
      async () => (await box.exec('test', '-e', `${dataFolder}/config/sso.yml.rejected`)).exitCode === 0,
    )
    expect(
      (
        await box.sh(
          `cat ${dataFolder}/config/file_storage.yml.rejected ${dataFolder}/config/sso.yml.rejected`,
        )
      ).stdout,
    ).toBe('default: [\n\nversion: 3\n')
    expect(await box.logs()).toMatch(/file_storage\.yml, line \d: it is not valid YAML/)
    expect((await box.sh(`rm ${dataFolder}/config/file_storage.yml`)).exitCode).toBe(0)
    await until('the storage to be gone', async () => JSON.stringify(await backends()) === '{"backends":[]}')
  })

  it('has what only Mathesar finds wrong with providers and storage refused in time', async () => {
    const volume = await newVolume()
    const box = await start({ volume })
    await box.ready()
    await onVolume(volume, `cat > config/file_storage.yml <<'EOF'\ndefault: { prefix: 2023-13-45 }\nEOF`)
    const { hint } = await until('the file to be refused', async () =>
      (await box.status()).problems.find(({ message }) =>
        message.includes(
          'file_storage.yml, line 1: Mathesar cannot read it as YAML: a value begins as a date',
        ),
      ),
    )
    expect(hint).toContain('file_storage.yml.rejected')
    for (const [setting, value, why] of refusedDictionaries) {
      const { exitCode, stderr } = await box.supervisor(
        'config',
        'set',
        `${setting}=${JSON.stringify(value)}`,
      )
      expect([exitCode, stderr]).toEqual([
        expect.toSatisfy((code) => [20, 23, 24].includes(code)),
        expect.stringContaining(why),
      ])
    }
    expect((await fetch(box.url('/backends/'))).status).toBe(200)
    expect(
      (await box.supervisor('config', 'set', `SSO_CONFIG_DICT=${JSON.stringify(halfUsed)}`)).exitCode,
    ).toBe(0)
    expect(await box.logs()).toContain('single sign-on: Mathesar uses 1 of 2 providers')
    await onVolume(volume, 'mkdir config/sso.yml')
    await until('the file that cannot be read to be a problem', async () =>
      (await box.status()).problems.find(({ message }) =>
        message.startsWith('cannot read sso.yml: it is a folder'),
      ),
    )
    for (const [name, text, reason] of refusedByParsers) {
      const check = await box.exec(
        'env',
        `PROPOSED_${name}=${text}`,
        'python3',
        '-I',
        '/etc/mathesar/check_config.py',
      )
      expect([name, text, check.exitCode, check.stderr]).toEqual([name, text, 1, `ERROR ${name}${reason}`])
    }
  })
})

describeContainer('a host that is not permitted', () => {
  cleanUpAfterEach()

  it('is named in log and status with the command that permits it, which works at once', async () => {
    const box = await start()
    await box.ready()
    const open = (headers: Record<string, string> = { host: 'nas.example' }, method = 'GET') =>
      new Promise<number>((resolve, reject) => {
        const sent = request(box.url('/auth/login/'), { headers, method }, (response) => {
          response.resume()
          resolve(response.statusCode!)
        })
        sent.once('error', reject).end()
      })
    const problemWith = async (text: string) =>
      await until('the problem', async () =>
        (await box.status()).problems.find(({ message }) => message.includes(text)),
      )
    expect(await open()).toBe(400)
    const { hint } = await problemWith('nas.example')
    const command = /supervisor permit \S+$/.exec(hint!)![0]
    expect(command).toBe('supervisor permit nas.example')
    expect(await box.logs()).toContain(command)
    expect(await box.sh(command)).toMatchObject({ exitCode: 0 })
    expect(await open()).toBe(302)
    expect((await box.status()).problems).toEqual([])
    const origin = 'https://m.example.org'
    expect(await open({ host: 'localhost', origin }, 'POST')).toBe(403)
    const trust = /supervisor config set CSRF_TRUSTED_ORIGINS=\S+\b/.exec(
      (await problemWith(origin)).hint!,
    )![0]
    expect(await box.sh(trust)).toMatchObject({ exitCode: 0 })
    expect((await box.status()).problems).toEqual([])
    expect(await open({ host: 'my_app:8000' })).toBe(400)
    expect((await problemWith('my_app')).hint).toContain('proxy_set_header Host')
  })
})

describeContainer('a platform without a lasting file system', () => {
  let server: Box
  let port: number
  beforeAll(async () => {
    port = await freePort()
    server = await start({
      run: ['--user', 'postgres', '--tmpfs', '/tmp', '--entrypoint', 'sh'],
      args: [
        '-euc',
        'initdb -D /tmp/data -U owner -A trust --no-sync > /tmp/log; ' +
          `exec postgres -D /tmp/data -p ${port} -c listen_addresses=127.0.0.1 -c ` +
          'unix_socket_directories=/tmp -c fsync=off',
      ],
    })
    await until(
      'the server answers',
      async () =>
        (await server.sh(`psql -h 127.0.0.1 -p ${port} -U owner -d postgres -c 'select 1'`)).exitCode === 0,
    )
  })
  afterAll(cleanUp)

  it.each([
    [
      'read-only, the volume too',
      leanImage,
      ['--read-only', '--mount', `type=tmpfs,destination=${dataFolder},readonly,tmpfs-mode=0555`],
      'one',
    ],
    [
      'read-only and as any user',
      leanImage,
      [
        '--read-only',
        '--user',
        '12345:0',
        '--mount',
        `type=tmpfs,destination=${dataFolder},readonly,tmpfs-mode=0555`,
      ],
      'two',
    ],
  ] as const)(
    'boots from the environment alone, and complains of uploads alone: %s',
    async (_, of, run, database) => {
      expect(
        (
          await server.sh(
            `psql -h 127.0.0.1 -p ${port} -U owner -d postgres -c 'create database ${database}'`,
          )
        ).exitCode,
      ).toBe(0)
      const box = await start({
        image: of,
        run,
        env: {
          SECRET_KEY: 'given-0123456789-0123456789-0123456789-0123456789',
          DATABASE_URL: `postgres://owner@127.0.0.1:${port}/${database}`,
          ALLOWED_HOSTS: '127.0.0.1',
          GUNICORN_TIMEOUT: '77',
          SAMPLE_APP_TEST: '1',
        },
      })
      await box.ready()
      expect((await box.status()).problems).toEqual([])
      expect((await box.logs()).match(/ (?:warn|error) +supervisor.*/g)).toEqual([
        expect.stringContaining('FILE_STORAGE_DICT names a storage that lasts'),
      ])
      expect(await inMathesar(box, 'GUNICORN_TIMEOUT')).toBe('77')
      expect((await box.supervisor('config', 'show')).stdout).toMatch(
        /^GUNICORN_TIMEOUT +77 +environment, pinned/m,
      )
      const refused = await box.supervisor('config', 'set', 'PUBLIC_URL=https://a.example')
      expect(refused.exitCode, refused.stderr).toBe(30)
      expect((await box.supervisor('reload')).exitCode).toBe(0)
      expect((await box.stop()).exitCode).toBe(0)
    },
  )
})

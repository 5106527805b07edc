import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  copyVolume,
  type Daemon,
  makeTemplate,
  missing,
  removeVolume,
  startDaemon,
  until,
} from '../helpers/daemon.ts'

/** Each contains this word, and nothing else in the test does. */
const mark = 'hush'
let count = 0
const secret = (): string => `${mark}-${++count}-Kx9$"q\\z' #end`
const plain = (): string => `${mark}${++count}Kx9qz`
const sso = (): string =>
  JSON.stringify({
    version: 2,
    providers: {
      one: {
        type: 'oidc',
        provider_name: 'One',
        client_id: 'one',
        secret: plain(),
        server_url: 'https://x.example',
      },
    },
  })

describe.skipIf(missing !== undefined)('the values of secret settings', () => {
  let template: string
  let volume: string
  /** Everything that anybody was shown. */
  let seen: string[]
  const daemons: Daemon[] = []
  const launch = async (env: Record<string, string> = {}): Promise<Daemon> => {
    const daemon = await startDaemon(volume, { env })
    daemons.push(daemon)
    return daemon
  }
  const run = async (daemon: Daemon, args: readonly string[], input?: string): Promise<number> => {
    const { code, text } = await daemon.run(args, input)
    seen.push(`${args.slice(0, 2).join(' ')}: ${text}`)
    return code
  }
  const look = async (daemon: Daemon): Promise<void> => {
    for (const args of [
      ['status'],
      ['status', '--json'],
      ['config', 'show'],
      ['config', 'show', '--json'],
      ['config', 'history'],
      ['config', 'history', '--json'],
      ['logs', '-n', '9999'],
      ['health'],
      ['config', 'plan'],
    ])
      await run(daemon, args)
    seen.push(`history.json: ${readFileSync(join(volume, 'data/history/history.json'), 'utf8')}`)
    for (const path of ['/v1/config', '/v1/status', '/v1/config/history'])
      seen.push(`${path}: ${JSON.stringify((await daemon.ask('GET', path)).body)}`)
  }
  beforeAll(async () => {
    template = await makeTemplate()
  })
  afterAll(() => removeVolume(template))
  beforeEach(() => {
    volume = copyVolume(template)
    seen = []
  })
  afterEach(async () => {
    for (const daemon of daemons.splice(0)) await daemon.end()
    removeVolume(volume)
  })

  const refuseAtStart = async (keyFile: string): Promise<void> => {
    const refusedAtStart: Record<string, string>[] = [
      { POSTGRES_PASSWORD: secret() }, // Without a host: a partial set.
      { SSO_CONFIG_DICT: secret() },
      { POSTGRES_PASSWORD: secret(), POSTGRES_PASSWORD_FILE: keyFile },
      { DATABASE_URL: `postgres:/${plain()}` },
      { DATABASE_URL: `postgres://u:${plain()}@127.0.0.1/db?sslmode=none` },
      { DATABASE_URL: `postgres://u:${plain()}@127.0.0.1:1/db`, DATABASE_WAIT_TIMEOUT: '0' },
    ]
    for (const env of refusedAtStart)
      expect(
        (await (await launch({ SUPERVISOR_RUN: join(volume, 'run0'), ...env })).exited).code,
        Object.keys(env).join(),
      ).toBeGreaterThan(19)
  }

  const sayByCommand = async (daemon: Daemon): Promise<void> => {
    const set = (value: string) => run(daemon, ['config', 'set', value])
    expect(await set(`SECRET_KEY=${secret()}`)).toBe(26)
    expect(await set(`SSO_CONFIG_DICT=${sso()}`)).toBe(26)
    expect(await set(`OIDC_CONFIG_DICT=${sso()}`)).toBe(0)
    expect(await daemon.inMathesar('OIDC_CONFIG_DICT')).toContain(mark) // It did arrive.
    expect(await set(`OIDC_CONFIG_DICT=${secret()}`)).toBe(23)
    expect(await set(`FILE_STORAGE_DICT=[${JSON.stringify(secret())}]`)).toBe(23)
    expect(await set(`POSTGRES_PASSWORD=${secret()}`)).toBe(21)
    expect(await set(`DATABASE_URL=${secret()}`)).toBe(20)
    expect(
      await run(daemon, [
        'config',
        'set',
        `DATABASE_URL=postgres://u:${encodeURIComponent(secret())}@127.0.0.1:1/d`,
        'DATABASE_WAIT_TIMEOUT=0',
      ]),
    ).toBe(50)
    // Mathesar itself prints its arguments as it dies of them.
    expect(
      await run(daemon, [
        'config',
        'set',
        `FILE_STORAGE_DICT={"s":{"secret_key":"${plain()}"}}`,
        'GUNICORN_CMD_ARGS=--nonsense',
      ]),
    ).toBe(24)
    expect(await run(daemon, ['config', 'get', 'OIDC_CONFIG_DICT'])).toBe(2)
    expect(await run(daemon, ['config', 'plan', `FILE_STORAGE_DICT={"s":{"secret_key":"${plain()}"}}`])).toBe(
      0,
    )
  }

  test('given in any way, good or bad, are in no output, status, history or error', async () => {
    const keyFile = join(volume, 'key')
    await refuseAtStart(keyFile)
    writeFileSync(keyFile, `${secret()}\n`)
    const other = { ON_OTHER_KEY: 'accept' } // The database was made with the one of an earlier start.
    const given = { SECRET_KEY_FILE: keyFile, SSO_CONFIG_DICT: sso(), LOG_LEVEL: 'debug' }
    const daemon = await launch({ ...given, ...other })
    await daemon.ready()
    await until('the environment to be written', () => readFileSync(daemon.file, 'utf8').includes(mark))
    await sayByCommand(daemon)

    const good = readFileSync(daemon.file, 'utf8')
    const bad = [
      `${good}POSTGRES_PASSWORD="${mark}`,
      `${good}${mark}=${mark} x\n`.replace(/^hush=/m, 'SECRET_KEY='),
      `${good}POSTGRES_PASSWORD '${plain()}'\n`,
      `${good}FILE_STORAGE_DICT=${secret()}\n`,
      `${good}DATABASE_URL=mysql://u:${plain()}@h/d\n`,
    ]
    for (const text of bad) {
      expect(await run(daemon, ['config', 'validate', '-'], text)).toBeGreaterThan(19)
      expect(await run(daemon, ['config', 'edit'], text)).toBeGreaterThan(19)
      const before = seen.length
      const entries = async (): Promise<number> =>
        (await daemon.ask<{ history: unknown[] }>('GET', '/v1/config/history')).body.history.length
      const count = await entries()
      writeFileSync(daemon.file, text)
      await until('the edit to be refused', async () => (await entries()) > count)
      await daemon.idle()
      expect(seen).toHaveLength(before)
      expect(readFileSync(`${daemon.file}.rejected`, 'utf8')).toBe(text)
    }
    writeFileSync(
      join(daemon.config, 'sso.yml'),
      `version: 2\nproviders:\n  one: {type: oidc, client_secret: ${plain()}\n  two: [\n`,
    )
    await until('the bad sso.yml to be refused', () => daemon.output.includes('sso.yml'))
    for (const body of [
      { set: { OIDC_CONFIG_DICT: secret() } },
      { file: `OIDC_CONFIG_DICT=${secret()}` },
      { set: { POSTGRES_PASSWORD: 5 } },
    ])
      seen.push(JSON.stringify((await daemon.ask('POST', '/v1/config/changes', body)).body))
    await look(daemon)
    expect(await run(daemon, ['config', 'rollback'])).toBe(0)
    expect(await run(daemon, ['reload'])).toBe(0)
    await look(daemon)
    await daemon.end()

    // Refused at boot, by the check and by Mathesar's death.
    writeFileSync(daemon.file, `${good}FILE_STORAGE_DICT=${secret()}\n`)
    const second = await launch(other)
    await second.ready()
    await look(second)
    await second.end()
    seen.push(...daemons.map(({ output }) => `log: ${output}`))
    for (const text of seen) expect(text.split('\n').filter((line) => line.includes(mark))).toEqual([])
    expect(seen.length).toBeGreaterThan(50)
  })
})

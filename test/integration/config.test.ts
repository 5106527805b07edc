import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { DescribedSetting } from '../../src/settings/configuration.ts'
import type { HistoryEntry } from '../../src/settings/history.ts'
import type { Status } from '../../src/core/status.ts'
import {
  copyVolume,
  type Daemon,
  makeTemplate,
  missing,
  removeVolume,
  startDaemon,
  until,
} from '../helpers/daemon.ts'

type Shown = {
  readonly version: string
  readonly problem: { readonly message: string; readonly hint: string } | null
  readonly warnings: readonly string[]
  readonly settings: readonly DescribedSetting[]
}

describe.skipIf(missing !== undefined)('the configuration', () => {
  let template: string
  let volume: string
  const daemons: Daemon[] = []
  const launch = async (env?: Record<string, string>): Promise<Daemon> => {
    const daemon = await startDaemon(volume, env ? { env } : {})
    daemons.push(daemon)
    return daemon
  }
  const start = async (env?: Record<string, string>): Promise<Daemon> => {
    const daemon = await launch(env)
    await daemon.ready()
    await until('mathesar.env to be written', () => existsSync(join(volume, 'data/history/history.json')))
    await daemon.idle()
    return daemon
  }
  const file = (): string => join(volume, 'data/config/mathesar.env')
  const writeConfig = (text: string): void => writeFileSync(file(), text)
  const shown = async (daemon: Daemon): Promise<Shown> => (await daemon.ask<Shown>('GET', '/v1/config')).body
  const settingIn = async (daemon: Daemon, name: string) =>
    (await shown(daemon)).settings.find((setting) => setting.name === name)!
  const history = async (daemon: Daemon): Promise<readonly HistoryEntry[]> =>
    (await daemon.ask<{ history: readonly HistoryEntry[] }>('GET', '/v1/config/history')).body.history
  /** Writes the file as an editor does and waits until the change is recorded with its result. */
  const edit = async (daemon: Daemon, text: string): Promise<HistoryEntry> => {
    const before = (await history(daemon)).length
    writeConfig(text)
    const entry = await until('the edit to be recorded', async () => (await history(daemon))[before])
    await daemon.idle()
    return entry
  }
  beforeAll(async () => {
    template = await makeTemplate()
  })
  afterAll(() => removeVolume(template))
  beforeEach(() => {
    volume = copyVolume(template)
  })
  afterEach(async () => {
    for (const daemon of daemons.splice(0)) await daemon.end()
    removeVolume(volume)
  })

  test('is edited in the file: a good edit is applied, a bad one is put aside', async () => {
    const daemon = await start()
    const template = readFileSync(file(), 'utf8')
    expect(template).toContain('# CSRF_TRUSTED_ORIGINS=')
    const good = `${template}CSRF_TRUSTED_ORIGINS=https://good.example\n`
    expect(await edit(daemon, good)).toMatchObject({
      from: 'file',
      result: 'applied',
      changes: [{ name: 'CSRF_TRUSTED_ORIGINS', action: 'generation' }],
    })
    expect(await daemon.inMathesar('CSRF_TRUSTED_ORIGINS')).toBe('https://good.example')

    const bad = `${good}GUNICORN_TIMEOUT=soon\n`
    const line = bad.split('\n').length - 1
    expect(await edit(daemon, bad)).toMatchObject({
      from: 'file',
      result: 'rejected',
      why: expect.stringContaining(
        `mathesar.env, line ${line}: GUNICORN_TIMEOUT: "soon" is not a whole number`,
      ),
    })
    const named = `mathesar.env, line ${line}: GUNICORN_TIMEOUT`
    expect(readFileSync(file(), 'utf8')).toBe(good)
    expect(readFileSync(`${file()}.rejected`, 'utf8')).toBe(bad)
    expect((await daemon.ask<Status>('GET', '/v1/status')).body.problems).toEqual([
      {
        unit: 'config',
        code: 'CONFIG_INVALID',
        message: expect.stringContaining(named),
        hint: expect.stringContaining('mathesar.env.rejected'),
      },
    ])
    expect((await daemon.run(['config', 'show'])).text).toContain(named)
    expect((await daemon.run(['config', 'history'])).text).toContain(named)
    expect(daemon.output).toContain(named)

    const unfit = `${good}GUNICORN_CMD_ARGS=--nonsense\n`
    expect(await edit(daemon, unfit)).toMatchObject({
      from: 'file',
      result: 'rolled back',
      changes: [{ name: 'GUNICORN_CMD_ARGS' }],
      why: expect.stringContaining('exit code'),
    })
    expect(readFileSync(file(), 'utf8')).toBe(good)
    expect(readFileSync(`${file()}.rejected`, 'utf8')).toBe(unfit)
    expect(await daemon.inMathesar('CSRF_TRUSTED_ORIGINS')).toBe('https://good.example')

    expect(await edit(daemon, template)).toMatchObject({ result: 'applied' })
    expect((await shown(daemon)).problem).toBeNull()
    expect((await daemon.ask<Status>('GET', '/v1/status')).body.problems).toEqual([])
  })

  test('is edited while the container is down: bad gives way to the last good', async () => {
    const first = await start()
    await first.end()
    const good = `${readFileSync(file(), 'utf8')}CSRF_TRUSTED_ORIGINS=https://offline.example\n`
    writeConfig(good)
    const second = await start()
    expect(await second.inMathesar('CSRF_TRUSTED_ORIGINS')).toBe('https://offline.example')
    expect((await history(second)).at(-1)).toMatchObject({
      from: 'boot',
      result: 'applied',
      changes: expect.arrayContaining([{ name: 'CSRF_TRUSTED_ORIGINS', action: 'generation' }]),
    })
    await second.end()

    const kept = readFileSync(file(), 'utf8')
    writeConfig(`${kept}DEBUG=perhaps\n`)
    const third = await start()
    expect(await third.inMathesar('CSRF_TRUSTED_ORIGINS')).toBe('https://offline.example')
    const line = kept.split('\n').length
    await until('the bad file to be put aside', () => existsSync(`${file()}.rejected`))
    expect(third.output).toContain(`mathesar.env, line ${line}: DEBUG`)
    expect((await history(third)).findLast(({ result }) => result === 'rejected')).toMatchObject({
      from: 'boot',
      why: expect.stringContaining(`line ${line}: DEBUG`),
    })
    expect((await shown(third)).problem?.message).toContain(`line ${line}: DEBUG`)
    expect(readFileSync(`${file()}.rejected`, 'utf8')).toContain('DEBUG=perhaps')
    expect(readFileSync(file(), 'utf8')).not.toContain('\nDEBUG=perhaps')
    await third.end()

    const unfit = `${readFileSync(file(), 'utf8')}GUNICORN_CMD_ARGS=--nonsense\n`
    writeConfig(unfit)
    const fourth = await start()
    expect(fourth.output).toContain('starting again with the one before')
    expect(await fourth.inMathesar('GUNICORN_CMD_ARGS')).toBeNull()
    expect(await fourth.inMathesar('CSRF_TRUSTED_ORIGINS')).toBe('https://offline.example')
    expect(readFileSync(`${file()}.rejected`, 'utf8')).toBe(unfit)
    expect((await history(fourth)).findLast(({ result }) => result === 'rolled back')).toMatchObject({
      from: 'boot',
      changes: [{ name: 'GUNICORN_CMD_ARGS' }],
    })
    expect((await shown(fourth)).problem?.message).toContain('mathesar died')
    await fourth.end()
    expect(fourth.exit).toEqual({ code: 0, signal: null })
  })

  test('is mended by an edit while a boot does not get ready with it', async () => {
    const first = await start()
    await first.end()
    const good = readFileSync(file(), 'utf8')
    // It lives, and answers 400 to all but the shortest requests.
    writeConfig(`${good}GUNICORN_CMD_ARGS=--limit-request-line 5\n`)
    const second = await launch()
    await until(
      'Mathesar to answer with an error',
      () =>
        second.status().problems.length > 0 ||
        second
          .status()
          .units.some(({ name, detail }) => name === 'mathesar' && detail?.includes('answers 400')),
    )
    writeConfig(`${good}CSRF_TRUSTED_ORIGINS=https://mended.example\n`)
    await second.ready()
    expect(await second.inMathesar('CSRF_TRUSTED_ORIGINS')).toBe('https://mended.example')
    expect((await history(second)).find(({ from }) => from === 'file')).toMatchObject({
      result: 'applied',
      changes: [{ name: 'CSRF_TRUSTED_ORIGINS' }, { name: 'GUNICORN_CMD_ARGS' }],
    })
  })

  /** Nobody changes, in any way, what the environment gives. */
  const expectPinned = async (first: Daemon): Promise<void> => {
    const refused = await first.run(['config', 'set', 'CSRF_TRUSTED_ORIGINS=https://other.example'])
    expect(refused).toMatchObject({
      code: 26,
      text: expect.stringContaining('the container was started with it in its environment, which wins'),
    })
    expect(
      (
        await first.ask('POST', '/v1/config/changes', {
          set: { CSRF_TRUSTED_ORIGINS: 'https://other.example' },
        })
      ).status,
    ).toBe(403)
    const kept = readFileSync(file(), 'utf8')
    expect(
      await edit(
        first,
        kept.replace(/^CSRF_TRUSTED_ORIGINS=.*$/m, 'CSRF_TRUSTED_ORIGINS=https://other.example'),
      ),
    ).toMatchObject({
      result: 'rejected',
      why: expect.stringMatching(/CSRF_TRUSTED_ORIGINS \(mathesar\.env, line \d+\)/),
    })
    expect(readFileSync(file(), 'utf8')).toBe(kept)
    expect(
      (await first.run(['config', 'edit'], kept.replace(/^GUNICORN_TIMEOUT=.*$/m, 'GUNICORN_TIMEOUT=78')))
        .code,
    ).toBe(26)
    expect((await first.run(['config', 'set', 'UI_MAY_EDIT_CONFIG=true'])).code).toBe(26)
  }

  test('takes what the environment gives, keeps it, and refuses to change what is pinned', async () => {
    const first = await start({
      CSRF_TRUSTED_ORIGINS: 'https://from-env.example',
      GUNICORN_TIMEOUT: '77',
      ALOWED_HOSTS: 'x',
      POSTGRES_HOSTNAME: 'x',
      MATHESAR_NONSENSE: '1',
    })
    for (const warning of [
      'unknown setting ALOWED_HOSTS: did you mean ALLOWED_HOSTS?',
      'unknown setting POSTGRES_HOSTNAME: did you mean POSTGRES_HOST?',
      'unknown setting MATHESAR_NONSENSE: it is passed on to Mathesar as it is',
    ]) {
      expect(first.output).toContain(warning)
      expect((await shown(first)).warnings).toContain(warning)
    }
    expect(await settingIn(first, 'CSRF_TRUSTED_ORIGINS')).toMatchObject({
      source: 'environment',
      pinned: true,
      value: 'https://from-env.example',
    })
    expect(readFileSync(file(), 'utf8')).toMatch(/^CSRF_TRUSTED_ORIGINS=https:\/\/from-env\.example$/m)
    expect((await first.run(['config', 'show'])).text).toMatch(/^CSRF_TRUSTED_ORIGINS .*environment, pinned/m)
    await expectPinned(first)
    await first.end()

    const second = await start()
    expect(await settingIn(second, 'CSRF_TRUSTED_ORIGINS')).toMatchObject({ source: 'file', pinned: false })
    expect(await second.inMathesar('CSRF_TRUSTED_ORIGINS')).toBe('https://from-env.example')
    expect(
      await second.run(['config', 'set', 'CSRF_TRUSTED_ORIGINS=https://own.example', 'UNKNWON=1']),
    ).toMatchObject({
      code: 23,
    })
    expect((await second.run(['config', 'set', 'CSRF_TRUSTED_ORIGINS=https://own.example'])).code).toBe(0)
    const withUnknown = await edit(second, `${readFileSync(file(), 'utf8')}GUNICORN_WORKERS=3\n`)
    expect(withUnknown.result).toBe('applied')
    expect((await shown(second)).warnings).toContain(
      'mathesar.env: unknown setting GUNICORN_WORKERS: did you mean WEB_CONCURRENCY?',
    )
    await second.end()

    const path = join(volume, 'hosts')
    writeFileSync(path, 'https://from-file.example\n')
    const both = await launch({
      CSRF_TRUSTED_ORIGINS: 'https://other.example',
      CSRF_TRUSTED_ORIGINS_FILE: path,
    })
    expect((await both.exited).code).toBe(20)
    expect(both.output).toContain('CSRF_TRUSTED_ORIGINS and CSRF_TRUSTED_ORIGINS_FILE are both given')
    const third = await start({ CSRF_TRUSTED_ORIGINS_FILE: path })
    expect(await third.inMathesar('CSRF_TRUSTED_ORIGINS')).toBe('https://from-file.example')
    expect(await third.inMathesar('CSRF_TRUSTED_ORIGINS_FILE')).toBeNull()
  })

  test('is in force once it is said to be: the generation before answers no request after that', async () => {
    const daemon = await start({ WEB_CONCURRENCY: '4' })
    const open = (): Promise<number> =>
      new Promise(
        (resolve, reject) =>
          void get(
            `${daemon.url}/auth/login/`,
            { agent: false, headers: { host: 'in-force.example' } },
            (response) => {
              response.resume()
              resolve(response.statusCode!)
            },
          ).once('error', reject),
      )
    for (let round = 0; round < 16; round++) {
      const isPermitted = round % 2 === 0
      await daemon.follow(
        { set: { ALLOWED_HOSTS: isPermitted ? '127.0.0.1,in-force.example' : '127.0.0.1' } },
        () => {},
      )
      expect(await Promise.all([open(), open(), open(), open()]), `round ${round}`).toEqual(
        Array.from({ length: 4 }, () => (isPermitted ? 302 : 400)),
      )
    }
  })

  test('merges edits that come together, and tells who edited an older version of a conflict', async () => {
    const daemon = await start({ WEB_CONCURRENCY: '' })
    const edits = [
      'CSRF_TRUSTED_ORIGINS=https://five.example',
      'GUNICORN_TIMEOUT=55',
      'PUBLIC_URL=https://five.example',
      'WEB_CONCURRENCY=2',
      'EMBEDDED_POSTGRES_WORK_MEM=9',
    ]
    const { version } = await shown(daemon)
    const answers = await Promise.all(edits.map((one) => daemon.run(['config', 'set', one])))
    expect(answers.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0])
    for (const name of ['CSRF_TRUSTED_ORIGINS', 'GUNICORN_TIMEOUT', 'WEB_CONCURRENCY'])
      expect(`${name}=${await daemon.inMathesar(name)}`).toBe(edits.find((one) => one.startsWith(name)))
    expect(await daemon.query('SHOW work_mem')).toEqual([{ work_mem: '9MB' }])
    expect((await daemon.ask<Status>('GET', '/v1/status')).body.url).toBe('https://five.example')
    for (const one of edits) expect(readFileSync(file(), 'utf8').split('\n')).toContain(one)

    const set = (name: string, value: string) =>
      daemon.ask('POST', '/v1/config/changes', { set: { [name]: value } })
    const mixed = await Promise.all([
      set('GUNICORN_TIMEOUT', '56'),
      set('DEBUG', 'perhaps'),
      set('REQUIRE_SSO_LOGIN', 'false'),
      set('GUNICORN_TIMEOUT', '57'),
    ])
    expect(mixed.map(({ status }) => status)).toEqual([200, 422, 200, 200])
    expect(await daemon.inMathesar('GUNICORN_TIMEOUT')).toBe('57')

    expect(
      await daemon.ask('POST', '/v1/config/changes', { base: version, set: { DEBUG: 'true' } }),
    ).toMatchObject({ status: 409, body: { code: 'CONFIG_CONFLICT' } })
    const { version: now } = await shown(daemon)
    expect(
      (await daemon.ask('POST', '/v1/config/changes', { base: now, set: { DEBUG: 'true' } })).status,
    ).toBe(200)
    const twice = await Promise.all(
      ['1', '2'].map((level) =>
        daemon.follow({ base: readVersion(), file: `GUNICORN_TIMEOUT=10${level}\n` }, () => {}),
      ),
    )
    expect(twice.map(({ error }) => error?.code)).toEqual([undefined, 'CONFIG_CONFLICT'])

    function readVersion(): string {
      return JSON.parse(readFileSync(join(volume, 'data/history/history.json'), 'utf8')).at(-1)
        .version as string
    }
  })

  const generationOf = async (daemon: Daemon): Promise<number> =>
    (await daemon.ask<Status>('GET', '/v1/status')).body.units.find(({ name }) => name === 'mathesar')!
      .generation

  test('is read, planned, checked, changed and gone back to by commands with exit codes', async () => {
    const daemon = await start()
    const run = (...args: string[]) => daemon.run(['config', ...args])
    expect(await run('get', 'GUNICORN_TIMEOUT')).toEqual({ code: 0, text: '300\n' })
    expect(await run('get', 'NOPE')).toMatchObject({ code: 2 })
    expect(await run('dance')).toMatchObject({ code: 2 })
    expect(await run('set')).toMatchObject({ code: 2 })
    const before = readFileSync(file(), 'utf8')
    const generation = () => generationOf(daemon)
    const first = await generation()
    expect(await run('plan', 'GUNICORN_TIMEOUT=99', 'PUBLIC_URL=https://x.example')).toEqual({
      code: 0,
      text: expect.stringMatching(
        /PUBLIC_URL: a new generation.*\n.*GUNICORN_TIMEOUT: a new generation.*\n.*Nothing was done/s,
      ),
    })
    expect(await run('plan', 'GUNICORN_TIMEOUT=soon')).toMatchObject({ code: 23 })
    expect(readFileSync(file(), 'utf8')).toBe(before)
    expect(await run('validate')).toMatchObject({ code: 0 })
    expect(await daemon.run(['config', 'validate', '-'], 'DEBUG=perhaps\n')).toMatchObject({
      code: 23,
      text: expect.stringContaining('line 1'),
    })
    expect(await daemon.run(['config', 'validate', '-'], 'DEBUG=true\n')).toMatchObject({ code: 0 })
    expect(await generation()).toBe(first)
    expect(await history(daemon)).toHaveLength(1)

    expect(await run('set', 'GUNICORN_TIMEOUT=99')).toMatchObject({
      code: 0,
      text: expect.stringContaining('is in force'),
    })
    expect(await run('get', 'GUNICORN_TIMEOUT')).toEqual({ code: 0, text: '99\n' })
    expect(await run('set', 'GUNICORN_TIMEOUT=99')).toMatchObject({
      code: 0,
      text: expect.stringContaining('Nothing to change'),
    })
    expect(await run('unset', 'GUNICORN_TIMEOUT')).toMatchObject({ code: 0 })
    expect(await daemon.inMathesar('GUNICORN_TIMEOUT')).toBe('300')
    expect(await run('rollback')).toMatchObject({ code: 0 })
    expect(await daemon.inMathesar('GUNICORN_TIMEOUT')).toBe('99')
    expect(await run('rollback', '000000000000')).toMatchObject({ code: 23 })
    const [oldest] = await history(daemon)
    expect(await run('rollback', oldest!.version)).toMatchObject({ code: 0 })
    expect(await daemon.inMathesar('GUNICORN_TIMEOUT')).toBe('300')
    expect((await history(daemon)).map(({ from, result }) => `${from} ${result}`)).toEqual([
      'boot applied',
      'command applied',
      'command applied',
      'rollback applied',
      'rollback applied',
    ])
  })

  test('is edited and read again by commands', async () => {
    const daemon = await start()
    const run = (...args: string[]) => daemon.run(['config', ...args])
    const generation = () => generationOf(daemon)
    const before = readFileSync(file(), 'utf8')
    expect(await daemon.run(['config', 'edit'], `${before}GUNICORN_TIMEOUT=88\n`)).toMatchObject({ code: 0 })
    expect(await daemon.inMathesar('GUNICORN_TIMEOUT')).toBe('88')
    expect(await daemon.run(['config', 'edit'], ''), 'docker exec without -i').toMatchObject({ code: 2 })
    expect(await daemon.run(['config', 'edit'], `${before}GUNICORN_TIMEOUT='88\n`)).toMatchObject({
      code: 23,
    })
    expect(await run('set', 'STOP_GRACE_PERIOD=20')).toMatchObject({ code: 0 })
    expect(await run('set', 'LOG_FORMAT=json')).toMatchObject({
      code: 0,
      text: expect.stringContaining('takes effect at the next start of the container'),
    })
    expect((await daemon.ask<Status>('GET', '/v1/status')).body.config.pendingRestart).toEqual(['LOG_FORMAT'])
    expect((await run('history')).text).toMatch(/command +applied +LOG_FORMAT/)

    const second = await generation()
    expect(await daemon.run(['reload', '--dry-run'])).toMatchObject({ code: 0 })
    expect(await generation()).toBe(second)
    expect(await daemon.run(['reload'])).toMatchObject({ code: 0 })
    expect(await generation()).toBe(second + 1)
    daemon.signal('SIGHUP')
    await until('SIGHUP to make a generation', async () => (await generation()) === second + 2)
    await daemon.idle()
    expect((await history(daemon)).at(-1)).toMatchObject({ result: 'applied' })
  })

  test('survives a file that is deleted, emptied or filled with rubbish', async () => {
    const daemon = await start()
    expect((await daemon.run(['config', 'set', 'GUNICORN_TIMEOUT=99'])).code).toBe(0)
    expect(await edit(daemon, '?? rubbish')).toMatchObject({ result: 'rejected' })
    expect(await daemon.inMathesar('GUNICORN_TIMEOUT')).toBe('99')
    const good = readFileSync(file(), 'utf8')
    for (const lose of [
      () => rmSync(file()),
      () => writeFileSync(file(), ''),
      () => writeFileSync(file(), ' \n'),
    ]) {
      lose()
      await until(
        'the file to be put back',
        () => existsSync(file()) && readFileSync(file(), 'utf8') === good,
      )
      await daemon.idle()
      expect(await daemon.inMathesar('GUNICORN_TIMEOUT')).toBe('99')
    }
    expect(daemon.output).toContain('mathesar.env is empty or gone, which is not an edit')
    writeFileSync(file(), Buffer.from('POSTGRES_PASSWORD=gr\xfc\xdfe\n', 'latin1'))
    await until('the bytes to be refused', () => daemon.output.includes('line 1 is not UTF-8'))
    expect(await daemon.run(['config', 'set', 'GUNICORN_TIMEOUT=98'])).toMatchObject({
      code: 20,
      text: expect.stringContaining('line 1 is not UTF-8'),
    })
    expect(readFileSync(file()).includes(0xfc)).toBe(true)
  })
})

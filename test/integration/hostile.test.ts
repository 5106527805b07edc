import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
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
import { askSocket } from '../helpers/socket.ts'

const acting = /[[\p{Cc}\u202a-\u202e\u2066-\u2069]--[\t\n]]/v
const growthLimitMiB = 120

describe.skipIf(missing !== undefined)("an attacker who has taken over Mathesar's own user", () => {
  let template: string
  let volume: string
  const daemons: Daemon[] = []
  const start = async (env: Record<string, string> = {}): Promise<Daemon> => {
    const daemon = await startDaemon(volume, { env: { UI_MAY_EDIT_CONFIG: 'true', ...env } })
    daemons.push(daemon)
    await daemon.ready()
    await until('the boot to be recorded', () =>
      statSync(join(volume, 'data/history/history.json'), { throwIfNoEntry: false })?.isFile(),
    )
    await daemon.idle()
    return daemon
  }
  const appSocket = (): string => join(volume, 'run/app/config.sock')
  const rssMiB = (daemon: Daemon): number =>
    Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${daemon.pid()}/status`, 'utf8'))![1]) / 1024
  /** Code of his own in each new generation: the module that gunicorn loads its logger from. */
  const withModule = (code: string): string => {
    const folder = join(volume, 'evil')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'evil.py'), `${code}\nfrom gunicorn.glogging import Logger as L\n`)
    return `GUNICORN_CMD_ARGS=--pythonpath ${folder} --logger-class evil.L\n`
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

  test('cannot fill memory, history or log with a configuration of nothing but faults', async () => {
    const daemon = await start()
    await until('the second socket', () => existsSync(appSocket()))
    const before = { rss: rssMiB(daemon), output: daemon.output.length }
    const texts = [
      'A=x\n'.repeat(16_000),
      Array.from({ length: 2500 }, (_, index) => `POSTGRES_SSLROOTCER${index.toString(36)}=x\n`).join('') +
        'DEBUG=x',
      'PORT=x\n'.repeat(9000),
      `PORT=${'x'.repeat(60_000)}`,
      'A=x\n'.repeat(60_000),
    ]
    for (let round = 0; round < 25; round++) {
      const startMs = Date.now()
      const { status, text } = await askSocket(appSocket(), 'POST', '/v1/config/changes', {
        file: texts[round % texts.length],
      })
      expect(status).toBe(422)
      expect(text.length).toBeLessThan(3000)
      expect(Date.now() - startMs).toBeLessThan(15_000)
    }
    const { history } = (await daemon.ask<{ history: readonly HistoryEntry[] }>('GET', '/v1/config/history'))
      .body
    expect(history.map(({ why }) => why)).toContainEqual(expect.stringMatching(/; and 15,994 more$/))
    expect(statSync(join(volume, 'data/history/history.json')).size).toBeLessThan(100_000)
    expect(daemon.output.length - before.output).toBeLessThan(100_000)
    expect(rssMiB(daemon) - before.rss).toBeLessThan(growthLimitMiB)
    expect((await daemon.ask<Status>('GET', '/v1/status')).body).toMatchObject({ ready: true, problems: [] })
  })

  test('cannot let changes pile up, and the owner of the supervisor gets through', async () => {
    const daemon = await start()
    await until('the second socket', () => existsSync(appSocket()))
    const running = daemon.ask('POST', '/v1/config/changes', { set: { GUNICORN_TIMEOUT: '99' } })
    const isChanging = async () => (await daemon.ask<Status>('GET', '/v1/status')).body.config.changing
    await until('a change to be carried out', isChanging)
    const flood = Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        askSocket(appSocket(), 'POST', '/v1/config/changes', {
          file: `GUNICORN_TIMEOUT=${index + 100}\n`,
          dryRun: true,
        }),
      ),
    )
    const command = daemon.run(['config', 'set', 'PUBLIC_URL=https://x.example'])
    const answers = await flood
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 409]))
    expect(answers.find(({ status }) => status === 409)!.text).toContain(
      'cannot take one more change: 16 wait already',
    )
    expect([(await running).status, (await command).code]).toEqual([200, 0])
    const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`A${index}`, '1']))
    expect(await askSocket(appSocket(), 'POST', '/v1/config/changes', { set: many })).toMatchObject({
      status: 422,
      text: expect.stringMatching(/set must not name more than the \d+ settings/),
    })
  })

  test('cannot fill memory by the answer of a new generation, nor pass with one that is none', async () => {
    const daemon = await start()
    const before = rssMiB(daemon)
    const change = (code: string) => daemon.run(['config', 'edit'], withModule(code))
    expect(
      await change(
        [
          'import os, threading',
          "write = lambda: [os.write(5, b'a' * 1048576) for _ in iter(int, 1)]",
          'threading.Thread(target=write, daemon=True).start()',
        ].join('\n'),
      ),
    ).toMatchObject({
      code: 24,
      text: expect.stringContaining('its answer is longer than 4 KiB'),
    })
    expect(rssMiB(daemon) - before).toBeLessThan(growthLimitMiB)
    expect(await change("import os\nos.write(5, b'aaaa\\n')")).toMatchObject({
      code: 24,
      text: expect.stringContaining('its answer is not an HTTP status'),
    })
    expect(await change("import os\nos.write(5, b'\\x1b[2J 200 /\\n')")).toMatchObject({
      code: 24,
      text: expect.stringContaining('its answer is not an HTTP status'),
    })
    expect((await daemon.ask<Status>('GET', '/v1/status')).body.ready).toBe(true)
  })

  test('cannot drive the terminal of an administrator by settings, refused values or log lines', async () => {
    const daemon = await start()
    const escape = '\x1b]0;owned\x07\x9b2J\u202e'
    const line = Buffer.from(`service ${escape}\n`).toString('hex')
    const module = withModule(`import os\nos.write(1, bytes.fromhex('${line}'))`).trimEnd()
    const applied = `PUBLIC_URL=http://x.example/${escape}\n${module} --name "${escape}"\n`
    expect(await daemon.run(['config', 'edit'], applied)).toMatchObject({ code: 0 })
    writeFileSync(daemon.file, `${applied}DEBUG=${escape}\n`)
    await until('the edit to be refused', () => daemon.output.includes('is neither true nor false'))
    await daemon.idle()
    for (const args of [
      ['status'],
      ['status', '--json'],
      ['health'],
      ['logs'],
      ['logs', 'mathesar'],
      ['config'],
      ['config', 'show', '--json'],
      ['config', 'get', 'PUBLIC_URL'],
      ['config', 'get', 'GUNICORN_CMD_ARGS'],
      ['config', 'history'],
      ['config', 'history', '--json'],
      ['config', 'set', `DEBUG=${escape}`],
      ['config', 'validate', '-'],
      ['config', 'set', `${escape}=1`],
      ['start', escape],
      [escape],
    ]) {
      const { text } = await daemon.run(args, `DEBUG=${escape}`)
      expect(text.length, args.join(' ')).toBeGreaterThan(0)
      expect(text, args.join(' ')).not.toMatch(acting)
    }
    const tamed = 'service ?]0;owned???2J???'
    expect((await daemon.run(['logs', 'mathesar'])).text).toContain(tamed)
    expect(daemon.output).toContain(tamed)
    expect(
      daemon.output.split('\n').filter((line) => / supervisor /.test(line) && acting.test(line)),
    ).toEqual([])
    expect(JSON.stringify((await daemon.ask<Status>('GET', '/v1/status')).body)).toContain(
      'is neither true nor false',
    )
  })

  test('cannot keep the next boot from its end by a spoilt history', async () => {
    const history = join(volume, 'data/history/history.json')
    rmSync(history, { force: true })
    mkdirSync(join(history, 'x'), { recursive: true })
    writeFileSync(join(volume, 'data/history/intent.json'), '{}')
    rmSync(join(volume, 'data/postgres/postmaster.pid'), { force: true })
    symlinkSync(daemonSecret(), join(volume, 'data/postgres/postmaster.pid'))
    const daemon = await start()
    expect(daemon.output).toContain(`cannot use ${history}: it is a folder`)
    expect(daemon.output).toContain(
      `cannot use ${join(volume, 'data/history/intent.json')}: it holds no config files; it is ignored`,
    )
    expect(daemon.output.split('it is ignored')).toHaveLength(3)
    expect((await daemon.run(['config', 'set', 'GUNICORN_TIMEOUT=99'])).code).toBe(0)
    expect((await daemon.run(['config', 'rollback'])).code).toBe(0)

    function daemonSecret(): string {
      return join(volume, 'data/secrets/secret_key')
    }
  })
})

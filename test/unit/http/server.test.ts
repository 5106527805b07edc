import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Status, UnitStatus } from '../../../src/core/status.ts'
import { SupervisorError } from '../../../src/errors.ts'
import { type ControlOptions, type ControlServer, listen } from '../../../src/http/server.ts'
import type { Access } from '../../../src/http/exchange.ts'
import type { HistoryEntry } from '../../../src/settings/history.ts'
import type { Proposal } from '../../../src/settings/proposal.ts'
import { askSocket } from '../../helpers/socket.ts'
import { filesOf, readFile } from '../configurations.ts'

const current = readFile('DEBUG=true\nSSO_CONFIG_DICT={"secret":"hunter2"}\n')
const older = '0123456789ab'
const entryOf = (version: string): HistoryEntry => ({
  at: '2026-01-01T00:00:00.000Z',
  from: 'file',
  version,
  result: 'applied',
  changes: [],
  why: null,
})

const unitOf = (name: string, kind: 'task' | 'service', pid: number | null): UnitStatus => ({
  name,
  kind,
  description: 'x',
  state: kind === 'task' ? 'done' : 'ready',
  since: '2026-01-01T00:00:00.000Z',
  pid,
  restarts: 0,
  generation: 0,
  memoryBytes: null,
  lastExit: null,
  detail: null,
  tookMs: null,
})

const status: Status = {
  version: 1,
  phase: 'running',
  ready: true,
  url: 'http://localhost:8000',
  supervisor: {
    version: '0.1.0',
    pid: 1,
    startedAt: '2026-01-01T00:00:00.000Z',
    memoryBytes: 1,
    reaped: 0,
    droppedLogLines: 0,
  },
  database: 'embedded',
  config: { version: current.version, changing: false, pendingRestart: [] },
  boot: { readyAfterMs: 1, criticalPath: [] },
  units: [unitOf('listener', 'task', null), unitOf('mathesar', 'service', 7)],
  problems: [],
}

describe('a socket', () => {
  let folder: string
  let servers: ControlServer[]
  let said: string[]
  let reads: number
  let proposals: Proposal[]
  let control: ControlOptions['instance']['control']
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'http-'))
    servers = []
    said = []
    reads = 0
    proposals = []
    control = async () => 'ready'
  })
  afterEach(() => {
    for (const server of servers) server.close()
    rmSync(folder, { recursive: true })
  })

  const optionsOf = (): ControlOptions => ({
    instance: {
      isReady: true,
      wasReady: true,
      isServing: true,
      isStopping: false,
      subscribe: () => () => {},
      control: (action, name) => control(action, name),
    },
    after: () => () => {},
    isKept: () => false,
    feed: { follow: () => () => {} },
    config: {
      seeRefused: () => {},
      inForce: current,
      isNew: false,
      store: {
        readHistory: () => {
          reads++
          return [entryOf(older), entryOf(current.version)]
        },
        revision: (version) => (version === older ? { version, files: filesOf('') } : undefined),
      },
      changes: {
        current,
        isChanging: false,
        problem: undefined,
        propose: async (proposal, report) => {
          proposals.push(proposal)
          report?.('checking')
          return { result: 'unchanged', version: current.version, changes: [], warnings: [] }
        },
      },
    },
    log: {
      say: (level, text) => void said.push(`${level} ${text}`),
      tail: () => ['a line\n'],
      follow: () => () => {},
    },
    status: () => status,
    memoryOf: async (pid) => pid * 1024,
    now: () => 0,
  })
  const open = async (access: Access) => {
    const path = join(folder, `${access}.sock`)
    servers.push(await listen({ path, mode: access === 'owner' ? 0o600 : 0o660 }, optionsOf(), access))
    return (method: string, target: string, body?: unknown, headers?: Readonly<Record<string, string>>) =>
      askSocket(path, method, target, body, headers)
  }
  const originOf = async (
    ask: Awaited<ReturnType<typeof open>>,
    body: unknown,
    userAgent = 'curl',
  ): Promise<string> => {
    const { status: code } = await ask('POST', '/v1/config/changes', body, { 'user-agent': userAgent })
    expect(code).toBe(200)
    return proposals.at(-1)!.from
  }

  test('shows the memory of each unit that has a process', async () => {
    const ask = await open('owner')
    const { units } = JSON.parse((await ask('GET', '/v1/status')).text) as Status
    expect(units.map(({ name, memoryBytes }) => [name, memoryBytes])).toEqual([
      ['listener', null],
      ['mathesar', 7 * 1024],
    ])
  })

  test('has the mode that is asked for, and replaces what nobody answers on', async () => {
    const path = join(folder, 'app.sock')
    writeFileSync(path, 'left by an earlier start')
    await open('app')
    expect(statSync(path).mode & 0o777).toBe(0o660)
    await expect(listen({ path, mode: 0o660 }, optionsOf(), 'app')).rejects.toMatchObject({
      code: 'RUN_FOLDER_IN_USE',
    })
  })

  test('of the app answers with the configuration, and with nothing that is the owner’s', async () => {
    const ask = await open('app')
    expect((await ask('GET', '/v1/config')).status).toBe(200)
    expect((await ask('GET', '/v1/config')).text).not.toContain('hunter2')
    for (const [method, path] of [
      ['GET', '/v1/config/file'],
      ['GET', '/v1/config/../config/file'],
      ['GET', '/v1/config/%66ile'],
      ['GET', '//v1/config/file'],
      ['GET', '/v1/status'],
      ['GET', '/v1/health'],
      ['GET', '/v1/logs'],
      ['POST', '/v1/services/postgres/stop'],
    ] as const) {
      const { status: code, text } = await ask(method, path)
      expect([path, code, text.includes('hunter2')]).toEqual([path, 404, false])
    }
  })

  test('tells the command line, programs and the app apart; each has its share of the queue', async () => {
    const [owner, app] = [await open('owner'), await open('app')]
    expect(await originOf(owner, { reload: true }, 'supervisor')).toBe('command')
    expect(await originOf(owner, { reload: true })).toBe('api')
    expect(await originOf(owner, { rollback: 'previous' }, 'supervisor')).toBe('rollback')
    expect(await originOf(app, { reload: true }, 'supervisor')).toBe('app')
    expect(await originOf(app, { rollback: older }, 'supervisor')).toBe('app')
  })

  test.each([
    [
      { set: { DEBUG: null }, base: 'x', dryRun: true },
      { kind: 'set', set: { DEBUG: null }, base: 'x', isDryRun: true },
    ],
    [
      { file: 'DEBUG=\ud800' },
      { kind: 'replace', files: { 'mathesar.env': 'DEBUG=\ufffd' }, isDryRun: false },
    ],
    [{ rollback: 'previous' }, { kind: 'restore', files: filesOf('') }],
    [{ reload: true }, { kind: 'reread', reload: true }],
  ])('makes of %j a proposal', async (body, proposal) => {
    await originOf(await open('owner'), body)
    expect(proposals).toMatchObject([proposal])
  })

  test('lets the app go back with mathesar.env alone, which is all that it may write', async () => {
    await originOf(await open('app'), { rollback: older })
    expect(proposals).toEqual([
      { from: 'app', kind: 'replace', files: { 'mathesar.env': '' }, isDryRun: false },
    ])
  })

  test('refuses to go back to a version that is not kept', async () => {
    const ask = await open('owner')
    for (const rollback of ['../../etc/passwd', 'ffffffffffff', 'x'.repeat(80)]) {
      const { status: code, text } = await ask('POST', '/v1/config/changes', { rollback })
      expect(code).toBe(422)
      expect(text).toContain('cannot go back: there is no version')
    }
    expect(proposals).toEqual([])
  })

  test('streams the steps of a change, and then its result', async () => {
    const ask = await open('app')
    const { text, headers } = await ask(
      'POST',
      '/v1/config/changes',
      { set: {} },
      { accept: 'application/x-ndjson' },
    )
    expect(headers['content-type']).toBe('application/x-ndjson')
    expect(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      { step: 'checking' },
      { result: { result: 'unchanged', version: current.version, changes: [], warnings: [] } },
    ])
  })

  test('hands a failure of the table on with its status, and does not log it', async () => {
    control = async () => {
      throw new SupervisorError('USAGE', 'cannot stop x')
    }
    const ask = await open('owner')
    const { status: code, text } = await ask('POST', '/v1/services/mathesar/stop')
    expect(code).toBe(409)
    expect(JSON.parse(text)).toEqual({
      code: 'USAGE',
      message: 'cannot stop x',
      hint: 'Type `supervisor --help`.',
    })
    expect(said).toEqual([])
  })

  test('answers a fault of our own with 500, and logs where it lies', async () => {
    control = async () => {
      throw new TypeError('x is not a function')
    }
    const ask = await open('owner')
    const { status: code, text } = await ask('POST', '/v1/services/mathesar/stop')
    expect(code).toBe(500)
    expect(JSON.parse(text)).toMatchObject({
      code: 'INTERNAL',
      message: 'internal error: x is not a function',
    })
    expect(said).toHaveLength(1)
    expect(said[0]).toMatch(/^error TypeError: x is not a function\n +at .*server\.test\.ts/)
  })

  test('takes one request of a connection, however many come in it', async () => {
    await open('app')
    const socket = connect(join(folder, 'app.sock')).on('error', () => {})
    socket.write('GET /v1/config/history HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(5000))
    await new Promise((resolve) => socket.resume().once('close', resolve))
    expect(reads).toBe(1)
  })

  test('takes a body as large as it may be', async () => {
    const ask = await open('owner')
    const file = 'é'.repeat(32_768)
    const { status: code } = await ask('POST', '/v1/config/changes', { file })
    expect(code).toBe(200)
    expect(proposals).toMatchObject([{ files: { 'mathesar.env': file } }])
    const padded = `${JSON.stringify({ file })}${' '.repeat(400_000)}`
    expect((await ask('POST', '/v1/config/changes', padded)).status).toBe(200)
    expect((await ask('POST', '/v1/config/changes', padded + padded)).text).toContain('larger than 512 KiB')
  })

  test.each(['fly', 'STOP', 'stop%20'])('knows no action %s', async (action) => {
    const ask = await open('owner')
    const { status: code, text } = await ask('POST', `/v1/services/mathesar/${action}`)
    expect(code).toBe(404)
    expect(text).toContain('action must be start, stop or restart')
  })
})

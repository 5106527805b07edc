import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Status } from '../../../src/core/status.ts'
import { SupervisorError } from '../../../src/errors.ts'
import type { SignIn, setupPurposes } from '../../../src/http/door/sign-in.ts'
import type { Parts } from '../../../src/http/parts.ts'
import { type ControlServer, listen, requestLimitMs } from '../../../src/http/server.ts'
import type { Access } from '../../../src/http/exchange.ts'
import type { HistoryEntry } from '../../../src/settings/history.ts'
import type { Proposal } from '../../../src/settings/proposal.ts'
import { askSocket } from '../../helpers/socket.ts'
import { filesOf } from '../configurations.ts'
import { createParts, createSignIn, current } from './parts.ts'

const older = '0123456789ab'
const entryOf = (version: string): HistoryEntry => ({
  at: '2026-01-01T00:00:00.000Z',
  from: 'file',
  version,
  result: 'applied',
  changes: [],
  why: null,
})

describe('a socket', () => {
  let folder: string
  let servers: ControlServer[]
  let said: string[]
  let reads: number
  let proposals: Proposal[]
  let control: Parts['instance']['control']
  let isSetUp: () => boolean
  let signIn: SignIn<keyof typeof setupPurposes>
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'http-'))
    servers = []
    said = []
    reads = 0
    proposals = []
    control = async () => 'ready'
    isSetUp = () => false
    signIn = createSignIn()
  })
  afterEach(() => {
    for (const server of servers) server.close()
    rmSync(folder, { recursive: true })
  })

  const partsOf = (): Parts => {
    const plain = createParts()
    return {
      ...plain,
      instance: { ...plain.instance, control: (action, name) => control(action, name) },
      setup: {
        ...plain.setup,
        signIn,
        isDone: async () => isSetUp(),
        expect: () => void said.push('expects'),
      },
      config: {
        ...plain.config,
        store: {
          readHistory: () => {
            reads++
            return [entryOf(older), entryOf(current.version)]
          },
          revision: (version) => (version === older ? { version, files: filesOf('') } : undefined),
        },
        changes: {
          ...plain.config.changes,
          propose: async (proposal, report) => {
            proposals.push(proposal)
            report?.('checking')
            return { result: 'unchanged', version: current.version, changes: [], warnings: [] }
          },
        },
      },
      log: { ...plain.log, say: (level, text) => void said.push(`${level} ${text}`) },
    }
  }
  const open = async (access: Access, given: Partial<Parts> = {}) => {
    const path = join(folder, `${access}.sock`)
    const mode = access === 'operator' ? 0o600 : 0o660
    servers.push(await listen({ path, mode }, { ...partsOf(), ...given }, access))
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
    const ask = await open('operator')
    const { units } = JSON.parse((await ask('GET', '/v1/status')).text) as Status
    expect(units.map(({ name, memoryBytes }) => [name, memoryBytes])).toEqual([
      ['listener', null],
      ['mathesar', 7 * 1024],
    ])
  })

  test('takes no path that the door reads otherwise', async () => {
    const ask = await open('operator')
    expect((await ask('GET', '/v1/status')).status).toBe(200)
    expect(await ask('GET', '/v1/x\\..\\status')).toMatchObject({
      status: 404,
      text: expect.stringContaining('invalid path'),
    })
  })

  test('has the mode that is asked for, and replaces what nobody answers on', async () => {
    const path = join(folder, 'app.sock')
    writeFileSync(path, 'left by an earlier start')
    await open('app')
    expect(statSync(path).mode & 0o777).toBe(0o660)
    await expect(listen({ path, mode: 0o660 }, partsOf(), 'app')).rejects.toMatchObject({
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
    const [operator, app] = [await open('operator'), await open('app')]
    expect(await originOf(operator, { reload: true }, 'supervisor')).toBe('command')
    expect(await originOf(operator, { reload: true })).toBe('api')
    expect(await originOf(operator, { rollback: 'previous' }, 'supervisor')).toBe('rollback')
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
    await originOf(await open('operator'), body)
    expect(proposals).toMatchObject([proposal])
  })

  test('lets the app go back with mathesar.env alone, which is all that it may write', async () => {
    await originOf(await open('app'), { rollback: older })
    expect(proposals).toEqual([
      { from: 'app', kind: 'replace', files: { 'mathesar.env': '' }, isDryRun: false },
    ])
  })

  test('refuses to go back to a version that is not kept', async () => {
    const ask = await open('operator')
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
    const ask = await open('operator')
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
    const ask = await open('operator')
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

  test.each([
    '',
    'GET /readyz HTTP/1.1\r\nHost: x\r\n',
    'PUT /v1/config HTTP/1.1\r\nContent-Length: 9\r\n\r\n{',
  ])('ends a connection whose request does not come in, such as %j, and no other', async (sent) => {
    const limits = new Set<() => void>()
    const after = (ms: number, act: () => void) => {
      if (ms === requestLimitMs) limits.add(act)
      return () => void limits.delete(act)
    }
    const path = join(folder, 'slow.sock')
    const parts = partsOf()
    servers.push(
      await listen({ path, mode: 0o600 }, { ...parts, clock: { ...parts.clock, after } }, 'visitor'),
    )
    expect((await askSocket(path, 'GET', '/readyz')).status).toBe(200)
    expect(limits.size).toBe(0)
    const socket = connect(path).on('error', () => {})
    socket.write(sent)
    await vi.waitFor(() => expect(limits.size).toBe(1), { interval: 1 })
    const closed = new Promise((resolve) => socket.resume().once('close', resolve))
    for (const elapsed of limits) elapsed()
    await closed
    await vi.waitFor(() => expect(limits.size).toBe(0), { interval: 1 })
  })

  test.each(['console', 'visitor', 'app', 'operator'] as const)(
    'of the %s outlives who asks for another protocol, sends half of a request, or goes at once',
    async (access) => {
      await open(access)
      const path = join(folder, `${access}.sock`)
      const [connects, upgrades, h2] = [
        'CONNECT /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n',
        'GET /readyz HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
        'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      ]
      for (const sent of [connects, `${connects}more`, upgrades, h2, connects.slice(0, 20), '\0', '']) {
        const socket = connect(path).on('error', () => {})
        await new Promise((resolve) => socket.once('connect', resolve))
        const closed = new Promise((resolve) => socket.resume().once('close', resolve))
        if (sent === connects) socket.write(sent)
        else socket.end(sent)
        await closed
      }
      const socket = connect(path).on('error', () => {})
      socket.write(connects)
      socket.destroy()
      expect(await askSocket(path, 'GET', '/readyz')).toHaveProperty('status')
    },
  )

  test('tells no date: Node would wake a second later for it', async () => {
    const ask = await open('visitor')
    expect((await ask('GET', '/livez')).headers).not.toHaveProperty('date')
  })

  test('of visitors answers health without a Host, as a probe with HTTP/1.0 has none', async () => {
    const ask = await open('visitor')
    expect((await ask('GET', '/readyz')).status).toBe(200)
    const socket = connect(join(folder, 'visitor.sock')).setEncoding('utf8')
    socket.write('GET /readyz HTTP/1.1\r\nConnection: close\r\n\r\n')
    let answer = ''
    for await (const chunk of socket) answer += chunk as string
    expect(answer.split('\r\n')[0]).toBe('HTTP/1.1 200 OK')
  })

  test.each<[Access, number, string]>([
    ['visitor', 33, '200'],
    ['visitor', 41, ''],
    ['operator', 7, '200'],
    ['operator', 9, ''],
    ['app', 9, ''],
  ])('of the %s answers to %i KiB of headers: %j', async (access, sizeKiB, status) => {
    await open(access)
    const socket = connect(join(folder, `${access}.sock`)).on('error', () => {})
    const path = access === 'app' ? '/v1/config' : '/readyz'
    const cookies = 'x'.repeat(sizeKiB * 1024)
    socket.write(`GET ${path} HTTP/1.1\r\nCookie: ${cookies}\r\nConnection: close\r\n\r\n`)
    let answer = ''
    for await (const chunk of socket.setEncoding('utf8')) answer += chunk as string
    expect(answer.split(' ')[1] ?? '').toBe(status)
  })

  test('takes a body as large as it may be', async () => {
    const ask = await open('operator')
    const file = 'é'.repeat(32_768)
    const { status: code } = await ask('POST', '/v1/config/changes', { file })
    expect(code).toBe(200)
    expect(proposals).toMatchObject([{ files: { 'mathesar.env': file } }])
    const padded = `${JSON.stringify({ file })}${' '.repeat(400_000)}`
    expect((await ask('POST', '/v1/config/changes', padded)).status).toBe(200)
    expect((await ask('POST', '/v1/config/changes', padded + padded)).text).toContain('larger than 512 KiB')
  })

  test.each(['fly', 'STOP', 'stop%20'])('knows no action %s', async (action) => {
    const ask = await open('operator')
    const { status: code, text } = await ask('POST', `/v1/services/mathesar/${action}`)
    expect(code).toBe(404)
    expect(text).toContain('action must be start, stop or restart')
  })

  const page = { accept: 'text/html' }
  const form = { ...page, host: 'nas.local', origin: 'http://nas.local' }

  test('of visitors asks for the code before Mathesar’s form, until there is an administrator', async () => {
    const ask = await open('visitor')
    for (const method of ['GET', 'POST', 'PUT']) {
      const { status: code, headers, text } = await ask(method, '/complete_installation/?a', undefined, page)
      expect([code, headers['x-accel-redirect']]).toEqual([403, undefined])
      expect(text).toContain('<form method="post" action="/supervisor/owner">')
      expect(headers['content-security-policy']).toContain("form-action 'self'")
    }
    expect(JSON.parse((await ask('GET', '/complete_installation/')).text)).toMatchObject({
      code: 'SETUP_CODE_NEEDED',
    })
    isSetUp = () => true
    const { status: code, headers } = await ask('GET', '/complete_installation/', undefined, page)
    expect([code, headers['x-accel-redirect']]).toEqual([200, '@setup'])
    isSetUp = () => {
      throw new SupervisorError('DATABASE_LOST', 'x')
    }
    expect((await ask('GET', '/complete_installation/', undefined, page)).status).toBe(503)
  })

  test('of visitors hands on who gave the code, and looks what comes of a form', async () => {
    const ask = await open('visitor')
    const given = await ask('POST', '/supervisor/owner', 'code=kkkk+kkkk', form)
    expect([given.status, given.headers.location]).toEqual([303, '/complete_installation/'])
    const cookieOf = ({ headers: got }: typeof given): string => got['set-cookie']!.join().split(';')[0]!
    const cookie = cookieOf(given)
    expect(given.headers['set-cookie']).toEqual([expect.stringMatching(/^mathesar_setup_owner=/)])
    // A script of Mathesar's page could use more than that.
    for (const path of ['/supervisor/restore', '/supervisor/fix'])
      expect((await ask('GET', path, undefined, { ...page, cookie })).text).toContain('name="code"')
    const fixing = await ask('POST', '/supervisor/fix', 'code=kkkk+kkkk', form)
    const other = cookieOf(fixing)
    expect(fixing.headers['set-cookie']).toEqual([expect.stringMatching(/^mathesar_supervisor_owner=/)])
    const handed = await ask('GET', '/complete_installation/', undefined, { ...page, cookie })
    expect([handed.headers['x-accel-redirect'], said]).toEqual(['@setup', []])
    await ask('POST', '/complete_installation/', 'username=x', { ...page, cookie })
    expect(said).toEqual(['expects'])
    const wrong = { ...page, cookie: other.replace('supervisor', 'setup') }
    expect((await ask('GET', '/complete_installation/', undefined, wrong)).status).toBe(403)
    signIn.setOpen(false)
    expect((await ask('GET', '/complete_installation/', undefined, { ...page, cookie })).status).toBe(403)
    const late = await ask('POST', '/supervisor/owner', 'code=kkkk+kkkk', form)
    expect([late.status, late.headers.location, late.headers['set-cookie']]).toEqual([303, '/', undefined])
  })

  test('of visitors takes the code from a form of its own page alone, and no other', async () => {
    const ask = await open('visitor')
    const right = 'code=kkkk-kkkk'
    for (const headers of [page, { ...form, origin: 'http://evil.example' }, { ...form, origin: 'null' }]) {
      const { status: code, headers: got, text } = await ask('POST', '/supervisor/owner', right, headers)
      expect([code, got['set-cookie']]).toEqual([403, undefined])
      expect(text).toContain('came from a page of another address')
    }
    expect((await ask('GET', `/supervisor/owner?${right}`, undefined, form)).status).toBe(404)
    expect((await ask('POST', '/supervisor/owner', 'x'.repeat(20_000), form)).status).toBe(422)
    const statuses = []
    for (let tries = 0; tries < 12; tries++)
      statuses.push((await ask('POST', '/supervisor/owner', `code=${tries}`, form)).status)
    expect(statuses).toEqual([...Array<number>(10).fill(403), 429, 429])
    const unheard = await ask('POST', '/supervisor/owner', 'code=x', form)
    expect(unheard.headers['retry-after']).toBe('2')
    for (const [path, status] of [
      ['/supervisor/fix', 429],
      ['/supervisor/restore', 429],
      ['/supervisor/permit', 400],
    ] as const)
      expect(await ask('POST', path, 'code=x', form)).toMatchObject({
        status,
        headers: { 'retry-after': '2' },
      })
    expect((await ask('POST', '/supervisor/owner', `code=${'k'.repeat(26)}`, form)).status).toBe(303)
  })

  test('of the owner tells how to come in, until there is an administrator', async () => {
    const ask = await open('operator')
    const tell = async (): Promise<unknown> => JSON.parse((await ask('GET', '/v1/setup')).text)
    expect(await tell()).toEqual({
      setup: {
        code: 'kkkk-kkkk',
        link: `http://localhost:8000/complete_installation/#${'k'.repeat(26)}`,
        expiresAt: '1970-01-01T00:30:00.000Z',
      },
    })
    signIn.setOpen(false)
    expect(await tell()).toEqual({ setup: null })
  })

  test('of visitors permits the name that they came by, for who gives the setup code', async () => {
    const ask = await open('visitor')
    const refused = await ask('GET', '/supervisor/refused', undefined, { ...page, host: 'nas.local:8000' })
    expect([refused.status, refused.headers['referrer-policy']]).toEqual([400, 'same-origin'])
    expect(refused.text).toContain('<form method="post" action="/supervisor/permit">')
    const permit = (code: string, host = 'nas.local:8000', origin = `http://${host}`) =>
      ask('POST', '/supervisor/permit', new URLSearchParams({ code }).toString(), { ...page, host, origin })
    for (const [code, host, origin] of [
      ['wrong'],
      ['kkkk-kkkk', 'nas.local:8000', 'http://evil.example'],
      ['kkkk-kkkk', 'nas local'],
    ] as const)
      expect((await permit(code, host, origin)).status).toBe(400)
    expect(proposals).toEqual([])
    const { status: code, headers } = await permit('kkkk-kkkk')
    expect([code, headers.location]).toEqual([303, '/'])
    expect(proposals).toEqual([
      {
        from: 'page',
        kind: 'set',
        base: current.version,
        set: { ALLOWED_HOSTS: '.localhost,127.0.0.1,[::1],private,nas.local' },
      },
    ])
    signIn.setOpen(false)
    expect((await permit('kkkk-kkkk')).status).toBe(400)
    expect(proposals).toHaveLength(1)
  })

  test('of visitors permits the name that they came by, for an administrator of what is set up', async () => {
    signIn.setOpen(false)
    const tried: string[] = []
    const ask = await open('visitor', {
      administrators: {
        prove: async (username, password) => {
          tried.push(`${username} ${password}`)
          return password === 'right' ? { is: 'right' } : { is: 'unheard', waitMs: 4001 }
        },
      },
    })
    const headers = { ...page, host: 'nas.local', origin: 'http://nas.local' }
    const { text } = await ask('GET', '/supervisor/refused', undefined, headers)
    expect(text).toContain('name="password" type="password"')
    const permit = async (password: string, from = headers) =>
      await ask(
        'POST',
        '/supervisor/permit',
        new URLSearchParams({ username: 'ada', password }).toString(),
        from,
      )
    expect((await permit('right', { ...headers, origin: 'http://evil.example' })).status).toBe(400)
    expect(tried).toEqual([])
    const unheard = await permit('wrong')
    expect([unheard.status, unheard.headers['retry-after']]).toEqual([400, '5'])
    expect(unheard.text).toContain('Too many tries')
    expect(proposals).toEqual([])
    expect((await permit('right')).headers.location).toBe('/')
    expect(tried).toEqual(['ada wrong', 'ada right'])
    expect(proposals).toHaveLength(1)
  })

  test('of visitors asks for a login also while the database has not named an administrator', async () => {
    const { setup } = createParts()
    const ask = await open('visitor', {
      administrators: { prove: async () => ({ is: 'right' }) },
      setup: {
        ...setup,
        signIn,
        isDone: async () => {
          signIn.setOpen(false)
          return true
        },
      },
    })
    const headers = { ...page, host: 'nas.local', origin: 'http://nas.local' }
    const answer = await ask('POST', '/supervisor/permit', 'username=ada&password=x', headers)
    expect(answer.headers.location).toBe('/')
    expect(proposals).toHaveLength(1)
  })

  test('of visitors has Mathesar woken for who asks for a name only where that one is heard', async () => {
    signIn.setOpen(false)
    let [wakes, isHeard] = [0, false]
    const { instance } = createParts()
    const sleeper = { ...instance.sleeper, isAsleep: true, wake: async () => void wakes++ }
    const ask = await open('visitor', {
      instance: { ...instance, sleeper },
      administrators: {
        prove: async (_name, _password, isServing) =>
          isHeard && (await isServing()) ? { is: 'wrong' } : { is: 'unheard', waitMs: 4001 },
      },
    })
    const headers = { ...page, host: 'nas.local', origin: 'http://nas.local' }
    const permit = () => ask('POST', '/supervisor/permit', 'username=ada&password=x', headers)
    expect([(await permit()).status, wakes]).toEqual([400, 0])
    isHeard = true
    expect([(await permit()).status, wakes]).toEqual([400, 1])
  })

  test('of visitors tells who asks for a name nothing of what the database says', async () => {
    signIn.setOpen(false)
    const why = 'no pg_hba.conf entry for host "10.0.0.7", user "mathesar_app"'
    const ask = await open('visitor', {
      administrators: { prove: () => Promise.reject(new SupervisorError('DATABASE_REFUSED', why)) },
    })
    const headers = { ...page, host: 'nas.local', origin: 'http://nas.local' }
    const { text } = await ask('POST', '/supervisor/permit', 'username=ada&password=x', headers)
    expect(text).toContain('Mathesar does not answer now')
    expect(text).not.toMatch(/10\.0\.0\.7|mathesar_app/)
    expect(said.join()).toContain(why)
  })
})

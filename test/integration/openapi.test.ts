import { existsSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { settingNames } from '../../src/settings/table.ts'
import { type Daemon, makeVolume, missing, removeVolume, startDaemon, until } from '../helpers/daemon.ts'
import { type Answer, askSocket } from '../helpers/socket.ts'

type Response = {
  readonly description: string
  readonly headers?: Readonly<Record<string, unknown>>
  readonly content: Readonly<Record<string, unknown>>
}
type Operation = {
  readonly servers?: readonly { readonly url: string }[]
  readonly responses: Readonly<Record<string, Response>>
}
type Document = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

const text = readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8')
const document = JSON.parse(text) as Document
const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
ajv.addSchema(JSON.parse(text) as object, 'openapi.json')
const escaped = (part: string): string => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))
const pointer = (...parts: readonly string[]): string => `openapi.json#/${parts.map(escaped).join('/')}`

/** "GET /v1/config", as the file has them. */
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({
    path,
    method,
    operation,
    route: `${method.toUpperCase()} ${path}`,
  })),
)
const operationOf = (method: string, path: string) =>
  operations.find(
    (one) =>
      one.method === method.toLowerCase() &&
      new RegExp(
        `^${one.path.replace(/\{action\}/, '(start|stop|restart)').replace(/\{\w+\}/, '[\\w-]{1,80}')}$`,
      ).test(path.split('?')[0]!),
  )

/** Why `value` is not what the file says of it there; nothing when it is. */
const whyNot = (value: unknown, ...at: readonly string[]): string => {
  const validate = ajv.compile({ $ref: pointer(...at) })
  return validate(value) ? '' : `${at.join(' ')}: ${ajv.errorsText(validate.errors)}`
}
const whyNoError = (value: unknown): string => whyNot(value, 'components', 'schemas', 'Error')

/** The values in an answer, by its media type. */
const valuesOf = (type: string, body: string): readonly unknown[] => {
  if (type === 'application/json') return [JSON.parse(body) as unknown]
  if (type === 'text/plain') return [body]
  return body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
}

/** What takes faults that nobody makes here: a unit test holds it to the table of errors. */
const unreachable = [
  'POST /v1/rest 500',
  'POST /v1/config/changes 503',
  'POST /v1/start-over 200', // undo.test.ts has these.
  'POST /v1/past 200',
  'POST /v1/past/end 200',
  'GET /metrics 404', // On the port: measures.test.ts has it.
  'GET /startupz 503',
  'GET /supervisor/ca.crt 200', // tls.test.ts has it.
]

describe.skipIf(missing !== undefined)('the running daemon answers as docs/openapi.json says', () => {
  let volume: string
  let daemon: Daemon
  const sockets = { supervisor: '', config: '' }
  const seen = new Set<string>()
  beforeAll(async () => {
    volume = makeVolume()
    sockets.supervisor = join(volume, 'run/control/supervisor.sock')
    sockets.config = join(volume, 'run/app/config.sock')
    daemon = await startDaemon(volume, { env: { UI_MAY_EDIT_CONFIG: 'true' } })
  })
  afterAll(async () => {
    await daemon?.end()
    removeVolume(volume)
  })

  /** Asks, and holds the answer to the file: its status, type, headers and body. */
  const ask = async (
    socket: keyof typeof sockets,
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer> => {
    const answer = await askSocket(sockets[socket], method, path, body, headers)
    const found = operationOf(method, path)
    const asked = `${method} ${path} ${JSON.stringify(body) ?? ''}`
    const is = `${asked} → ${answer.status} ${answer.text.slice(0, 300)}`
    const isOffered =
      socket === 'supervisor' || found?.operation.servers?.some(({ url }) => url.endsWith('config.sock'))
    if (!found || !isOffered) {
      expect(answer.status, is).toBe(404)
      expect(whyNoError(JSON.parse(answer.text))).toBe('')
      return answer
    }
    seen.add(`${found.route} ${answer.status}`)
    const response = found.operation.responses[answer.status]
    expect(response, is).toBeDefined()
    const { headers: named = {}, content, description } = response!
    const type = (answer.headers['content-type'] ?? '').split(';')[0]!
    expect(Object.keys(content), is).toContain(type)
    const at = ['paths', found.path, found.method, 'responses', String(answer.status)]
    for (const name of Object.keys(named))
      expect(whyNot(answer.headers[name.toLowerCase()], ...at, 'headers', name, 'schema')).toBe('')
    for (const value of valuesOf(type, answer.text)) {
      expect(whyNot(value, ...at, 'content', type, 'schema'), is).toBe('')
      // Each code is said to be one of this status.
      if (whyNoError(value) === '') expect(description).toContain(`(${(value as { code: string }).code})`)
    }
    return answer
  }
  const change = (
    body: unknown,
    headers?: Readonly<Record<string, string>>,
    socket: keyof typeof sockets = 'supervisor',
  ) => ask(socket, 'POST', '/v1/config/changes', body, headers)
  const versionNow = async (): Promise<string> =>
    (JSON.parse((await ask('supervisor', 'GET', '/v1/config')).text) as { version: string }).version

  test('while it boots', async () => {
    await until('the socket', () => existsSync(sockets.supervisor))
    const early = await ask('supervisor', 'POST', '/v1/services/mathesar/restart')
    expect(early.status).toBe(409)
    expect((await ask('supervisor', 'GET', '/v1/health')).status).toBe(503)
    await ask('supervisor', 'GET', '/v1/status')
    await ask('supervisor', 'GET', '/v1/config')
    await daemon.ready()
    await until('the second socket', () => existsSync(sockets.config))
  })

  test('to every read, on both sockets', async () => {
    for (const socket of ['supervisor', 'config'] as const) {
      for (const path of [
        '/v1/status',
        '/v1/status?format=text',
        '/v1/health',
        '/v1/logs',
        '/v1/logs?unit=postgres&lines=3',
        '/v1/logs?unit=nobody',
        '/v1/config',
        '/v1/config/history',
        '/v1/config/file',
      ])
        await ask(socket, 'GET', path)
    }
    const { settings } = JSON.parse((await ask('config', 'GET', '/v1/config')).text) as {
      settings: readonly { name: string }[]
    }
    expect(settings.map(({ name }) => name)).toEqual(settingNames)
  })

  test('to a moment that is to be served', async () => {
    const serve = async (body: unknown): Promise<number> =>
      (await ask('supervisor', 'POST', '/v1/past', body)).status
    expect(await serve({ at: '2026-11-26T10:15:00.000Z', seconds: 3600 })).toBe(409)
    expect(await serve({ at: '2026-11-26T10:15:00.000Z', seconds: 0 })).toBe(422)
    expect(await serve({ at: 'yesterday', seconds: 1 })).toBe(422)
    expect((await ask('supervisor', 'POST', '/v1/past/end')).status).toBe(409)
  })

  test('to other methods and paths with 404', async () => {
    for (const socket of ['supervisor', 'config'] as const) {
      for (const { path, method } of operations)
        await ask(
          socket,
          method === 'get' ? 'DELETE' : 'PUT',
          path.replace('{name}', 'mathesar').replace('{action}', 'stop'),
        )
      for (const path of [
        '/',
        '/v1',
        '/v1/config/',
        '//v1/config',
        '/v2/config',
        '/v1/services/postgres/fly',
      ])
        await ask(socket, 'GET', path)
    }
  })

  test('to every form of a change', async () => {
    const base = await versionNow()
    expect((await change({ dryRun: true, set: { DEBUG: 'true' } })).status).toBe(200)
    expect((await change({ base, set: { DEBUG: 'true', PUBLIC_URL: 'http://a.org' } })).status).toBe(200)
    expect((await change({ base, set: { DEBUG: 'false' } })).status).toBe(409)
    expect(
      (await change({ set: { DEBUG: null } }, { accept: 'application/x-ndjson' }, 'config')).text,
    ).toContain('"step":"proving')
    expect((await change({ file: '# mine\nPUBLIC_URL=http://b.org\nFOO=1\n' })).text).toContain(
      'unknown setting FOO',
    )
    expect((await change({ rollback: 'previous' })).status).toBe(200)
    expect((await change({ rollback: base })).status).toBe(200)
    expect((await change({ reload: true }, { accept: 'application/x-ndjson' })).status).toBe(200)
    expect((await change({ set: {} })).text).toContain('"unchanged"')
    expect((await change({ set: { WEB_CONCURRENCY: '2' } })).status).toBe(403)
    expect((await change({ set: { DEBUG: 'maybe' } })).status).toBe(422)
    expect(
      (await change({ set: { DEBUG: 'maybe' } }, { accept: 'application/x-ndjson' }, 'config')).text,
    ).toContain('"error":{"code":"CONFIG_INVALID"')
    expect(
      (await change({ set: { DATABASE_URL: 'postgres://u:p@127.0.0.1:1/m', DATABASE_WAIT_TIMEOUT: '0' } }))
        .status,
    ).toBe(422)
    expect((await change('{')).status).toBe(422)
    // It could be written, and never be read again.
    expect((await change({ file: `# ${'é'.repeat(40_000)}` })).text).toContain('larger than 64 KiB')
    expect((await change({ file: `# ${'x'.repeat(300_000)}` })).text).toContain('at most 65536 characters')
    // The answer comes also while the body does.
    expect((await change({ file: 'x'.repeat(530_000) })).text).toContain('larger than 512 KiB')
  })

  test('and takes just the bodies that are valid by it', async () => {
    const { version: base } = JSON.parse((await ask('supervisor', 'GET', '/v1/config')).text) as {
      version: string
    }
    const bodies: readonly unknown[] = [
      { set: {} },
      { file: '' },
      { rollback: 'previous' },
      { reload: true },
      { base, set: { DEBUG: 'true' } },
      { set: { DEBUG: null }, reload: false },
      {},
      [],
      null,
      1,
      'text',
      { set: 1 },
      { set: [] },
      { set: null },
      { set: { DEBUG: 1 } },
      { set: { DEBUG: {} } },
      { file: 1 },
      { file: null },
      { rollback: 1 },
      { rollback: ['previous'] },
      { rollback: { toString: 1 } },
      { reload: false },
      { reload: 1 },
      { set: {}, file: '' },
      { set: {}, reload: true },
      { base: 1, set: {} },
      { set: {}, dryRun: 'no' },
      { set: {}, more: 1 },
    ]
    for (const body of bodies) {
      const sent =
        typeof body === 'object' && body !== null && !Array.isArray(body) && !('dryRun' in body)
          ? { ...body, dryRun: true }
          : body
      const { status, text: answered } = await change(JSON.stringify(sent))
      expect({ body, valid: status === 200 }, answered).toEqual({
        body,
        valid: whyNot(sent, 'components', 'schemas', 'ChangeRequest') === '',
      })
    }
  })

  test('to the owner of a new Mathesar, platforms and the page', async () => {
    const probes = ['/livez', '/readyz', '/startupz', '/healthz/live', '/healthz/ready']
    for (const path of ['/metrics', '/v1/setup', ...probes, '/supervisor/boot'])
      expect((await ask('supervisor', 'GET', path)).status).toBe(200)
    expect((await ask('supervisor', 'GET', '/supervisor/ca.crt')).status).toBe(404)
    expect((await ask('supervisor', 'POST', '/v1/console')).status).toBe(200)
    const firstOf = (method: string, path: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const sent = request({ socketPath: sockets.supervisor, method, path }, (response) => {
          seen.add(`${method} ${path} ${response.statusCode}`)
          response.once('data', (chunk: Buffer) => {
            resolve(chunk.toString())
            sent.destroy()
          })
        })
        sent.once('error', reject).end()
      })
    const event = await firstOf('GET', '/supervisor/events')
    expect(JSON.parse(/^data: (.*)\n\n/.exec(event)?.[1] ?? '')).toMatchObject({ isServing: true })
    expect(await firstOf('POST', '/v1/awake')).toBe('awake\n')
    expect(await firstOf('POST', '/v1/rest')).toBe('at rest\n')
  })

  test('to starts and stops', async () => {
    const state = async (action: string): Promise<string> =>
      (
        JSON.parse((await ask('supervisor', 'POST', `/v1/services/mathesar/${action}`)).text) as {
          state: string
        }
      ).state
    expect(await state('stop')).toBe('stopped')
    for (const path of ['/v1/status', '/v1/health', '/v1/status?format=text', '/readyz', '/healthz/ready'])
      expect((await ask('supervisor', 'GET', path)).status).toBe(503)
    expect((await ask('supervisor', 'POST', '/v1/rest')).status).toBe(409)
    expect(await state('start')).toBe('ready')
    expect(await state('restart')).toBe('ready')
    expect((await ask('supervisor', 'POST', '/v1/services/nobody/stop')).status).toBe(404)
  })

  test('with nothing in it left unseen', () => {
    const all = operations.flatMap(({ route, operation: { responses } }) =>
      Object.keys(responses).flatMap((status) => (status === 'default' ? [] : `${route} ${status}`)),
    )
    expect(all.filter((one) => !seen.has(one))).toEqual(unreachable)
  })
})

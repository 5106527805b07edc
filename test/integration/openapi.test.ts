import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { actionInWords } from '../../src/settings/plan.ts'
import { settingNames } from '../../src/settings/table.ts'
import { errorTable } from '../../src/errors.ts'
import { type Daemon, makeVolume, missing, removeVolume, startDaemon, until } from '../helpers/daemon.ts'
import { type Answer, askSocket } from '../helpers/socket.ts'

type Operation = {
  readonly servers?: readonly { readonly url: string }[]
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly headers?: Readonly<Record<string, unknown>>
        readonly content: Readonly<Record<string, unknown>>
      }
    >
  >
}
type Document = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, { readonly enum?: readonly string[] }>> }
}

const rootOf = (path: string): string => new URL(`../../${path}`, import.meta.url).pathname
const text = readFileSync(rootOf('docs/openapi.json'), 'utf8')
const document = JSON.parse(text) as Document
const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
ajv.addSchema(JSON.parse(text) as object, 'openapi.json')
const pointer = (...parts: readonly string[]): string =>
  `openapi.json#/${parts.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`

/** "GET /v1/config", as the file has them. */
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.keys(item)
    .filter((key) => key !== 'servers')
    .map((method) => ({ path, method, route: `${method.toUpperCase()} ${path}` })),
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

/** The routes that the sources serve, read out of their code. */
const servedRoutes = (): string[] =>
  ['src/daemon/control.ts', 'src/daemon/config-routes.ts'].flatMap((path) => {
    const code = readFileSync(rootOf(path), 'utf8')
      .replace(/\/\*[\s\S]*?\*\//g, '')
      .replace(/(^|\s)\/\/ .*$/gm, '$1')
    const plain = [...code.matchAll(/'([A-Z]+ \/v1\/[^']*)'/g)].map(([, route]) => route!)
    const patterns = [...code.matchAll(/\/\^([A-Z]+ \\\/v1.*?)\$\//g)].map(([, route]) =>
      route!
        .replaceAll('\\/', '/')
        .replace('([\\w-]{1,80})', '{name}')
        .replace('(start|stop|restart)', '{action}'),
    )
    expect(plain.length + patterns.length, `routes of ${path}`).toBe(code.match(/\/v1\b/g)!.length)
    return [...plain, ...patterns]
  })

describe('docs/openapi.json', () => {
  test('has every route that the sources serve, and no other', () => {
    expect(operations.map(({ route }) => route).sort()).toEqual(servedRoutes().sort())
  })

  test('has the codes, actions and refs that there are', () => {
    expect(document.components.schemas.Error).toMatchObject({
      properties: { code: { enum: Object.keys(errorTable) } },
    })
    expect(document.components.schemas.Action!.enum).toEqual(Object.keys(actionInWords))
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g))
      expect(Object.keys(document.components.schemas)).toContain(name)
    for (const name of Object.keys(document.components.schemas))
      expect(text, name).toContain(`#/components/schemas/${name}"`)
  })
})

/** The JSON values of an answer: one, one a line, or its text. */
const valuesOf = (type: string, text: string): readonly unknown[] => {
  if (type === 'application/json') return [JSON.parse(text)]
  if (type !== 'application/x-ndjson') return [text]
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
}

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
    const operation = operationOf(method, path)
    const item = operation && document.paths[operation.path]!
    const offers = item?.servers as readonly { readonly url: string }[] | undefined
    const is = `${method} ${path} ${JSON.stringify(body) ?? ''} → ${answer.status} ${answer.text.slice(0, 300)}`
    if (!operation || (socket === 'config' && !offers?.some(({ url }) => url.endsWith('config.sock')))) {
      expect(answer.status, is).toBe(404)
      expect(whyNot(JSON.parse(answer.text), 'components', 'schemas', 'Error')).toBe('')
      return answer
    }
    seen.add(`${operation.route} ${answer.status}`)
    const response = item![operation.method]!.responses[answer.status]
    expect(response, is).toBeDefined()
    const type = answer.headers['content-type'] ?? ''
    expect(Object.keys(response!.content), is).toContain(type)
    for (const name of Object.keys(response!.headers ?? {})) {
      expect(
        whyNot(
          answer.headers[name.toLowerCase()],
          'paths',
          operation.path,
          operation.method,
          'responses',
          String(answer.status),
          'headers',
          name,
          'schema',
        ),
      ).toBe('')
    }
    for (const value of valuesOf(type, answer.text))
      expect(
        whyNot(
          value,
          'paths',
          operation.path,
          operation.method,
          'responses',
          String(answer.status),
          'content',
          type,
          'schema',
        ),
        is,
      ).toBe('')
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
    expect((await change({ file: `# ${'x'.repeat(300_000)}` })).text).toContain('larger than 64 KiB') // It could be written, and never be read again.
    expect((await change({ file: 'x'.repeat(530_000) })).text).toContain('larger than 512 KiB') // The answer comes, also while the body does.
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
      { set: { DEBUG: null }, reload: false }, // Valid.
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

  test('to starts and stops', async () => {
    const state = async (action: string): Promise<string> =>
      (
        JSON.parse((await ask('supervisor', 'POST', `/v1/services/mathesar/${action}`)).text) as {
          state: string
        }
      ).state
    expect(await state('stop')).toBe('stopped')
    for (const path of ['/v1/status', '/v1/health', '/v1/status?format=text'])
      expect((await ask('supervisor', 'GET', path)).status).toBe(503)
    expect(await state('start')).toBe('ready')
    expect(await state('restart')).toBe('ready')
    expect((await ask('supervisor', 'POST', '/v1/services/nobody/stop')).status).toBe(404)
  })

  test('with nothing in it left unseen', () => {
    const all = operations.flatMap(({ route, path, method }) =>
      Object.keys(document.paths[path]![method]!.responses).map((status) => `${route} ${status}`),
    )
    expect(all.filter((one) => !seen.has(one))).toEqual([])
  })
})

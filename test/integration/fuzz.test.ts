import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { Agent, METHODS, request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Daemon, makeVolume, missing, removeVolume, startDaemon, until } from '../helpers/daemon.ts'
import { askSocket } from '../helpers/socket.ts'

const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1e9)
/** A small heap: a leak shows as growth or as death, not as garbage that nobody has collected yet. */
const smallHeap = '--max-semi-space-size=1 --max-old-space-size=48'
/** Until the allocator and the heap have the size that such a load gives them. */
const warmUp = 3000
const requests = 12_000
/** Uncollected garbage is some 20 MiB; requests that stayed would be 5 KiB each and more, 60 MiB in all. */
const growthLimitMiB = 40
const together = 24

/** mulberry32: the same numbers for the same seed. */
const createRandom = (from: number) => {
  let state = from >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  const one = <T>(list: readonly T[]): T => list[below(list.length)]!
  return {
    below,
    one,
    chance: (share: number): boolean => next() < share,
    bytes: (count: number): Buffer => Buffer.from(Array.from({ length: count }, () => below(256))),
  }
}
const random = createRandom(seed)
const { below, one, chance, bytes } = random

const paths = [
  '/v1/status',
  '/v1/status?format=text',
  '/v1/health',
  '/v1/logs',
  '/v1/logs?lines=1',
  '/v1/config',
  '/v1/config/history',
  '/v1/config/file',
  '/v1/config/changes',
  '/v1/services/nobody/stop',
  '/v1/services/mathesar/fly',
]
const anyPath = (): string => {
  const path = one(paths)
  if (chance(0.7)) return path
  const noise = Array.from({ length: below(chance(0.05) ? 6000 : 20) }, () =>
    one([
      '/',
      '.',
      '..',
      '%',
      '%00',
      '%2f',
      '?',
      '&',
      '=',
      '#',
      '@',
      ':',
      'a',
      'Z',
      '9',
      '[',
      ']',
      '*',
      '\\',
      '{',
      '"',
    ]),
  ).join('')
  return chance(0.5) ? path.slice(0, below(path.length)) + noise : path + noise
}
const names = [
  'DEBUG',
  'PORT',
  'DATABASE_URL',
  'SECRET_KEY',
  'WEB_CONCURRENCY',
  'nonsense',
  '__proto__',
  'constructor',
  '',
  'A B',
  '\u0000',
  'x'.repeat(5000),
]
const anyJson = (depth = 0): unknown => {
  const kind = below(depth > 4 ? 5 : 7)
  if (kind === 5) return Array.from({ length: below(4) }, () => anyJson(depth + 1))
  if (kind === 6)
    return Object.fromEntries(Array.from({ length: below(4) }, () => [one(names), anyJson(depth + 1)]))
  return [
    null,
    chance(0.5),
    below(1e6) - 5e5,
    one(['', 'true', 'previous', 'DEBUG=maybe', '\ud800', 'x'.repeat(below(3000))]),
    one(names),
  ][kind]
}
/** Never a change that would be carried out: valid ones are dry runs, and rare, for each reads the folder. */
const anyBody = (): string | Buffer => {
  switch (below(8)) {
    case 0:
      return bytes(below(2000))
    case 1:
      return JSON.stringify(anyJson())
    case 2:
      return JSON.stringify({
        [one(['set', 'file', 'rollback', 'reload', 'base', 'dryRun', 'more'])]: anyJson(),
        more: 1,
      })
    case 3:
      return JSON.stringify({ set: { [one(names)]: anyJson() }, file: 1 }).slice(0, below(80))
    case 4:
      return (chance(0.5) ? '[' : '{"set":').repeat(below(chance(0.02) ? 60_000 : 200))
    case 5:
      return chance(0.01) ? one([Buffer.alloc(600_000, 'x'), manyNames]) : ''
    case 6:
      return JSON.stringify({ rollback: one([anyJson(), '../../etc/passwd', 'abcdef012345']), dryRun: true })
    default:
      return chance(0.1)
        ? JSON.stringify({
            set: { [one(names)]: one([null, 'true', '1', anyJson()]) },
            dryRun: true,
            ...(chance(0.3) ? { base: anyJson() } : {}),
          })
        : '{}'
  }
}
/** Far more names than there are settings, in a body that is just not too large. */
const manyNames = JSON.stringify({
  set: Object.fromEntries(Array.from({ length: 40_000 }, (_, index) => [`A${index}`, null])),
})
const anyHeaders = (): Record<string, string> => ({
  ...(chance(0.2) ? { accept: one(['application/x-ndjson', '*/*', 'x'.repeat(below(3000))]) } : {}),
  ...(chance(0.1) ? { 'user-agent': one(['supervisor', 'x']) } : {}),
  ...(chance(0.1) ? { [`x-${below(100)}`]: 'y'.repeat(below(chance(0.1) ? 9000 : 50)) } : {}),
  ...(chance(0.05) ? { expect: one(['100-continue', '200-maybe']) } : {}),
  ...(chance(0.05) ? { connection: one(['close', 'upgrade', 'keep-alive']), upgrade: 'websocket' } : {}),
})
const anyMethod = (): string =>
  chance(0.3) ? one(METHODS.filter((method) => method !== 'CONNECT')) : one(['GET', 'POST'])

/** As long as a history may be: its answer does not fit into the buffers of a socket. */
const writeLongHistory = (volume: string): void => {
  const entry = {
    at: new Date(0).toISOString(),
    from: 'file',
    version: '0123456789ab',
    result: 'rejected',
    changes: [],
    why: 'é'.repeat(2048),
  }
  mkdirSync(join(volume, 'data/history'), { recursive: true })
  writeFileSync(join(volume, 'data/history/history.json'), JSON.stringify(Array(100).fill(entry)))
}

describe.skipIf(missing !== undefined)('whatever comes in on the control sockets', () => {
  let volume: string
  let daemon: Daemon
  let sockets: readonly [string, string]
  const statuses = new Map<number | string, number>()
  const agents: Agent[] = []
  beforeAll(async () => {
    volume = makeVolume()
    writeLongHistory(volume)
    sockets = [join(volume, 'run/control/supervisor.sock'), join(volume, 'run/app/config.sock')]
    daemon = await startDaemon(volume, { env: { UI_MAY_EDIT_CONFIG: 'true', NODE_OPTIONS: smallHeap } })
    await daemon.ready()
  })
  afterAll(async () => {
    for (const agent of agents) agent.destroy()
    await daemon?.end()
    removeVolume(volume)
  })

  const count = (outcome: number | string): void =>
    void statuses.set(outcome, (statuses.get(outcome) ?? 0) + 1)

  /** A request that is formed; the answer is read, or cut off. */
  const askAnything = (socketPath: string, agent: Agent): Promise<void> =>
    new Promise((resolve) => {
      const done = (outcome: number | string): void => {
        count(outcome)
        resolve()
      }
      try {
        const path = chance(0.01) ? '/v1/logs?follow=1' : anyPath()
        const body = anyBody()
        // Without it a GET has garbage behind it.
        const length = chance(0.95) ? { 'content-length': String(Buffer.byteLength(body)) } : {}
        const sent = request(
          { socketPath, agent, method: anyMethod(), path, headers: { ...anyHeaders(), ...length } },
          (response) => {
            response
              .once('error', () => done('cut off'))
              .once('close', () => done(response.statusCode!))
              .resume()
            if (/follow|events/.test(path) || chance(0.02)) setTimeout(() => sent.destroy(), below(20))
          },
        )
        sent
          .once('error', ({ code }: NodeJS.ErrnoException) => done(code ?? 'error'))
          .once('upgrade', (_, socket) => {
            socket.destroy()
            done('upgrade')
          })
        if (chance(0.02)) setTimeout(() => sent.destroy(), below(10))
        sent.end(body)
      } catch {
        done('cannot be sent') // Node's own client refuses the worst paths; the raw ones below do not.
      }
    })

  /** Bytes as they are: garbage, half a request, several in one, a body shorter or longer than it says. */
  const sendAnything = (socketPath: string): Promise<void> =>
    new Promise((resolve) => {
      const method = one(['GET', 'POST', 'PRI', 'get', ''])
      const version = one(['1.1', '1.0', '2.0', '9'])
      const host = one(['', 'Host: x\r\n'])
      const length = one([
        '',
        'Content-Length: 5\r\n',
        'Content-Length: -1\r\n',
        'Content-Length: 99999999999\r\n',
        'Transfer-Encoding: chunked\r\n',
      ])
      const head = `${method} ${anyPath()} HTTP/${version}\r\n${host}${length}\r\n`
      const body = one([
        bytes(below(1500)),
        Buffer.from('5\r\nhello\r\n0\r\n\r\n'),
        Buffer.from('ffffffff\r\n'),
        Buffer.from('GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(below(20))),
        Buffer.from(anyBody()),
      ])
      const whole = chance(0.3) ? body : Buffer.concat([Buffer.from(head), body])
      const socket = connect(socketPath)
      const limit = setTimeout(() => socket.destroy(), 10)
      socket
        .once('error', () => {})
        .once('close', () => {
          clearTimeout(limit)
          count('raw')
          resolve()
        })
        .resume()
      socket.write(chance(0.3) ? whole.subarray(0, below(whole.length)) : whole, () => {
        if (chance(0.5)) socket.end()
      })
    })

  const fuzz = async (total: number): Promise<void> => {
    let left = total
    await Promise.all(
      Array.from({ length: together }, async (_, worker) => {
        const socketPath = sockets[worker % 2]!
        const agent = new Agent({ keepAlive: true, maxSockets: 1 })
        agents.push(agent)
        while (left-- > 0) await (chance(0.15) ? sendAnything(socketPath) : askAnything(socketPath, agent))
        agent.destroy()
      }),
    )
  }

  const openFiles = (): readonly string[] => {
    const folder = `/proc/${daemon.pid()}/fd`
    return readdirSync(folder).flatMap((fd) => {
      try {
        return [readlinkSync(join(folder, fd))]
      } catch {
        return [] // It was closed just then.
      }
    })
  }
  const filesOpen = (): number => openFiles().length
  const rssMiB = (): number =>
    Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${daemon.pid()}/status`, 'utf8'))![1]) / 1024
  const settingsNow = async (): Promise<string> =>
    (await askSocket(sockets[0], 'GET', '/v1/config')).text +
    (await askSocket(sockets[0], 'GET', '/v1/config/history')).text +
    readFileSync(join(volume, 'data/config/mathesar.env'), 'utf8')
  const unitsNow = () =>
    daemon
      .status()
      .units.map(({ name, pid, state, restarts, generation }) => ({ name, pid, state, restarts, generation }))

  test(`leaves the daemon as it was: ${requests} requests, seed ${seed}`, async () => {
    await until(
      'the second socket',
      async () => (await askSocket(sockets[1], 'GET', '/v1/config')).status === 200,
    )
    const [settings, units] = [await settingsNow(), unitsNow()]
    // Some that come a byte at a time: the server ends them after its 10 s.
    const slow = Array.from({ length: 40 }, (_, index) => {
      const socket = connect(sockets[index % 2]!)
        .on('error', () => {})
        .resume()
      const drip = setInterval(() => socket.write('G'), 200)
      socket.once('close', () => clearInterval(drip))
      return socket
    })
    await fuzz(warmUp)
    await new Promise((resolve) => setTimeout(resolve, 300))
    const before = { files: filesOpen(), rss: rssMiB() }
    // Some that ask and do not read: the server ends them, too, on the app's socket. Half of them ask a lot.
    const deaf = Array.from({ length: 40 }, (_, index) => {
      const socket = connect(sockets[1]).on('error', () => {})
      const asked = 'GET /v1/config/history HTTP/1.1\r\nHost: x\r\n\r\n'
      socket.pause().write(asked.repeat(index % 2 ? 2000 : 1))
      return socket
    })
    const startMs = Date.now()
    await fuzz(requests)
    const tookMs = Date.now() - startMs

    // Far more at once than are let in.
    const crowd = await Promise.all(
      Array.from({ length: 400 }, (_, index) =>
        askSocket(sockets[index % 2]!, 'GET', '/v1/config', undefined, { connection: 'close' }).then(
          ({ status }) => status,
          () => 0,
        ),
      ),
    )
    expect(crowd.filter((status) => status === 200).length).toBeGreaterThan(50)
    expect(crowd.filter((status) => status !== 200 && status !== 0)).toEqual([])

    // The last of the crowd may still be leaving.
    await until('an answer', async () => (await askSocket(sockets[0], 'GET', '/v1/status')).status === 200)
    const askedMs = Date.now()
    expect((await askSocket(sockets[0], 'GET', '/v1/status')).status).toBe(200)
    const answeredMs = Date.now() - askedMs
    await until('the slow ones to be ended', () => slow.every(({ destroyed }) => destroyed), 20_000)
    // The deaf ones have up to twice the time that an answer may go unread.
    await until('no more files open than before', () => filesOpen() <= before.files, 30_000).catch(
      (error: Error) => {
        throw new Error(`${error.message}: ${before.files} before, now ${openFiles().join(' ')}`)
      },
    )
    for (const socket of deaf) socket.destroy()
    const grownMiB = rssMiB() - before.rss
    const figures = [
      `${requests} requests in ${tookMs} ms`,
      `${before.rss.toFixed(0)} MiB, grown by ${grownMiB.toFixed(1)} MiB`,
      `${before.files} files open before and ${filesOpen()} after`,
      `status answered in ${answeredMs} ms`,
      JSON.stringify(Object.fromEntries(statuses)),
    ]
    console.log(`fuzz: ${figures.join('; ')}`)
    expect(answeredMs).toBeLessThan(5000)
    expect([...statuses.keys()].filter((status) => typeof status === 'number' && status >= 500)).toEqual([])
    expect(await settingsNow()).toBe(settings)
    expect(unitsNow()).toEqual(units)
    expect(grownMiB).toBeLessThan(growthLimitMiB)
    expect(daemon.status().problems).toEqual([])
  }, 300_000)
})

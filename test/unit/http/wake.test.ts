import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ControlServer, listen } from '../../../src/http/server.ts'
import { askSocket } from '../../helpers/socket.ts'
import { createParts } from './parts.ts'

let folder: string
let server: ControlServer | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wake-'))
})
afterEach(() => {
  server?.close()
  rmSync(folder, { recursive: true })
})

describe('what the door asks the supervisor while Mathesar sleeps', () => {
  /** `canWake`: whether it serves afterwards. */
  const stage = async (canWake: boolean) => {
    const path = join(folder, 'page.sock')
    const told = { wakes: 0 }
    let isServing = false
    const plain = createParts()
    const parts = {
      ...plain,
      instance: {
        ...plain.instance,
        get isServing() {
          return isServing
        },
        sleeper: {
          isAsleep: true,
          stayAwake: <T>(act: () => Promise<T>): Promise<T> => act(),
          wake: async () => {
            told.wakes++
            if (!canWake) throw new Error('cannot wake postgres: it is backoff')
            isServing = true
          },
        },
      },
      setup: { ...plain.setup, isDone: async () => true },
    }
    server = await listen({ path, mode: 0o600 }, parts, 'visitor')
    return { told, ask: (method: string, target: string) => askSocket(path, method, target) }
  }

  test.each([
    ['GET', '/some/page', '@mathesar'],
    ['POST', '/api/rpc/v0/', '@mathesar'],
    ['GET', '/complete_installation/', '@setup'],
    ['GET', '/supervisor/may-send', '/supervisor/may-send'],
  ])('%s %s wakes it, and is handed back to %s', async (method, target, handover) => {
    const { told, ask } = await stage(true)
    const { status, headers } = await ask(method, target)
    expect([status, headers['x-accel-redirect'], told.wakes]).toEqual([200, handover, 1])
  })

  test('a request gets the page where it does not wake', async () => {
    const { told, ask } = await stage(false)
    const { status, headers } = await ask('GET', '/some/page')
    expect([status, headers['x-accel-redirect'], told.wakes]).toEqual([503, undefined, 1])
  })

  test.each([
    '/livez',
    '/readyz',
    '/startupz',
    '/healthz/live/',
    '/healthz/ready',
    '/metrics',
    '/supervisor/boot',
    '/supervisor/away',
    '/supervisor/away/database',
  ])('%s does not wake it', async (target) => {
    const { told, ask } = await stage(true)
    for (const method of ['GET', 'HEAD']) await ask(method, target)
    expect(told.wakes).toBe(0)
  })

  test.each(['/livez', '/readyz', '/startupz'])('HEAD %s says how it is, as GET does', async (target) => {
    const { ask } = await stage(true)
    expect(await ask('HEAD', target)).toMatchObject({ status: 200, text: '' })
  })

  test("Mathesar's own probes answer as Mathesar does", async () => {
    const { ask } = await stage(true)
    expect(JSON.parse((await ask('GET', '/healthz/live/')).text)).toEqual({ status: 'ok' })
    expect(await ask('GET', '/healthz/ready')).toMatchObject({ status: 200 })
  })
})

test('six hundred who wait for Mathesar leave connections for health', { timeout: 30_000 }, async () => {
  const path = join(folder, 'page.sock')
  const { instance, ...plain } = createParts()
  const woken = Promise.withResolvers<void>()
  const seen = { waiting: 0, others: 0 }
  const wake = (): Promise<void> => {
    seen.waiting++
    return woken.promise
  }
  const sleeper = { ...instance.sleeper, isAsleep: true, wake }
  server = await listen({ path, mode: 0o600 }, { ...plain, instance: { ...instance, sleeper } }, 'visitor')
  const ask = async (): Promise<number> => {
    const { status } = await askSocket(path, 'GET', '/some/page').catch(() => ({ status: 0 }))
    if (status !== 200) seen.others++
    return status
  }
  const asked: Promise<number>[] = []
  for (let count = 100; count <= 600; count += 100) {
    asked.push(...Array.from({ length: 100 }, ask)) // As many as the socket holds before it is served.
    await expect.poll(() => seen.waiting + seen.others, { timeout: 10_000, interval: 5 }).toBe(count)
  }
  expect(seen).toEqual({ waiting: 512, others: 88 })
  expect((await askSocket(path, 'GET', '/livez')).status).toBe(200)
  woken.resolve()
  const statuses = await Promise.all(asked)
  expect([200, 503].map((code) => statuses.filter((status) => status === code).length)).toEqual([512, 88])
  expect((await askSocket(path, 'GET', '/some/page')).status).toBe(200) // Nobody waits any more.
})

describe('what the door asks the supervisor while Mathesar is away for a moment', () => {
  /** Mathesar is back, or not in time, once somebody waits for it. */
  const stage = async (isServing: boolean) => {
    const path = join(folder, 'page.sock')
    const { instance, ...plain } = createParts()
    const now = { isServing: false, isBackSoon: true }
    const parts = {
      ...plain,
      instance: {
        ...instance,
        get isServing() {
          return now.isServing
        },
        get isBackSoon() {
          return now.isBackSoon
        },
        subscribe: (listener: (event: { readonly type: 'changed' }) => void) => {
          queueMicrotask(() => listener({ type: 'changed' })) // Another unit: it waits on.
          setImmediate(() => {
            Object.assign(now, { isServing, isBackSoon: false })
            listener({ type: 'changed' })
          })
          return () => {}
        },
      },
    }
    server = await listen({ path, mode: 0o600 }, parts, 'visitor')
    return (method: string, headers: Readonly<Record<string, string>>, target = '/some/page') =>
      askSocket(path, method, target, undefined, headers)
  }

  test.each([
    ['GET', true, '-', '@mathesar'],
    ['POST', true, '-', '@mathesar'],
    ['GET', false, '-', undefined],
    ['GET', true, '0.000', undefined],
    ['POST', true, '-, 0.001, 0.000', undefined],
  ])('%s, it is back: %j, connections before: %s: handed to %s', async (method, isBack, times, to) => {
    const ask = await stage(isBack)
    const { status, headers, text } = await ask(method, { 'x-connect-time': times })
    expect([status, headers['x-accel-redirect']]).toEqual([to === undefined ? 503 : 200, to])
    if (to === undefined)
      expect(text).toContain(times.endsWith('-') ? 'was not carried out' : 'may have carried')
  })

  test('whether a body may come is asked again, though Mathesar ended while it was asked', async () => {
    const ask = await stage(true)
    const { headers } = await ask('GET', { 'x-connect-time': '0.000' }, '/supervisor/may-send')
    expect(headers['x-accel-redirect']).toBe('/supervisor/may-send')
  })
})

test('whoever leaves before all is awake keeps nothing awake', async () => {
  const path = join(folder, 'control.sock')
  const { instance, ...plain } = createParts()
  const [asked, awake, ended] = [1, 2, 3].map(() => Promise.withResolvers<void>())
  const sleeper = {
    ...instance.sleeper,
    stayAwake: async <T>(act: () => Promise<T>): Promise<T> => {
      asked!.resolve()
      await awake!.promise
      return await act().finally(() => ended!.resolve())
    },
  }
  server = await listen({ path, mode: 0o600 }, { ...plain, instance: { ...instance, sleeper } }, 'operator')
  const sent = request({ socketPath: path, method: 'POST', path: '/v1/awake' }).on('error', () => {})
  sent.end()
  await asked!.promise
  sent.destroy()
  await delay(50) // The server sees it.
  awake!.resolve()
  await ended!.promise
})

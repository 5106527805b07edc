import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ControlServer, listen } from '../../../src/http/server.ts'
import { askSocket } from '../../helpers/socket.ts'
import { createOptions } from './options.ts'

describe('what the door asks the supervisor while Mathesar sleeps', () => {
  let folder: string
  let server: ControlServer | undefined
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'wake-'))
  })
  afterEach(() => {
    server?.close()
    rmSync(folder, { recursive: true })
  })

  /** `canWake`: whether it serves afterwards. */
  const stage = async (canWake: boolean) => {
    const path = join(folder, 'page.sock')
    const told = { wakes: 0 }
    let isServing = false
    const plain = createOptions()
    const options = {
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
      setup: { isDone: async () => true, expect: () => {} },
    }
    server = await listen({ path, mode: 0o600 }, options, 'visitor')
    return { told, ask: (method: string, target: string) => askSocket(path, method, target) }
  }

  test.each([
    ['GET', '/some/page', '@mathesar'],
    ['POST', '/api/rpc/v0/', '@mathesar'],
    ['GET', '/complete_installation/', '@setup'],
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

  test.each(['/livez', '/readyz', '/startupz', '/metrics', '/supervisor/boot', '/supervisor/away'])(
    '%s does not wake it',
    async (target) => {
      const { told, ask } = await stage(true)
      await ask('GET', target)
      expect(told.wakes).toBe(0)
    },
  )
})

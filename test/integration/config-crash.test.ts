import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parseConfig } from '../../src/settings/env-file.ts'
import type { History } from '../../src/settings/history.ts'
import {
  clusterState,
  copyVolume,
  type Daemon,
  makeTemplate,
  missing,
  processesOn,
  removeVolume,
  startDaemon,
  until,
} from '../helpers/daemon.ts'

/** A change that goes through every step: one state is old, the other new. */
const wish = (round: number) => ({
  CSRF_TRUSTED_ORIGINS: `https://round-${round}.example`,
  EMBEDDED_POSTGRES_SHARED_BUFFERS: String(32 + round),
  EMBEDDED_POSTGRES_WORK_MEM: String(5 + round),
})
const steps = [
  'checking',
  'starting a new generation of Mathesar',
  'restarting Postgres',
  'proving the new generation',
] as const

describe.skipIf(missing !== undefined)('a change that is cut off', () => {
  let template: string
  let volume: string
  const daemons: Daemon[] = []
  const start = async (): Promise<Daemon> => {
    const daemon = await startDaemon(volume)
    daemons.push(daemon)
    await daemon.ready()
    await until('the boot to be recorded', () => existsSync(join(volume, 'data/history/history.json')))
    await daemon.idle()
    return daemon
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

  const fileOf = (daemon: Daemon): Record<string, string> => {
    const { entries, problems } = parseConfig(readFileSync(daemon.file, 'utf8'))
    expect(problems).toEqual([])
    return Object.fromEntries(entries.map(({ name, value }) => [name, value]))
  }
  /** What is in force in all places, which must agree. */
  const settled = async (daemon: Daemon): Promise<Record<string, string>> => {
    const { body } = await daemon.ask<{ settings: { name: string; value: string }[] }>('GET', '/v1/config')
    const shown = Object.fromEntries(body.settings.map(({ name, value }) => [name, value]))
    const file = fileOf(daemon)
    const [{ shared_buffers: buffers } = {}] = await daemon.query('SHOW shared_buffers')
    const [{ work_mem: memory } = {}] = await daemon.query('SHOW work_mem')
    const found = {
      CSRF_TRUSTED_ORIGINS: (await daemon.inMathesar('CSRF_TRUSTED_ORIGINS'))!,
      EMBEDDED_POSTGRES_SHARED_BUFFERS: buffers!.replace('MB', ''),
      EMBEDDED_POSTGRES_WORK_MEM: memory!.replace('MB', ''),
    }
    expect(file).toMatchObject(found)
    expect(shown).toMatchObject(found)
    const history = JSON.parse(readFileSync(join(volume, 'data/history/history.json'), 'utf8')) as History
    expect(history.at(-1)).toMatchObject({
      result: 'applied',
      version: (await daemon.ask<{ version: string }>('GET', '/v1/config')).body.version,
    })
    return found
  }

  test('by kill -9 at each step and at any time leaves the old settings or the new ones, whole', async () => {
    const outcomes: string[] = []
    let daemon = await start()
    expect(
      (await daemon.run(['config', 'set', ...Object.entries(wish(0)).map((pair) => pair.join('='))])).code,
    ).toBe(0)
    let before = await settled(daemon)
    const cuts: (readonly [string | undefined, number])[] = [
      ...steps.map((step) => [step, 0] as const),
      ...[120, 300, 450, 600, 800].map((ms) => [undefined, ms * (0.7 + 0.6 * Math.random())] as const),
      ['proving the new generation', 60],
    ]
    for (const [index, [step, afterMs]] of cuts.entries()) {
      const round = index + 1
      const kill = (): void => void daemon.signal('SIGKILL')
      const followed = daemon.follow({ set: wish(round) }, (said) => {
        if (said === step) setTimeout(kill, afterMs)
      })
      if (step === undefined) setTimeout(kill, afterMs)
      await daemon.exited
      const { result } = await followed
      daemon = await start()
      const after = await settled(daemon)
      const isNew = after.CSRF_TRUSTED_ORIGINS === wish(round).CSRF_TRUSTED_ORIGINS
      expect(after, `killed ${step === undefined ? '' : `at "${step}", `}after ${afterMs} ms`).toEqual(
        isNew ? wish(round) : before,
      )
      if (result) expect(isNew).toBe(true) // What was told to be in force is so.
      outcomes.push(`${step ?? 'at'} +${Math.round(afterMs)} ms: ${isNew ? 'new' : 'old'}`)
      before = after
    }
    console.log(`killed: ${outcomes.join('; ')}`)
  })

  test('by kill -9 while it goes back has left the old settings', async () => {
    let daemon = await start()
    expect(
      (await daemon.run(['config', 'set', ...Object.entries(wish(0)).map((pair) => pair.join('='))])).code,
    ).toBe(0)
    const before = await settled(daemon)
    void daemon.follow({ set: { ...wish(1), GUNICORN_CMD_ARGS: '--nonsense' } }, (step) => {
      if (step === 'going back') daemon.signal('SIGKILL')
    })
    await daemon.exited
    daemon = await start()
    expect(await settled(daemon)).toEqual(before)
  })

  test('by SIGTERM at each step is a clean stop: exit code 0, nothing left running', async () => {
    for (const [round, step] of [...steps, 'going back'].entries()) {
      const daemon = await start()
      const before = fileOf(daemon)
      const set = {
        ...wish(round + 1),
        ...(step === 'going back' ? { GUNICORN_CMD_ARGS: '--nonsense' } : {}),
      }
      void daemon.follow({ set }, (said) => {
        if (said === step) daemon.signal('SIGTERM')
      })
      expect(await daemon.exited, `at "${step}":\n${daemon.output}`).toEqual({ code: 0, signal: null })
      expect(daemon.output).not.toMatch(/INTERNAL|Unhandled/)
      expect(clusterState(volume)).toBe('shut down')
      await delay(100) // The kernel has to tell everybody of the end first.
      expect(
        await until('nothing to be left', () => processesOn(volume).length === 0 || undefined, 2000).catch(
          () => processesOn(volume),
        ),
      ).toBe(true)
      const after = fileOf(daemon)
      expect([before, { ...before, ...set }]).toContainEqual(after)
    }
    await start()
  })

  test('by SIGTERM just after the file was saved is not lost: the next boot has it', async () => {
    for (const [round, afterMs] of [0, 60, 120, 250, 500, 900].entries()) {
      const daemon = await start()
      const others = readFileSync(daemon.file, 'utf8').replace(/^CSRF_TRUSTED_ORIGINS=.*\n/gm, '')
      writeFileSync(daemon.file, `${others}CSRF_TRUSTED_ORIGINS=https://saved-${round}.example\n`)
      await delay(afterMs)
      daemon.signal('SIGTERM')
      expect(await daemon.exited, daemon.output).toEqual({ code: 0, signal: null })
      expect(fileOf(daemon)).toMatchObject({ CSRF_TRUSTED_ORIGINS: `https://saved-${round}.example` })
      const next = await start()
      expect(await next.inMathesar('CSRF_TRUSTED_ORIGINS')).toBe(`https://saved-${round}.example`)
      await next.end()
    }
  })
})

import { describe, expect, test } from 'vitest'
import type { Problem } from '../../src/core/status.ts'
import { Notifier } from '../../src/daemon/notifier.ts'
import { messageFor, whyNotNotifyUrl } from '../../src/settings/notify-url.ts'
import { createFakeSystem } from './fakes/system.ts'
import { settle } from './fakes/clock.ts'
import { errorWith } from './fakes/files.ts'

const full: Problem = {
  unit: 'supervisor',
  code: 'VOLUME_FULL',
  message: 'the volume is full',
  hint: 'Free some.',
}
const unready: Problem = { unit: 'mathesar', code: null, message: 'is unready', hint: null }

const stage = (target = 'https://hooks.example/secret') => {
  const fake = createFakeSystem()
  const at = { problems: [] as Problem[], read: (): Problem[] => at.problems }
  const notifier = new Notifier({
    system: fake.system,
    target: () => target || undefined,
    problems: () => at.read(),
    address: () => 'http://localhost:8000',
  })
  notifier.start()
  return {
    ...fake,
    notifier,
    at,
    told: () => fake.sent.map(({ body }) => JSON.parse(body) as { code: string }),
  }
}

describe('somebody is told', () => {
  test('later where nobody can say just now what is wrong: that ends nothing', async () => {
    const { notifier, at, clock, told, failures } = stage()
    at.read = () => {
      throw errorWith('EIO')
    }
    await clock.advance(30_000)
    expect(failures).toHaveLength(1)
    at.read = () => [full]
    await clock.advance(30_000)
    expect(told()).toHaveLength(1)
    at.read = () => {
      throw errorWith('EIO')
    }
    await notifier.stop()
    expect(clock.armed).toBe(0)
  })

  test('of a problem with a code, once until it is cured', async () => {
    const { notifier, at, clock, told } = stage()
    at.problems = [unready, full]
    notifier.pollSoon()
    await clock.advance(300_000)
    expect(told()).toEqual([
      {
        text: 'Mathesar: the volume is full\nFree some.',
        content: 'Mathesar: the volume is full\nFree some.',
        ...full,
        url: 'http://localhost:8000',
        at: '2026-10-01T12:00:00.500Z',
      },
    ])
    at.problems = []
    await clock.advance(400_000)
    at.problems = [full]
    await clock.advance(40_000)
    expect(told()).toHaveLength(2)
  })

  test('again after ten minutes, though the clock was set back', async () => {
    const { notifier, clock, told } = stage()
    notifier.notify(full)
    clock.jump(-24 * 3_600_000)
    await clock.advance(600_000)
    notifier.notify(full)
    await clock.advance(0)
    expect(told()).toHaveLength(2)
  })

  test('no more often than every ten minutes of what comes and goes', async () => {
    const { at, clock, told } = stage()
    for (let minute = 0; minute < 30; minute++) {
      at.problems = minute % 2 === 0 ? [full] : []
      await clock.advance(60_000)
    }
    expect(told()).toHaveLength(3)
  })

  test('at the end, of what ended it, and the end waits two seconds at most', async () => {
    const { notifier, at, clock, replies, sent } = stage()
    replies.send = () => new Promise(() => {})
    at.problems = [{ ...full, code: 'SERVICE_CRASH_LOOP', message: 'postgres died\n  a line of its log' }]
    let isOver = false
    void notifier.stop().then(() => {
      isOver = true
    })
    await clock.advance(1999)
    expect([sent.length, isOver]).toEqual([1, false])
    expect(sent[0]!.body).not.toContain('a line of its log')
    await clock.advance(1)
    expect([isOver, clock.armed]).toEqual([true, 0])
  })

  test('again and again for a while where it fails, and not where it is refused', async () => {
    const { notifier, clock, replies, sent, said } = stage()
    replies.send = async () => 503
    notifier.notify(full)
    await clock.advance(60_000)
    expect(sent.length).toBeGreaterThan(2)
    expect(said).toEqual(['warn cannot tell NOTIFY_URL of a problem: it answers 503'])
    const before = sent.length
    replies.send = async () => 404
    notifier.notify({ ...full, code: 'CONFIG_ROLLED_BACK' })
    await clock.advance(60_000)
    expect([sent.length - before, said.at(-1)]).toEqual([
      1,
      'warn cannot tell NOTIFY_URL of a problem: it answers 404',
    ])
  })

  test('of twenty at a time and no more, however many there are', async () => {
    const { notifier, replies, sent, clock } = stage()
    const { promise, resolve } = Promise.withResolvers<number>()
    replies.send = () => promise
    for (let index = 0; index < 100; index++) notifier.notify({ ...full, code: `X${index}` })
    resolve(200)
    await settle()
    await clock.advance(0)
    expect(sent).toHaveLength(21)
  })

  test('never of a secret', async () => {
    const { notifier, system, sent } = stage()
    system.log.addSecret('hunter2hunter2')
    notifier.notify({ ...full, message: 'cannot connect with hunter2hunter2' })
    await settle()
    expect(sent[0]!.body).not.toContain('hunter2')
  })

  test('by nobody where nobody is named', async () => {
    const { notifier, at, clock, sent } = stage('')
    at.problems = [full]
    notifier.pollSoon()
    await clock.advance(100_000)
    expect([notifier.notify(full), sent]).toEqual([false, []])
  })
})

describe('NOTIFY_URL', () => {
  const notice = {
    unit: 'supervisor',
    code: 'VOLUME_FULL',
    message: 'the volume is full',
    hint: 'Free some.',
    url: 'http://localhost:8000',
    at: '2026-10-01T12:00:00.000Z',
  }

  test.each([
    ['ntfy://ntfy.sh/my-topic', 'POST https://ntfy.sh/my-topic', undefined],
    ['ntfy+http://:tk_abc@10.0.0.2:8080/topic', 'POST http://10.0.0.2:8080/topic', 'Bearer tk_abc'],
    [
      'ntfy://joe:p%40ss@ntfy.sh/t',
      'POST https://ntfy.sh/t',
      `Basic ${Buffer.from('joe:p@ss').toString('base64')}`,
    ],
    [
      'ntfy://jö:p%3A%C3%A4@ntfy.sh/t',
      'POST https://ntfy.sh/t',
      `Basic ${Buffer.from('jö:p:ä').toString('base64')}`,
    ],
    ['ping+https://hc-ping.com/uuid/fail', 'GET https://hc-ping.com/uuid/fail', undefined],
    ['https://hooks.example/a?token=b', 'POST https://hooks.example/a?token=b', undefined],
    ['http://10.0.0.2/hook', 'POST http://10.0.0.2/hook', undefined],
  ])('%s is asked by %s', (target, request, authorization) => {
    expect(whyNotNotifyUrl(target)).toBeUndefined()
    const { method, url, headers } = messageFor(target, notice)
    expect([`${method} ${url}`, headers.authorization]).toEqual([request, authorization])
  })

  test.each([
    'hooks.example',
    'ftp://x/y',
    'ntfy://ntfy.sh',
    'ntfy://ntfy.sh/a/b',
    'https://',
    'https://a b',
    'https://me:50%off@hooks.example/x',
    'https://:%ff@hooks.example/x',
    'https://:t%C3%B6ken@hooks.example/x',
    'https://:a%0Ab@hooks.example/x',
  ])('%j is none, and is not repeated', (text) => {
    expect(whyNotNotifyUrl(text)).toMatch(/^the value /)
  })
})

import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SupervisorError } from '../../../src/errors.ts'
import type { Entrance } from '../../../src/http/console/entrance.ts'
import type { RestoreWork } from '../../../src/http/door/restore.ts'
import type { Access } from '../../../src/http/exchange.ts'
import type { Parts } from '../../../src/http/parts.ts'
import { type ControlServer, listen } from '../../../src/http/server.ts'
import type { ConsolePlace } from '../../../src/settings/console.ts'
import type { Proposal } from '../../../src/settings/proposal.ts'
import { askSocket } from '../../helpers/socket.ts'
import { filesOf } from '../configurations.ts'
import { createEntrance, createParts, current } from './parts.ts'

const root = '/supervisor/console'
const older = '0123456789ab'
const planned = 'eeeeeeeeeeee'
const host = 'nas.local'
const page = { accept: 'text/html', host }
const form = { ...page, origin: 'http://nas.local' }
const script = { accept: 'application/json', host, origin: 'http://nas.local' }

describe('the console', () => {
  let folder: string
  let servers: ControlServer[]
  let place: ConsolePlace
  let entrance: Entrance
  let proposals: Proposal[]
  let begun: number
  let undone: number
  let lines: readonly string[]
  let log: (unit: string, text: string) => void
  let refuse: SupervisorError | undefined
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'console-'))
    servers = []
    place = 'on'
    proposals = []
    begun = 0
    undone = 0
    lines = [
      '2026-11-26T12:00:00.000Z warn  mathesar   <b>bold</b>\n',
      '2026-11-26T12:00:01.000Z info  door       x\n',
    ]
    refuse = undefined
    entrance = createEntrance(() => place)
  })
  afterEach(() => {
    for (const server of servers) server.close()
    rmSync(folder, { recursive: true })
  })

  const partsOf = (): Partial<Parts> => {
    const { config, log: plain, restoring } = createParts()
    return {
      entrance,
      config: {
        ...config,
        store: {
          readHistory: () => [
            {
              at: '2026-01-01T00:00:00.000Z',
              from: 'file',
              version: older,
              result: 'applied',
              changes: [],
              why: null,
            },
          ],
          revision: (version) => (version === older ? { version, files: filesOf('') } : undefined),
        },
        changes: {
          ...config.changes,
          propose: async (proposal) => {
            if (refuse) throw refuse
            proposals.push(proposal)
            const result = proposal.isDryRun ? 'planned' : 'applied'
            return {
              result,
              version: planned,
              changes: [{ name: 'DEBUG', action: 'generation' }],
              warnings: [],
            }
          },
        },
      },
      log: {
        ...plain,
        tail: (unit) => lines.filter((line) => unit === undefined || line.includes(unit)),
        follow: (follower) => {
          log = follower
          follower('mathesar', '2026-11-26T12:00:02.000Z error mathesar   late\n')
          follower('door', '2026-11-26T12:00:02.000Z info  door       other\n')
          return () => {}
        },
      },
      archives: { list: async () => [], begin: () => void begun++, work: undefined },
      restoring: {
        ...restoring,
        get work(): RestoreWork {
          return undone > 0 ? { is: 'under way', bytes: undefined } : undefined
        },
        undo: () => void undone++,
      },
    }
  }
  const open = async (access: Access = 'visitor') => {
    const path = join(folder, `${access}.sock`)
    servers.push(await listen({ path, mode: 0o600 }, createParts(partsOf()), access))
    return (method: string, target: string, body?: unknown, headers?: Readonly<Record<string, string>>) =>
      askSocket(path, method, target, body, headers)
  }
  const enter = async () => {
    const ask = await open()
    const { status, headers } = await ask('POST', root, 'code=cccc-cccc', form)
    expect([status, headers.location]).toEqual([303, root])
    const cookie = headers['set-cookie']![0]!.split(';')[0]!
    return (method: string, target: string, body?: unknown, more: Readonly<Record<string, string>> = form) =>
      ask(method, target, body, { cookie, ...more })
  }

  const parts = ['', '/settings', '/history', '/log', '/backups', '/events', '/log/events', '/x', '/leave']

  test('shows and does nothing without the code', async () => {
    const ask = await open()
    const forged = `mathesar_console_owner=${Date.now() + 1e6}.${'A'.repeat(43)}`
    for (const part of parts)
      for (const headers of [form, { ...form, cookie: forged }, script]) {
        const got = await ask('GET', `${root}${part}`, undefined, headers)
        expect([part, got.status, got.headers['set-cookie']]).toEqual([part, 403, undefined])
        expect(got.text).not.toMatch(/ALLOWED_HOSTS|mathesar\.env|postgres|cccc/)
        if (part === '') continue
        const sent = await ask('POST', `${root}${part}`, 'DEBUG=true&rollback=previous', headers)
        expect([part, sent.status]).toEqual([part, 403])
      }
    expect([proposals, begun, entrance.isOpen]).toEqual([[], 0, true])
  })

  test('slows wrong codes down, and takes the key of the link meanwhile', async () => {
    const ask = await open()
    const statuses = []
    for (let tries = 0; tries < 12; tries++)
      statuses.push((await ask('POST', root, `code=${tries}`, form)).status)
    expect(statuses).toEqual([...Array<number>(10).fill(403), 429, 429])
    const unheard = await ask('POST', root, 'code=cccc-cccc', form)
    expect([unheard.status, unheard.headers['retry-after']]).toEqual([429, '2'])
    expect((await ask('POST', root, `code=${'c'.repeat(26)}`, form)).status).toBe(303)
  })

  test('takes what pages of its own address send, and nothing of other pages', async () => {
    const ask = await enter()
    for (const more of [
      { ...page, origin: 'http://evil.example' },
      { ...page, origin: 'http://nas.local:9000' },
      { ...page, origin: 'null' },
      { ...form, 'sec-fetch-site': 'cross-site' },
      { ...form, 'sec-fetch-site': 'same-site' },
      page,
    ])
      for (const part of ['', '/settings', '/history', '/backups', '/leave'])
        expect((await ask('POST', `${root}${part}`, 'code=cccc-cccc&DEBUG=false', more)).status).toBe(403)
    expect([proposals, begun]).toEqual([[], 0])
    expect((await ask('GET', root)).status).toBe(200)
  })

  test('is not there by a name that is not permitted, with or without a session', async () => {
    const ask = await enter()
    for (const evil of ['evil.example', 'nas.local.evil.example:8000', 'nas.local%20']) {
      const foreign = { ...form, host: evil, origin: `http://${evil}` }
      expect((await ask('GET', root, undefined, foreign)).status).toBe(400)
      expect((await ask('POST', `${root}/settings`, 'DEBUG=false', foreign)).status).toBe(400)
    }
    expect(proposals).toEqual([])
  })

  test('is on one port: that of Mathesar, or its own', async () => {
    const [main, own] = [await open(), await open('console')]
    const statuses = async () => [
      (await main('GET', root, undefined, page)).status,
      (await own('GET', root, undefined, page)).status,
    ]
    expect(await statuses()).toEqual([403, 404])
    place = { host: '0.0.0.0', port: 9000 }
    expect(await statuses()).toEqual([404, 403])
    place = 'off'
    expect(await statuses()).toEqual([404, 404])
    for (const accept of ['text/html', '*/*'])
      expect((await main('GET', root, undefined, { ...page, accept })).headers).toMatchObject({
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      })
    entrance.open()
    expect(await statuses()).toEqual([403, 404])
    expect((await own('GET', '/', undefined, page)).headers.location).toBe(root)
    for (const path of ['/x', '/livez', '/metrics', '/v1/config', '/supervisor/fix'])
      expect((await own('GET', path, undefined, page)).status).toBe(404)
  })

  test('lets nothing run but its own script, be framed or kept', async () => {
    const ask = await enter()
    for (const part of ['', '/settings', '/history', '/log', '/backups']) {
      const { status, headers, text } = await ask('GET', `${root}${part}`)
      expect([part, status, headers['cache-control']]).toEqual([part, 200, 'no-store'])
      const policy = headers['content-security-policy']
      expect(policy).toMatch(/^default-src 'none'; script-src 'sha256-[^']+'; style-src( 'sha256-[^']+'){2};/)
      expect(policy).toMatch(/; frame-ancestors 'none'$/)
      expect(text).not.toMatch(/ style=| on\w+=|hunter2|<b>bold/)
      // Whoever looks at it stays in.
      expect(headers['set-cookie']).toEqual([expect.stringContaining('mathesar_console_owner=')])
    }
  })

  test('plans a change of the settings, and brings into force what was shown, not another one', async () => {
    const ask = await enter()
    const fields = { base: current.version, DEBUG: 'false', SSO_CONFIG_DICT: '', CONSOLE: 'off' }
    const send = (more: Readonly<Record<string, string>>, headers = script) =>
      ask('POST', `${root}/settings`, new URLSearchParams({ ...fields, ...more }).toString(), headers)
    const { status, text } = await send({})
    expect([status, text.includes('a new generation of Mathesar')]).toEqual([200, true])
    const set = { from: 'page', kind: 'set', base: current.version, set: { DEBUG: 'false' } }
    expect(proposals).toEqual([{ ...set, isDryRun: true }])
    expect((await send({ apply: 'another' })).text).toContain('another change than the one')
    expect(proposals.filter(({ isDryRun }) => !isDryRun)).toEqual([])
    expect(JSON.parse((await send({ apply: planned })).text)).toEqual({
      location: `${root}/settings?version=${planned}`,
    })
    expect(proposals.at(-1)).toEqual(set)
    const plain = await send({ apply: planned }, form)
    expect([plain.status, plain.headers.location]).toEqual([303, `${root}/settings?version=${planned}`])
    await send({ 'remove:SSO_CONFIG_DICT': 'on' })
    expect(proposals.at(-1)).toMatchObject({ set: { DEBUG: 'false', SSO_CONFIG_DICT: null } })
    refuse = new SupervisorError('CONFIG_CONFLICT', 'cannot <change> it')
    const refused = await send({ PUBLIC_URL: '"><script>' }, form)
    expect(refused.status).toBe(422)
    expect(refused.text).toContain('cannot &lt;change&gt; it')
    expect(refused.text).toContain('value="&quot;&gt;&lt;script&gt;"')
  })

  test('goes back to a version of the history, after its plan', async () => {
    const ask = await enter()
    const { text } = await ask('POST', `${root}/history`, `rollback=${older}`, script)
    expect((JSON.parse(text) as { html: string }).html).toContain(`name="rollback" value="${older}"`)
    await ask('POST', `${root}/history`, `rollback=${older}&apply=${planned}`, script)
    expect(proposals.map(({ kind, from, isDryRun }) => [kind, from, isDryRun])).toEqual([
      ['restore', 'rollback', true],
      ['restore', 'rollback', true],
      ['restore', 'rollback', undefined],
    ])
    for (const rollback of ['ffffffffffff', '../../secrets/secret_key', ''])
      expect(
        (await ask('POST', `${root}/history`, new URLSearchParams({ rollback }).toString())).status,
      ).toBe(422)
  })

  /** What comes of a stream until either side ends it. */
  const follow = async (part: string, hear: (all: string, leave: () => void) => void): Promise<string> => {
    const ask = await enter()
    const { headers } = await ask('POST', root, `code=${'c'.repeat(26)}`)
    const cookie = headers['set-cookie']![0]!.split(';')[0]!
    return await new Promise<string>((resolve, reject) => {
      const sent = request({
        socketPath: join(folder, 'visitor.sock'),
        path: `${root}${part}`,
        headers: { ...page, cookie },
      })
      sent.once('error', reject).once('response', (response) => {
        let all = ''
        response
          .setEncoding('utf8')
          .once('close', () => resolve(all))
          .on('error', () => {})
          .on('data', (more: string) => {
            all += more
            hear(all, () => sent.destroy())
          })
      })
      sent.end()
    })
  }

  test('shows the log of all units or one, with what is looked for, as text', async () => {
    const ask = await enter()
    const shown = async (query: string) => (await ask('GET', `${root}/log${query}`)).text
    expect(await shown('')).toContain(
      '<span class="line warn">2026-11-26T12:00:00.000Z warn  mathesar   &lt;b&gt;',
    )
    expect(await shown('?unit=mathesar')).not.toContain('door       x')
    expect(await shown('?find=BOLD')).not.toContain('door       x')
    expect(await shown('?unit=%3Cscript%3E&find=%22%3E%3Cscript%3E')).not.toContain('"><script>')
  })

  test('follows the log from its last lines on', async () => {
    const text = await follow('/log/events?unit=mathesar', (all, leave) => {
      if (all.includes('late')) leave()
    })
    const messages = text.split('\n\n').filter(Boolean)
    expect(messages.map((each) => each.match(/class=\\"line (\w+)/)?.[1])).toEqual(['warn', 'error'])
  })

  test('tells those who were logged out nothing more, though their stream is open', async () => {
    const text = await follow('/log/events', (all) => {
      if (!all.includes('late')) return
      entrance.close()
      log('mathesar', '2026-11-26T12:00:03.000Z info  mathesar   not for them\n')
    })
    expect(text).not.toContain('not for them')
  })

  test('begins a backup when it is asked to by a form', async () => {
    const ask = await enter()
    expect((await ask('GET', `${root}/backups`)).status).toBe(200)
    expect(begun).toBe(0)
    expect((await ask('POST', `${root}/backups`, '')).headers.location).toBe(`${root}/backups`)
    expect(begun).toBe(1)
  })

  test('goes back to the state from before a restore once, though the button is pressed twice', async () => {
    const ask = await enter()
    for (let presses = 0; presses < 2; presses++)
      expect((await ask('POST', `${root}/backups`, 'act=undo')).headers.location).toBe(`${root}/backups`)
    expect(undone).toBe(1)
  })

  test('takes no body longer than the door lets through, of strangers no longer than a code', async () => {
    const ask = await enter()
    const stranger = { ...form, cookie: '' }
    expect((await ask('POST', root, 'x'.repeat(17_000), stranger)).status).toBe(422)
    expect((await ask('POST', `${root}/settings`, 'x'.repeat(60_000))).status).toBe(200)
    expect((await ask('POST', `${root}/settings`, 'x'.repeat(66_000))).status).toBe(422)
  })
})

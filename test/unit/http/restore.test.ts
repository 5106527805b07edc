import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ControlServer, listen } from '../../../src/http/server.ts'
import { askSocket } from '../../helpers/socket.ts'
import type { RestoreWish, RestoreWork } from '../../../src/http/door/restore.ts'
import { createParts, createSignIn } from './parts.ts'

const path = '/supervisor/restore'
const form = { accept: 'text/html', host: 'nas.local', origin: 'http://nas.local' }
const script = { ...form, accept: 'application/json' }

describe('a restore in the browser', () => {
  let folder: string
  let server: ControlServer
  let signIn: ReturnType<typeof createSignIn>
  let did: string[]
  let keptSince: string | undefined
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'restore-'))
    signIn = createSignIn()
    did = []
    keptSince = undefined
    const restoring = {
      work: undefined as RestoreWork,
      begin({ passphrase, mayForget }: RestoreWish) {
        did.push(`begins ${passphrase ?? 'without'}${mayForget ? ', forgets' : ''}`)
        this.work = { is: 'under way', bytes: 1024 * 1024 }
      },
      fetch(name: string, { passphrase = 'without', mayForget }: RestoreWish) {
        did.push(`fetches ${name} ${passphrase}${mayForget ? ', forgets' : ''}`)
        this.work = { is: 'under way', bytes: undefined }
      },
      take: async (at: number, bytes: Buffer) => void did.push(`takes ${bytes.length} at ${at}`),
      end: () => void did.push('ends'),
      undo: () => void did.push('goes back'),
      keptSince: () => keptSince,
    }
    const archive = {
      name: 'a.tar',
      bytes: 2 * 1024 * 1024,
      needs: [],
      needsBytes: 0,
      at: '2026-11-01T03:00:00.000Z',
      kind: 'exact' as const,
      mathesar: '0.11.0',
      postgres: '17.5',
      isEncrypted: false,
      hasSecrets: true,
      problem: null,
    }
    const unread = { ...archive, name: 'b.tar', at: null, mathesar: null, problem: 'cut off' }
    const archives = {
      list: async () => [
        { ...archive, place: 'volume' },
        { ...archive, place: 's3://b/<p>' },
        { ...unread, place: 'volume' },
      ],
      begin: () => {},
      work: undefined,
    }
    const target = { path: join(folder, 's.sock'), mode: 0o600 }
    server = await listen(
      target,
      createParts({ setup: { ...createParts().setup, signIn }, restoring, archives }),
      'visitor',
    )
  })
  afterEach(() => {
    server.close()
    rmSync(folder, { recursive: true })
  })
  const ask = (
    method: string,
    target: string,
    body?: string,
    headers: Readonly<Record<string, string>> = form,
  ) => askSocket(join(folder, 's.sock'), method, target, body, headers)
  const enter = async (): Promise<string> => {
    const { status, headers } = await ask('POST', path, 'code=kkkk-kkkk')
    expect([status, headers.location]).toEqual([303, path])
    return headers['set-cookie']!.map((each) => each.split(';')[0]!).join('; ')
  }

  test('asks for the setup code, and does nothing without it', async () => {
    expect((await ask('GET', path)).text).toContain('<form method="post" action="/supervisor/restore">')
    expect((await ask('POST', path, 'code=wrong')).status).toBe(403)
    for (const body of ['act=begin', 'act=end', 'act=undo'])
      expect((await ask('POST', path, body, script)).status).toBe(403)
    expect((await ask('POST', `${path}/part?at=0`, 'x', script)).status).toBe(403)
    expect((await ask('GET', `${path}?work`, undefined, script)).status).toBe(403)
    expect(did).toEqual([])
  })

  test('takes an archive in parts from a page of its own, of who gave the code', async () => {
    const cookie = await enter()
    expect((await ask('GET', path, undefined, { ...form, cookie })).text).toContain('type="file"')
    const foreign = { ...script, cookie, origin: 'http://evil.example' }
    expect((await ask('POST', path, 'act=begin', foreign)).status).toBe(403)
    expect((await ask('POST', `${path}/part?at=0`, 'x', foreign)).status).toBe(403)
    expect(did).toEqual([])
    const mine = { ...script, cookie }
    expect(
      JSON.parse((await ask('POST', path, 'act=begin&passphrase=open+sesame', mine)).text),
    ).toMatchObject({
      is: 'under way',
      html: expect.stringContaining('1.0 MiB') as string,
    })
    await ask('POST', `${path}/part?at=0`, 'x'.repeat(1000), mine)
    await ask('POST', `${path}/part?at=1000`, 'x', mine)
    await ask('POST', path, 'act=end', mine)
    expect(did).toEqual(['begins open sesame', 'takes 1000 at 0', 'takes 1 at 1000', 'ends'])
    for (const at of ['', '-1', '1e3', '0x5', '9'.repeat(20)])
      expect((await ask('POST', `${path}/part?at=${at}`, 'x', mine)).status).toBeGreaterThanOrEqual(400)
    expect((await ask('POST', `${path}/part?at=0`, 'x'.repeat(600_000), mine)).status).toBe(422)
    expect(did).toHaveLength(4)
  })

  test('begins once, though the button is pressed twice', async () => {
    const cookie = await enter()
    for (let presses = 0; presses < 2; presses++) {
      const { status, headers } = await ask('POST', path, 'act=fetch&archive=a.tar', { ...form, cookie })
      expect([status, headers.location]).toEqual([303, path])
    }
    expect(did).toEqual(['fetches a.tar without'])
  })

  test('offers what the places of backups have, each archive once', async () => {
    const cookie = await enter()
    const { text } = await ask('GET', path, undefined, { ...form, cookie })
    expect(/<select.*<\/select>/.exec(text)?.[0].match(/<option.*?<\/option>/g)).toEqual([
      '<option value="a.tar">2026-11-01 03:00 UTC · Mathesar 0.11.0 · 2.0 MiB · ' +
        'volume, s3://b/&lt;p&gt;</option>',
    ])
    await ask('POST', path, 'act=fetch&archive=a.tar&passphrase=sesame', { ...form, cookie })
    expect(did).toEqual(['fetches a.tar sesame'])
  })

  test('asks whether a state may go that is kept, says since when, and forgets none by itself', async () => {
    const cookie = await enter()
    const read = async (): Promise<string> => (await ask('GET', path, undefined, { ...form, cookie })).text
    expect(await read()).not.toContain('name="forget"')
    keptSince = '2026-11-28T10:15:30.000Z'
    const text = await read()
    expect(text.match(/name="forget" value="yes" required>/g)).toHaveLength(2)
    expect(text).toContain('Remove what is kept since 2026-11-28 10:15 UTC')
    const mine = { ...script, cookie }
    for (const said of ['', '&forget=', '&forget=yes']) {
      await ask('POST', path, `act=begin${said}`, mine)
      await ask('POST', path, `act=fetch&archive=a.tar${said}`, mine)
    }
    expect(did.slice(0, -2).join()).not.toContain('forgets')
    expect(did.slice(-2)).toEqual(['begins without, forgets', 'fetches a.tar without, forgets'])
  })

  test('is over once there is an administrator, also for who gave the code before', async () => {
    const cookie = await enter()
    signIn.setOpen(false)
    expect((await ask('POST', path, 'act=undo', { ...form, cookie })).status).toBe(403)
    expect((await ask('GET', path)).text).toContain('docker exec -i mathesar supervisor restore')
    expect(did).toEqual([])
  })
})

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { get, request } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { Agent, request as requestSecurely } from 'node:https'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, type PeerCertificate } from 'node:tls'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Pair } from '../../src/settings/certificate.ts'
import { type Box, cleanUp, describeContainer, start, until } from '../helpers/docker.ts'
import { makePair } from '../helpers/pairs.ts'

type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

const ask = (box: Box, path: string, options: { readonly ca?: string; readonly plain?: boolean } = {}) =>
  new Promise<Answer>((resolve, reject) => {
    const { ca, plain = false } = options
    const to = { host: 'localhost', port: box.port, path, family: 4, agent: false as const }
    const sent = plain ? request(to) : requestSecurely({ ...to, ca, rejectUnauthorized: ca !== undefined })
    sent.once('error', reject).once('response', (response) => {
      let text = ''
      response
        .setEncoding('utf8')
        .on('data', (chunk: string) => {
          text += chunk
        })
        .once('error', reject)
        .once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
    })
    sent.end()
  })

const certificateOf = (box: Box): Promise<PeerCertificate> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: box.port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate())
      socket.destroy()
    }).once('error', reject)
  })
const nameOf = async (box: Box): Promise<string> => String((await certificateOf(box)).subject.CN)

/** Over HTTP/2, where a body needs no length. */
const sendBody = (box: Box, method: string, path: string, bytes: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const session = connectHttp2(`https://127.0.0.1:${box.port}`, { rejectUnauthorized: false }).once(
      'error',
      reject,
    )
    const stream = session.request({ ':method': method, ':path': path }, { endStream: false })
    stream.on('error', () => {}) // It may be reset behind the answer.
    stream.once('response', ({ ':status': status }) => {
      resolve(Number(status))
      session.destroy()
    })
    stream.end(Buffer.alloc(bytes))
  })

/** Clients that ask over new connections and over one that is kept; resolves with what went wrong. */
const startClients = (box: Box) => {
  const failures: string[] = []
  let requests = 0
  let isOver = false
  const work = async (agent: Agent | false): Promise<void> => {
    while (!isOver) {
      const why = await new Promise<string | undefined>((resolve) => {
        const to = {
          host: '127.0.0.1',
          port: box.port,
          path: '/auth/login/',
          agent,
          rejectUnauthorized: false,
        }
        const sent = requestSecurely(to, (response) => {
          const { statusCode } = response
          response.resume().once('close', () => resolve(statusCode === 302 ? undefined : `${statusCode}`))
        })
        // A kept connection may end while it is idle: whoever uses it asks again, as browsers do.
        sent.once('error', (error: NodeJS.ErrnoException) =>
          resolve(
            sent.reusedSocket && error.code === 'ECONNRESET' ? undefined : (error.code ?? error.message),
          ),
        )
        sent.end()
      })
      requests++
      if (why !== undefined) failures.push(why)
      await delay(10)
    }
  }
  const kept = new Agent({ keepAlive: true, maxSockets: 1 })
  const ended = Promise.all([work(false), work(false), work(kept)])
  return async () => {
    isOver = true
    await ended
    kept.destroy()
    return { failures, requests }
  }
}

describeContainer('TLS with a certificate of files', () => {
  const folder = mkdtempSync('/tmp/tls-')
  chmodSync(folder, 0o755)
  const put = (pair: Partial<Pair>): void => {
    for (const [name, text] of Object.entries(pair)) writeFileSync(join(folder, name), text, { mode: 0o600 })
  }
  let box: Box
  beforeAll(async () => {
    put(makePair({ name: 'one' }))
    box = await start({
      env: {
        TLS_CERTIFICATE: '/tls/certificate',
        TLS_KEY: '/tls/key',
        SAMPLE_APP_TEST: '1',
        ADMIN_SETUP: 'open', // Its form is a page of Mathesar's that sets a cookie.
      },
      run: ['--volume', `${folder}:/tls:ro`],
    })
    await box.ready()
  })
  afterAll(async () => {
    await cleanUp()
    rmSync(folder, { recursive: true })
  })

  it('serves https on the port, leads plain requests there, and is healthy both ways', async () => {
    expect(await nameOf(box)).toBe('one')
    const page = await ask(box, '/auth/login/')
    expect([page.status, page.headers['strict-transport-security']]).toEqual([302, undefined])
    const plain = await ask(box, '/notes/?a=1', { plain: true })
    expect([plain.status, plain.headers.location]).toEqual([307, `https://localhost:${box.port}/notes/?a=1`])
    for (const path of ['/livez', '/readyz', '/startupz', '/healthz/ready/'])
      for (const way of [{}, { plain: true }]) expect((await ask(box, path, way)).status, path).toBe(200)
    expect((await ask(box, '/supervisor/ca.crt')).status).toBe(404)
    expect((await box.supervisor('health')).exitCode).toBe(0)
    expect((await box.status()).url).toBe(`https://localhost:${box.port}`)
  })

  it('tells Mathesar that the request was secure, and has its cookies stay on https', async () => {
    const echo = JSON.parse((await ask(box, '/echo/')).text) as { readonly scheme: string }
    expect(echo.scheme).toBe('https')
    const form = await ask(box, '/complete_installation/')
    expect(String(form.headers['set-cookie'])).toMatch(/^csrftoken=.*; Secure/i)
  })

  it('takes a body without a length from those alone who may send it', async () => {
    const form = '/echo/?form_token=6f1ed002-ab59-5ab0-8a2c-1f7d1d2a3b4c'
    for (const [method, path, bytes, status] of [
      ['POST', '/echo/', 1e6, 200],
      ['POST', '/echo/', 20e6, 403],
      ['POST', form, 20e6, 200],
      ['GET', '/echo/', 20e6, 413],
      ['GET', form, 20e6, 413],
    ] as const)
      expect(await sendBody(box, method, path, bytes), `${method} ${path} ${bytes}`).toBe(status)
  })

  it('puts a renewed pair in force without a failed request; a bad one changes nothing', async () => {
    const stop = startClients(box)
    put(makePair({ name: 'two' }))
    await until('the new certificate', async () => (await nameOf(box)) === 'two', 40_000, 500)
    put({ key: makePair({ name: 'three' }).key })
    const problem = await until(
      'the problem',
      async () => (await box.status()).problems.find(({ code }) => code === 'TLS_INVALID'),
      40_000,
      500,
    )
    expect(problem.message).toBe(
      'cannot use TLS: TLS_KEY does not belong to TLS_CERTIFICATE; the one before stays in force',
    )
    expect(await nameOf(box)).toBe('two')
    put(makePair({ name: 'four' }))
    await until('the fourth certificate', async () => (await nameOf(box)) === 'four', 40_000, 500)
    await until('no problem', async () => (await box.status()).problems.length === 0)
    const { failures, requests } = await stop()
    expect([failures, requests > 200]).toEqual([[], true])
    expect((await box.unit('mathesar')).generation).toBe(1)
    expect((await box.unit('door')).restarts).toBe(0)
  })

  it('keeps the key from everybody but the door, and out of the log', async () => {
    const { stdout } = await box.sh('stat -c "%U %a" /run/mathesar/door/tls-*.key')
    expect(new Set(stdout.split('\n'))).toEqual(new Set(['door 400']))
    const script = 'cat /run/mathesar/door/tls-*'
    const seen = await box.exec(
      'setpriv',
      '--reuid=8000',
      '--regid=8000',
      '--clear-groups',
      'sh',
      '-c',
      script,
    )
    expect(seen.exitCode).not.toBe(0)
    expect(await box.logs()).not.toContain('PRIVATE KEY')
  })

  it('refuses TLS 1.1, and speaks HTTP/2', async () => {
    const speak = (options: object) =>
      new Promise<string>((resolve) => {
        const to = { host: '127.0.0.1', port: box.port, rejectUnauthorized: false, ...options }
        const socket = connect(to, () => {
          resolve(`${socket.getProtocol()} ${socket.alpnProtocol}`)
          socket.destroy()
        }).once('error', () => resolve('refused'))
      })
    const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }
    expect(await speak(old)).toBe('refused')
    expect(await speak({ maxVersion: 'TLSv1.2', ALPNProtocols: ['h2'] })).toBe('TLSv1.2 h2')
    expect(await speak({ ALPNProtocols: ['http/1.1'] })).toBe('TLSv1.3 http/1.1')
  })
})

describeContainer('TLS by an authority of its own', () => {
  let box: Box
  beforeAll(async () => {
    box = await start()
    await box.ready()
  })
  afterAll(cleanUp)

  const authority = async (): Promise<string> => (await box.supervisor('ca')).stdout

  it('is turned on and off by a command, without a new generation of Mathesar', async () => {
    expect((await box.supervisor('ca')).exitCode).not.toBe(0)
    expect((await ask(box, '/auth/login/', { plain: true })).status).toBe(302)
    expect(await box.supervisor('config', 'set', 'TLS=self-signed')).toMatchObject({ exitCode: 0 })
    const ca = await authority()
    expect((await ask(box, '/supervisor/ca.crt', { plain: true })).text.trim()).toBe(ca.trim())
    expect((await ask(box, '/auth/login/', { ca })).status).toBe(302)
    expect((await ask(box, '/auth/login/', { plain: true })).status).toBe(307)
    expect(await box.supervisor('config', 'set', 'TLS=off')).toMatchObject({ exitCode: 0 })
    expect((await ask(box, '/auth/login/', { plain: true })).status).toBe(302)
    expect((await box.unit('mathesar')).generation).toBe(1)
  })

  it('is for the names that are permitted, and the same authority after a restart', async () => {
    expect(await box.supervisor('config', 'set', 'TLS=self-signed')).toMatchObject({ exitCode: 0 })
    const [before, leaf] = [await authority(), (await certificateOf(box)).fingerprint256]
    await box.stop()
    await box.startAgain()
    await box.ready()
    expect([await authority(), (await certificateOf(box)).fingerprint256]).toEqual([before, leaf])
    expect(await box.supervisor('permit', '192.168.1.20')).toMatchObject({ exitCode: 0 })
    expect(await box.supervisor('permit', 'nas.example')).toMatchObject({ exitCode: 0 })
    const { subjectaltname } = await certificateOf(box)
    expect(subjectaltname).toContain('IP Address:192.168.1.20')
    expect(subjectaltname).toContain('DNS:nas.example')
    expect(await authority()).toBe(before)
  })

  it('serves on from a read-only root, as any user', async () => {
    const other = await start({
      env: { TLS: 'self-signed' },
      run: ['--user', '12345:0', '--read-only', '--cap-drop', 'ALL'],
    })
    await other.ready()
    const ca = (await other.supervisor('ca')).stdout
    expect((await ask(other, '/readyz', { ca })).status).toBe(200)
    expect((await other.sh('stat -c %a /run/mathesar/door/tls-*.key')).stdout).toBe('400')
  })

  it('does not start with a pair that is bad, and says what is wrong with it', async () => {
    const other = await start({ env: { TLS_CERTIFICATE: '/etc/hostname', TLS_KEY: '/etc/hostname' } })
    expect(await other.ended()).toBe(41)
    expect(await other.logs()).toContain('TLS_CERTIFICATE holds no certificate in PEM')
    expect(
      await new Promise((resolve) => get(other.url('/'), resolve).once('error', () => resolve('none'))),
    ).toBe('none')
  })
})

describeContainer('the log of the door', () => {
  afterAll(cleanUp)

  it('has a line for each request once that is wanted, without its query', async () => {
    const box = await start({ env: { LOG_FORMAT: 'json' } })
    await box.ready()
    await fetch(box.url('/auth/login/?before=1'))
    expect(await box.supervisor('config', 'set', 'ACCESS_LOG=on')).toMatchObject({ exitCode: 0 })
    await fetch(box.url('/auth/login/?token=very-secret&a=%0a'), { redirect: 'manual' })
    await fetch(box.url('/static/mathesar/icon.svg'))
    await fetch(box.url('/livez'))
    const requests = async () =>
      (await box.logs())
        .split('\n')
        .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : []))
        .filter(({ unit, path }) => unit === 'door' && path !== undefined)
    const seen = await until('both requests', async () => {
      const all = await requests()
      return all.length >= 2 && all
    })
    // Of two processes each logs what it has answered, in whatever order.
    const rows = seen.map(({ method, path, status, client }) => [method, path, status, client])
    expect(new Set(rows.map(String))).toEqual(
      new Set(['GET,/auth/login/,302,127.0.0.1', 'GET,/static/mathesar/icon.svg,200,127.0.0.1']),
    )
    expect((await fetch(box.url('/metrics'))).status).toBe(404)
    expect(await box.supervisor('config', 'set', 'METRICS=127.0.0.1')).toMatchObject({ exitCode: 0 })
    const metrics = await (await fetch(box.url('/metrics'))).text()
    expect(metrics).toContain('mathesar_service_state{service="mathesar",state="ready"} 1')
    expect(metrics).toContain('mathesar_changes_total{result="applied"} ')
    expect(await box.supervisor('config', 'set', 'METRICS=192.0.2.1')).toMatchObject({ exitCode: 0 })
    expect((await fetch(box.url('/metrics'))).status).toBe(403)
    expect(await box.logs()).not.toMatch(/very-secret|\[notice\]/)
    expect((await box.unit('mathesar')).generation).toBe(1)
  })
})

import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { type Box, cleanUp, cleanUpAfterEach, describeContainer, start, until } from '../helpers/docker.ts'
import { freePort } from '../helpers/port.ts'
import { failuresAfterFirst, poll } from '../helpers/poll.ts'

const page = { accept: 'text/html' }

/** Process ids in the container by the name of the program; the oldest first. */
const pidsOf = async (box: Box, name: string): Promise<readonly string[]> => {
  const script = `for p in /proc/[0-9]*; do [ "$(cat $p/comm 2>/dev/null)" = ${name} ] && echo $p; done || :`
  const { stdout } = await box.sh(script)
  return stdout
    .split('\n')
    .flatMap((path) => /\d+$/.exec(path) ?? [])
    .toSorted((one, other) => Number(one) - Number(other))
}

/** Milliseconds that a page takes: the median of some. */
const timePage = async (box: Box): Promise<number> => {
  const times: number[] = []
  for (let tries = 0; tries < 15; tries++) {
    const began = performance.now()
    await (await fetch(box.url('/auth/login/'), { redirect: 'manual' })).text()
    times.push(performance.now() - began)
  }
  return times.toSorted((one, other) => one - other)[7]!
}

const connectMany = async (port: number, count: number, first: string): Promise<readonly Socket[]> => {
  const sockets = Array.from({ length: count }, () => connect(port, '127.0.0.1').on('error', () => {}))
  onTestFinished(() => sockets.forEach((socket) => socket.destroy()))
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
  for (const socket of sockets) if (first !== '') socket.write(first)
  return sockets
}

/** The page of the log in, asked for by a name. */
const open = (box: Box, host: string, accept = 'text/html') =>
  new Promise<{ readonly status: number; readonly text: string }>((resolve, reject) => {
    const sent = request(box.url('/auth/login/'), { headers: { host, accept } }, (response) => {
      let text = ''
      response
        .setEncoding('utf8')
        .on('data', (chunk: string) => {
          text += chunk
        })
        .once('end', () => resolve({ status: response.statusCode!, text }))
    })
    sent.once('error', reject).end()
  })

describeContainer('from its first answer on, the port', () => {
  cleanUpAfterEach()

  it('answers every request of a boot, of a crash of Mathesar and of one of Postgres', async () => {
    const port = await freePort()
    const client = poll(port)
    const health = poll(port, { path: '/livez', everyMs: 5 })
    const box = await start({ env: { PORT: String(port), SAMPLE_APP_TEST: '1' } })
    await box.ready()
    for (const name of ['mathesar', 'postgres']) {
      await box.exec('kill', '-9', String((await box.unit(name)).pid))
      await delay(500)
      await box.ready()
    }
    const lives = await health.stop()
    expect(failuresAfterFirst(lives)).toEqual([])
    expect(lives.filter(({ outcome }) => typeof outcome === 'number' && outcome !== 200)).toEqual([])
    const outcomes = await client.stop()
    expect(failuresAfterFirst(outcomes)).toEqual([])
    const statuses = new Set(outcomes.map(({ outcome }) => outcome))
    expect(statuses).toContain(503)
    expect(statuses).toContain(302)
  })

  it('refuses no connection when its web server is killed, and answers again at once', async () => {
    const box = await start()
    await box.ready()
    const client = poll(box.port)
    for (let kills = 1; kills <= 3; kills++) {
      await box.exec('kill', '-9', String((await box.unit('door')).pid))
      await until('the door is back', async () => (await box.unit('door')).restarts === kills)
    }
    const outcomes = await client.stop()
    const failed = outcomes.filter(({ outcome }) => typeof outcome === 'string')
    // What it had accepted ends with it.
    expect(failed.filter(({ outcome }) => outcome !== 'ECONNRESET')).toEqual([])
    expect(failed.length).toBeLessThanOrEqual(3)
    expect(Math.max(...outcomes.map(({ tookMs }) => tookMs))).toBeLessThan(10_000)
  })

  it('has the page and the health from before Mathesar is there', async () => {
    const box = await start({ env: { SAMPLE_APP_BREAK: 'import-slow:6', SAMPLE_APP_TEST: '1' } })
    const shown = await until('the page', async () => {
      const answer = await fetch(box.url('/some/place/?a=1'), { headers: page }).catch(() => undefined)
      return answer?.headers.has('content-security-policy') ? answer : undefined
    })
    expect(shown.status).toBe(503)
    expect(shown.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(shown.headers.get('cache-control')).toBe('no-store')
    expect(shown.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(await shown.text()).toMatch(/Mathesar is starting[^]*migrations/)
    const posted = await fetch(box.url('/notes/'), { method: 'POST', body: 'x'.repeat(1e6) })
    expect([posted.status, await posted.json()]).toMatchObject([503, { code: 'NOT_SERVING' }])
    const asked = async (path: string): Promise<number> =>
      (await fetch(box.url(path), { headers: { host: 'anything.example' } })).status
    const probes = ['/livez', '/readyz', '/startupz', '/healthz/live/', '/healthz/ready/', '/healthz/ready']
    expect(await Promise.all(probes.map(asked))).toEqual([200, 503, 503, 200, 503, 503])
    expect(await (await fetch(box.url('/healthz/ready/'))).json()).toEqual({ status: 'unavailable' })
    expect(await asked('/supervisor/door')).toBe(204)
    await box.ready()
    expect(await Promise.all(probes.map(asked))).toEqual([200, 200, 200, 200, 200, 200])
    expect(await (await fetch(box.url('/healthz/ready/'))).json()).toEqual({ status: 'ok' })
    expect((await fetch(box.url('/auth/login/'), { redirect: 'manual' })).status).toBe(302)
  })

  it('tells an open page of each step, and when it may leave', async () => {
    const box = await start({ env: { SAMPLE_APP_BREAK: 'import-slow:4' } })
    const events = await until('the events', async () => {
      const answer = await fetch(box.url('/supervisor/events')).catch(() => undefined)
      return answer?.status === 200 ? answer : undefined
    })
    const messages: { readonly html: string; readonly isServing: boolean }[] = []
    let text = ''
    for await (const chunk of events.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk
      const parts = text.split('\n\n')
      text = parts.pop() ?? ''
      messages.push(
        ...parts.map((part) => JSON.parse(part.replace(/^data: /, '')) as (typeof messages)[number]),
      )
      if (messages.at(-1)?.isServing) break
    }
    expect(messages[0]?.isServing).toBe(false)
    expect(new Set(messages.map(({ html }) => html)).size).toBeGreaterThan(3)
  })
})

describeContainer('the door', () => {
  let box: Box
  beforeAll(async () => {
    box = await start({ env: { SAMPLE_APP_TEST: '1', WEB_CONCURRENCY: '2' } })
    await box.ready()
  })
  afterAll(cleanUp)

  const echo = async (headers: Readonly<Record<string, string>>) =>
    (await (await fetch(box.url('/echo/'), { headers })).json()) as {
      scheme: string
      length: number
      headers: Record<string, string | null>
    }

  it('serves static files itself: compressed, and for ever where the name has a hash', async () => {
    const { stdout } = await box.sh('cd /code/static/mathesar && ls sample.*.css && ls icon.svg')
    const [hashed] = stdout.split('\n')
    const get = (encodings: string): Promise<Response> =>
      fetch(box.url(`/static/mathesar/${hashed}`), { headers: { 'accept-encoding': encodings } })
    const answer = await get('gzip, deflate, br, zstd')
    expect([
      answer.status,
      answer.headers.get('cache-control'),
      answer.headers.get('content-encoding'),
    ]).toEqual([200, 'public, max-age=31536000, immutable', 'br'])
    const plainly = await (await get('identity')).text()
    expect(await answer.text()).toBe(plainly)
    const zipped = await get('gzip')
    expect([zipped.headers.get('content-encoding'), await zipped.text()]).toEqual(['gzip', plainly])
    const plain = await fetch(box.url('/static/mathesar/icon.svg'))
    expect(plain.headers.get('cache-control')).toBe('public, max-age=60')
    expect(plain.headers.get('content-type')).toContain('image/svg+xml')
    const missing = await fetch(box.url('/static/none.css'))
    expect([missing.status, await missing.text()]).toEqual([404, expect.stringContaining('nginx')])
    const middleware = await (await fetch(box.url('/middleware/'))).text()
    expect(middleware).toContain('SessionMiddleware')
    expect(middleware).not.toContain('whitenoise') // It would read all files at each start.
    for (const path of ['/static/../config/settings/production.py', '/static/%2e%2e/manage.py'])
      expect((await fetch(box.url(path))).status).toBe(404)
    expect(answer.headers.get('server')).toBe('nginx')
  })

  it('lets a proxy say by which scheme and from where a request came, and nobody else', async () => {
    const told = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '203.0.113.9', 'x-forwarded-ssl': 'on' }
    expect(await echo({ ...told, 'x-forwarded-host': 'evil.example' })).toMatchObject({
      scheme: 'https',
      headers: { 'X-Forwarded-For': '203.0.113.9', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': null },
    })
    const client = poll(box.port)
    expect(await box.supervisor('config', 'set', 'TRUSTED_PROXIES=none')).toMatchObject({ exitCode: 0 })
    expect((await echo(told)).headers).toMatchObject({
      'X-Forwarded-For': '127.0.0.1',
      'X-Forwarded-Proto': 'http',
    })
    expect(await box.supervisor('config', 'unset', 'TRUSTED_PROXIES')).toMatchObject({ exitCode: 0 })
    expect(failuresAfterFirst(await client.stop())).toEqual([])
    expect((await box.unit('mathesar')).generation).toBe(1)
  })

  it('takes in slow requests and idle connections while pages are as fast as without', async () => {
    const before = await timePage(box)
    await connectMany(box.port, 300, '')
    await connectMany(
      box.port,
      300,
      'POST /notes/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx',
    )
    await connectMany(box.port, 100, 'GET / HTTP/1.1\r\nHost: loc')
    const during = await timePage(box)
    // Without the door the page does not come at all.
    expect(during).toBeLessThan(Math.max(4 * before, before + 1000))
  })

  it('gives a large answer to a slow reader without a worker', async () => {
    const readers = await connectMany(
      box.port,
      4,
      'GET /large/?mb=20 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    )
    for (const reader of readers) reader.pause()
    await delay(1000)
    expect((await fetch(box.url('/livez'))).status).toBe(200)
    expect((await fetch(box.url('/auth/login/'), { redirect: 'manual' })).status).toBe(302)
  })

  it('refuses what is malformed, and shows of the supervisor what everybody may see', async () => {
    const raw = (text: string): Promise<string> =>
      new Promise((resolve) => {
        let answer = ''
        const socket = connect(box.port, '127.0.0.1', () => socket.end(text))
        socket
          .on('data', (chunk) => {
            answer += chunk.toString()
          })
          .once('close', () => resolve(answer))
      })
    for (const bad of [
      'GET / HTTP/1.1\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'NONSENSE\r\n\r\n',
      `GET /${'x'.repeat(40_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    ])
      expect((await raw(bad)).split(' ')[1], JSON.stringify(bad.slice(0, 60))).toMatch(/^4\d\d$/)
    for (const path of ['/v1/status', '/v1/config', '/v1/logs', '/supervisor/../v1/status', '/supervisor/x'])
      expect((await fetch(box.url(path))).status, path).toBe(404)
  })

  it('leads nobody to its own port, or out of https: people may know it by another address', async () => {
    const headers = { 'x-forwarded-proto': 'https' }
    const { status, headers: got } = await fetch(box.url('/supervisor'), { headers, redirect: 'manual' })
    expect([status, got.get('location')]).toEqual([301, '/supervisor/'])
  })

  it('lets people in by any private address, and tells who comes by a name what to type', async () => {
    for (const host of ['192.168.1.5', '10.1.2.3:8000', '172.20.0.2', '[fd00::1]:8000', 'x.localhost'])
      expect((await open(box, host)).status, host).toBe(302)
    const page = await open(box, 'nas.example:8000')
    expect(page.status).toBe(400)
    expect(page.text).toContain('docker exec mathesar supervisor permit nas.example')
    expect(JSON.parse((await open(box, 'evil.example', '*/*')).text)).toMatchObject({ code: 'HOST_REFUSED' })
    for (const host of ['8.8.8.8', '10.0.0.1.evil.example', '[2001:db8::1]', 'a"><script>'])
      expect((await open(box, host)).text, host).not.toContain('<script>')
    expect(await box.supervisor('permit', 'nas.example')).toMatchObject({ exitCode: 0 })
    const asked = (count: number) =>
      Promise.all(Array.from({ length: count }, () => open(box, 'nas.example')))
    expect(new Set((await asked(40)).map(({ status }) => status))).toEqual(new Set([302]))
    expect(await box.supervisor('config', 'unset', 'ALLOWED_HOSTS')).toMatchObject({ exitCode: 0 })
    expect(new Set((await asked(40)).map(({ status }) => status))).toEqual(new Set([400]))
    expect((await box.unit('mathesar')).generation).toBe(1)
  })

  it('lets people in by the longest name that there can be', async () => {
    const name = [...['a', 'b', 'c'].map((letter) => letter.repeat(63)), 'd'.repeat(61)].join('.')
    expect(name).toHaveLength(253)
    expect(await box.supervisor('permit', name)).toMatchObject({ exitCode: 0 })
    expect((await open(box, name)).status).toBe(302)
    expect(await box.supervisor('config', 'unset', 'ALLOWED_HOSTS')).toMatchObject({ exitCode: 0 })
    expect((await open(box, name)).status).toBe(400)
  })

  it('leaves it to Django, too, to refuse a host that is not permitted', async () => {
    const ask = (host: string) =>
      box.sh(
        `printf 'GET /auth/login/ HTTP/1.0\\r\\nHost: ${host}\\r\\n\\r\\n' | ` +
          'perl -MIO::Socket::UNIX -e \'$s = IO::Socket::UNIX->new("/run/mathesar/door/mathesar.sock"); ' +
          "print $s <STDIN>; print scalar <$s>'",
      )
    const statuses = async () =>
      (await Promise.all(['late.example', '10.1.2.3', '8.8.8.8'].map(ask))).map(
        ({ stdout }) => stdout.split(' ')[1],
      )
    expect(await statuses()).toEqual(['400', '302', '400'])
    expect(await box.supervisor('permit', 'late.example')).toMatchObject({ exitCode: 0 })
    for (let asked = 0; asked < 4; asked++) expect(await statuses()).toEqual(['302', '302', '400'])
    expect(await box.supervisor('config', 'unset', 'ALLOWED_HOSTS')).toMatchObject({ exitCode: 0 })
    for (let asked = 0; asked < 4; asked++) expect(await statuses()).toEqual(['400', '302', '400'])
  })

  it('is out of reach for Mathesar', async () => {
    const asMathesar = (script: string) =>
      box.exec('setpriv', '--reuid=8000', '--regid=8000', '--clear-groups', 'sh', '-c', script)
    const [master] = await pidsOf(box, 'nginx')
    for (const script of [
      'ls /run/mathesar/door',
      'ln -sf /tmp/x /run/mathesar/door/serving.sock',
      'ls /var/lib/mathesar/buffer',
      'echo x >> /run/mathesar/etc/nginx.conf',
      'echo "*" >> /run/mathesar/app/hosts',
      'ln -sf /tmp/x /run/mathesar/app/hosts',
      'mv /run/mathesar/app/hosts /run/mathesar/app/others',
      `kill -9 ${master}`,
    ])
      expect((await asMathesar(script)).exitCode, script).not.toBe(0)
  })

  it('finishes what it has begun when the container stops', async () => {
    const slow = fetch(box.url('/slow/?s=2'))
    await delay(500)
    const stopped = box.stop()
    expect((await slow).status).toBe(200)
    expect((await stopped).exitCode).toBe(0)
  })
})

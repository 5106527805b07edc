import { describe, expect, test } from 'vitest'
import type { Child } from '../../../src/system/ports.ts'
import { doorConfig, renderConfig } from '../../../src/units/door/config.ts'
import { door } from '../../../src/units/door/server.ts'
import type { Certificate } from '../../../src/units/results.ts'
import { upstream } from '../../../src/units/door/upstream.ts'
import { mathesar } from '../../../src/units/mathesar/server.ts'
import { readFile } from '../configurations.ts'
import { createScope, never, placeOf } from '../fakes/scope.ts'

const paths = { ...placeOf().paths, nginx: '/usr/sbin/nginx' }
const place = { paths }

describe('the task `upstream`', () => {
  test('opens a socket that the door alone reaches, and removes what a dead one left', async () => {
    const { scope, disk } = createScope({ place })
    disk.put('/run/m/door/serving.sock', '-> /run/m/door/mathesar.sock')
    disk.put('/run/m/door/mathesar.sock', '')
    disk.put('/run/m/door/draining', 'stop') // A pod keeps it for the next run of its container.
    expect(await upstream.run(scope, never)).toEqual({
      fd: 11,
      target: { socketPath: '/run/m/door/mathesar.sock' },
      page: 11,
    })
    for (const name of ['serving.sock', 'draining'])
      expect(disk.files.isThere(`/run/m/door/${name}`)).toBe(false)
    for (const name of ['mathesar', 'page']) expect(disk.modeOf(`/run/m/door/${name}.sock`)).toMatch(/^0666 /)
  })

  test.each([
    ['0.0.0.0', '127.0.0.1'],
    ['10.0.0.7', '10.0.0.7'],
  ])('is the port itself where there is no nginx (%s)', async (address, host) => {
    const { scope } = createScope({ results: { listener: { fd: 9, address, port: 8001 } } })
    expect(await upstream.run(scope, never)).toEqual({
      fd: 9,
      target: { host, port: 8001 },
      page: undefined,
    })
  })
})

describe('the configuration of the door', () => {
  const factsOf = (config = '', certificate?: Certificate) => ({
    certificate,
    place: { paths, machine: { ...placeOf().machine, cpus: 8 } },
    settings: readFile(config).settings,
    listener: { address: '0.0.0.0', port: 8000 },
    buffer: '/data/buffer',
  })
  const render = (...of: Parameters<typeof factsOf>): string => renderConfig(factsOf(...of))

  test('names the sockets, and writes nowhere but in its folder', () => {
    const text = render()
    expect(text).toContain('listen 0.0.0.0:8000;')
    expect(text).toContain('server unix:/run/m/door/serving.sock')
    expect(text).toContain('server unix:/run/m/door/page.sock')
    for (const [, path] of text.matchAll(/(?:_temp_path|pid) (\S+);/g))
      expect(path).toMatch(/^\/data\/buffer\//)
  })

  test('serves what Brotli has compressed where nginx has a module for it', () => {
    expect(render()).not.toContain('brotli')
    const brotliModule = '/usr/lib/nginx/modules/brotli.so'
    const text = renderConfig({
      ...factsOf(),
      place: { ...factsOf().place, paths: { ...paths, brotliModule } },
    })
    expect(text).toMatch(/^load_module \/usr\/lib\/nginx\/modules\/brotli\.so;\n/)
    expect(text).toMatch(/location \^~ \/static\/ \{[^}]*brotli_static on;/)
  })

  test('redirects to paths alone: the port that it listens on may be none that people reach', () => {
    expect(render()).toMatch(/^absolute_redirect off;$/m)
  })

  test.each(['', 'ACCESS_LOG=on\n'])('takes names of any length, whatever the processor (%j)', (config) => {
    const text = render(config)
    const [first] = /^(?:map |map_hash_bucket_size ).*$/m.exec(text) ?? []
    expect(first).toBe('map_hash_bucket_size 512;') // After a map nginx would take it for a second one.
  })

  test('sets or drops every header that gunicorn believes of a unix socket', () => {
    for (const header of ['X-Forwarded-Proto', 'X-Forwarded-Protocol', 'X-Forwarded-Ssl', 'X-Forwarded-For'])
      expect(render()).toMatch(new RegExp(`^proxy_set_header ${header} `, 'm'))
  })

  test('believes private networks, those that are given, or nobody', () => {
    expect(render()).toContain('set_real_ip_from 172.16.0.0/12;')
    const given = render('TRUSTED_PROXIES=203.0.113.0/24, 2001:db8::1\n')
    expect(given.match(/^set_real_ip_from .*$/gm)).toEqual([
      'set_real_ip_from 203.0.113.0/24;',
      'set_real_ip_from 2001:db8::1;',
    ])
    expect(render('TRUSTED_PROXIES=none\n')).not.toContain('set_real_ip_from')
  })

  test('asks the supervisor, without the body, for what the database could not answer', () => {
    const [text] = /location @database \{[^}]*\}/.exec(render()) ?? []
    expect(text).toContain('rewrite ^ /supervisor/away/database break;')
    expect(text).toMatch(/proxy_pass_request_body off;\s+proxy_pass http:\/\/supervisor;/)
  })

  test('leaves away what may be long in a request, where only its place is asked for', () => {
    const [text] = /location @supervisor \{[^}]*\}/.exec(render()) ?? []
    for (const name of ['Cookie', 'Referer']) expect(text).toContain(`proxy_set_header ${name} "";`)
  })

  /** What nginx makes of a request by the map. */
  const isLarge = (text: string): string | undefined => {
    const [, map = ''] = /\$is_large \{\n([^]*?)\n\}/.exec(render()) ?? []
    const rules = [...map.matchAll(/"~(.*)" (\d);/g)]
    return rules.find(([, pattern]) => new RegExp(pattern!).test(text))?.[2] ?? /default (\d);/.exec(map)?.[1]
  }
  test.each([
    ['GET HTTP/1.1 :', '0'],
    ['POST HTTP/1.0 :', '0'],
    ['POST HTTP/1.1 0:', '0'],
    ['PUT HTTP/1.1 99999:', '0'],
    ['POST HTTP/1.1 100000:', '1'],
    ['GET HTTP/1.1 20000000:', '1'],
    ['POST HTTP/1.1 :chunked', '1'],
    ['GET HTTP/1.1 :chunked', '1'],
    ['GET HTTP/2.0 :', '0'], // The limit of its location holds.
    ['POST HTTP/2.0 99999:', '0'],
    ['POST HTTP/2.0 :', '1'],
  ])('asks who sends a body that may be large: %s %s', (text, wanted) => expect(isLarge(text)).toBe(wanted))

  test('opens a number of files, which are as many bodies', () => {
    expect(render()).toMatch(/^worker_rlimit_nofile 8192;$/m)
  })

  test('takes more than 64 kB where it has been asked, and nowhere else', () => {
    const text = render()
    expect(text.match(/^client_max_body_size .*$/m)?.[0]).toBe('client_max_body_size 64k;')
    const limits = [...text.matchAll(/location ([^{]+) \{((?:(?!\n  \})[^])*)/g)].flatMap(
      ([, name, lines]) => {
        const [, limit] = /client_max_body_size (\S+);/.exec(lines!) ?? []
        return limit === undefined ? [] : [[name, limit]]
      },
    )
    expect(Object.fromEntries(limits)).toEqual({
      '/': '0', // For the next ones alone: it hands everything on.
      '@large': '0',
      '= /supervisor/may-send': '0',
      '@stranger': '3m',
      '= /supervisor/restore/part': '512k',
      '= /starting.html': '0', // A file.
    })
    expect(/location \/ \{[^]*?\n  \}/.exec(text)?.[0]).toMatch(/return 419; \}[^]*return 420;\n  \}$/)
    expect(/location @large \{[^]*?\n  \}/.exec(text)?.[0]).toContain('auth_request /supervisor/may-send;')
  })

  test('compares the length itself where a request comes to from another place', () => {
    for (const name of ['@refused', '@plain'])
      expect(new RegExp(`location ${name} \\{[^]*?\\n  \\}`).exec(render())?.[0]).toContain(
        'if ($is_large) { return 413; }',
      )
  })

  test('shows what is measured to those alone whom METRICS names', () => {
    expect(render()).not.toContain('/metrics')
    const text = render('METRICS=10.0.0.0/8,192.0.2.7\n')
    expect(/location = \/metrics \{[^}]*\}/.exec(text)?.[0]).toMatch(
      /allow 10\.0\.0\.0\/8;\s+allow 192\.0\.2\.7;\s+deny all;\s+proxy_pass http:\/\/supervisor;/,
    )
  })

  test('has an answer of its own, for the probe', () => {
    expect(render('ACCESS_LOG=on\n')).toMatch(
      /location = \/supervisor\/door \{\s+access_log off;\s+return 204;/,
    )
  })

  test('shows the console by permitted names alone, and bounds its streams with those of the boot', () => {
    const text = render()
    expect(/location \^~ \/supervisor\/console \{[^]*?\n  \}/.exec(text)?.[0]).toMatch(
      /if \(\$is_permitted = 0\) \{ return 418; \}\s+error_page 418 = @refused;/,
    )
    for (const path of ['/supervisor/events', '/supervisor/console/events', '/supervisor/console/log/events'])
      expect(text).toMatch(new RegExp(`location = ${path} \\{\\s+limit_conn streams 400;`))
  })

  test('logs requests only where that is wanted, and never a query', () => {
    expect(render()).toContain('\naccess_log off;')
    const text = render('ACCESS_LOG=on\n')
    expect(text).toContain('access_log /dev/stdout requests;')
    expect(/^log_format .*$/m.exec(text)![0]).not.toMatch(/\$(?:request|request_uri|args|http_referer)\b/)
  })

  test('speaks https where there is a certificate, and leads plain requests there', () => {
    const files = { certificateFile: '/c', keyFile: '/k', authority: undefined }
    const text = render('', { ...files, id: 'a', notBeforeMs: 0, notAfterMs: 1 })
    for (const line of ['listen 0.0.0.0:8000 ssl;', 'ssl_certificate_key /k;', 'error_page 497 = @plain;'])
      expect(text).toContain(line)
    expect(text).not.toMatch(/Strict-Transport-Security/i)
    expect(render()).not.toMatch(/ssl_|error_page 497/)
  })

  test('is written for nginx to read, and left out where there is none', async () => {
    const { scope, disk } = createScope({ place })
    await doorConfig.run(scope, never)
    expect(disk.text('/run/m/etc/nginx.conf')).toBe(
      renderConfig({
        place: scope.place,
        settings: scope.inForce.settings,
        listener: scope.results.listener,
        certificate: undefined,
        buffer: '/data/buffer',
      }),
    )
    expect(doorConfig.skip!(readFile(''), placeOf())).toBe('there is no nginx here')
    expect(doorConfig.skip!(readFile(''), placeOf(place))).toBeUndefined()
  })
})

describe('the door', () => {
  test('inherits the port, and runs as its own user', async () => {
    const { scope } = createScope({ place })
    const { argv, env, user, fds } = await door.command(scope)
    expect(argv.join(' ')).toBe('/usr/sbin/nginx -e stderr -p /data/buffer -c /run/m/etc/nginx.conf')
    expect([env, user?.name, fds]).toEqual([{ NGINX: '3;' }, 'door', [10]])
  })

  test('is ready once it answers anything at all', async () => {
    const { scope, gets } = createScope({ place })
    expect(await door.probe(scope, never)).toBeUndefined()
    expect(gets[0]).toMatchObject({
      target: { host: '127.0.0.1', port: 8000 },
      request: { path: '/supervisor/door' },
    })
  })

  test('goes after Mathesar, by which its last answers come', () => {
    expect(door.stopsAfter?.(readFile(''))).toEqual(['mathesar'])
    expect(door.skip!(readFile(''), placeOf())).toBe('there is no nginx here')
  })
})

describe('a reload of the door', () => {
  const worker = (pid: number, title = 'worker process') => ({ pid, title: `nginx: ${title}` })
  const old = [worker(1), worker(2)]
  const reload = (looks: (readonly Child[] | undefined)[]) => {
    const fake = createScope({ place })
    fake.replies.children = () => (looks.length > 1 ? looks.shift() : looks[0])
    return { ...fake, done: door.reload!(fake.scope, 9, never) }
  }

  test('is over once no worker with the configuration before takes connections', async () => {
    const both = [...old, worker(3), worker(4)]
    const leaving = [worker(1, 'worker process is shutting down'), worker(3), worker(4)]
    const { clock, signals, done } = reload([old, old, both, both, leaving])
    let isDone = false
    void done.then(() => {
      isDone = true
    })
    await clock.advance(339)
    expect([signals, isDone]).toEqual([['SIGHUP 9'], false])
    await clock.advance(1)
    expect(isDone).toBe(true)
  })

  test('comes once connections have ended by themselves: none is closed on a request', async () => {
    const { clock, disk, signals } = reload([old])
    const mark = () => disk.files.isThere('/run/m/door/draining')
    await clock.advance(299)
    expect([mark(), signals]).toEqual([true, []])
    await clock.advance(1)
    expect([mark(), signals]).toEqual([false, ['SIGHUP 9']])
  })

  test('leaves their ends to a stop that comes meanwhile', async () => {
    const { scope, clock, disk, signals } = createScope({ place })
    const stop = new AbortController()
    const done = door.reload!(scope, 9, stop.signal).catch(() => 'given up')
    await clock.advance(50)
    stop.abort()
    expect(await done).toBe('given up')
    expect([disk.files.isThere('/run/m/door/draining'), signals]).toEqual([true, []])
  })

  test.each([
    ['before it', 0],
    ['meanwhile', 50],
  ])('leaves the mark of a stop that waits for load balancers, and began %s', async (_, ms) => {
    const { scope, clock, disk, signals, replies } = createScope({ place })
    replies.children = () => old
    const mark = () => disk.files.isThere('/run/m/door/draining')
    if (ms === 0) door.onDraining!(scope)
    void door.reload!(scope, 9, never).catch(() => {})
    await clock.advance(ms)
    if (ms > 0) door.onDraining!(scope)
    await clock.advance(300)
    expect([mark(), signals]).toEqual([true, ['SIGHUP 9']])
  })

  test('needs no end where nginx has died: the next one reads the new configuration', async () => {
    const { clock, done } = reload([old, undefined])
    await clock.advance(310)
    await done
  })

  test('fails in its time also where the clock is set back meanwhile', async () => {
    const { clock, done } = reload([old])
    const why = done.catch(({ message }: Error) => message)
    await clock.advance(1000)
    clock.jump(-3_600_000)
    await clock.advance(9310)
    expect(clock.armed).toBe(0)
    expect(await why).toContain('does not take it')
  })

  test('fails with the words of nginx where it does not take the configuration', async () => {
    const { clock, scope, done } = reload([old])
    const output = scope.system.log.readLines('door', door.readLine!)
    void output.write(Buffer.from('2026/11/26 11:13:17 [emerg] 1#1: cannot load certificate key\n'))
    output.flush()
    const why = done.catch(({ message }: Error) => message)
    await clock.advance(10_310)
    expect(await why).toMatch(/does not take it: .*cannot load certificate key$/)
  })
})

describe('Mathesar', () => {
  test('is led to while it serves, and no longer', () => {
    const { scope, disk } = createScope({ place })
    mathesar.onServing!(scope, true)
    expect(disk.text('/run/m/door/serving.sock')).toBe('-> /run/m/door/mathesar.sock')
    mathesar.onServing!(scope, false)
    expect(disk.files.isThere('/run/m/door/serving.sock')).toBe(false)
  })

  test('has the port itself where there is no nginx', () => {
    const { scope, disk } = createScope()
    mathesar.onServing!(scope, true)
    expect(disk.acts).toEqual([])
  })
})

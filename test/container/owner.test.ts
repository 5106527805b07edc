import { type ClientRequest, request } from 'node:http'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import type { Page } from 'playwright-core'
import { barriersOf, noBrowser, watchFaults, withBrowser } from '../helpers/browser.ts'
import {
  admin,
  type Box,
  browse,
  cleanUp,
  cleanUpAfterEach,
  describeContainer,
  logIn,
  makeAdmin,
  newVolume,
  start,
  until,
} from '../helpers/docker.ts'

const folder = process.env.TEST_SCREENSHOTS
const shot = (name: string) => (folder === undefined ? {} : { path: `${folder}/${name}.png` })

const setupPath = '/complete_installation/'
const fields = { username: 'eve', password1: admin.password, password2: admin.password }

/** One request whose path is sent as it is: `fetch` would tidy it up. */
const ask = (
  box: Box,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = 'GET',
  body = method === 'POST' ? new URLSearchParams(fields).toString() : undefined,
) =>
  new Promise<{ readonly status: number; readonly text: string }>((resolve, reject) => {
    const options = { host: '127.0.0.1', port: box.port, path, method, headers, agent: false }
    request(options, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (more: string) => (text += more))
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
      .once('error', reject)
      .end(body)
  })

const administrators = async (box: Box): Promise<readonly string[]> =>
  (
    await box.supervisor('psql', '-tAc', 'select username from mathesar_user where is_superuser order by id')
  ).stdout
    .split('\n')
    .filter(Boolean)

const memoryOf = async (box: Box): Promise<number> => (await box.status()).supervisor.memoryBytes / 1024 ** 2

describeContainer('a Mathesar that nobody has set up', () => {
  let box: Box
  beforeAll(async () => {
    box = await start({ env: { SETUP_CODE: '', WEB_CONCURRENCY: '4', SAMPLE_APP_TEST: '1' } })
    await box.ready()
  })
  afterAll(cleanUp)

  const invitation = async () => {
    const { stdout } = await box.supervisor('setup', '--json')
    return (JSON.parse(stdout) as { setup: { code: string; link: string } }).setup
  }

  it('shows its own page in place of the form, however the path is written', async () => {
    for (const path of [
      setupPath,
      '/complete_installation',
      '//complete_installation/',
      '/%63omplete_installation/',
      '/complete_installation%2F',
      '/x/../complete_installation/',
      '/./complete_installation/?next=/',
      `http://127.0.0.1:${box.port}${setupPath}`,
    ]) {
      const { status, text } = await ask(box, path, { accept: 'text/html' })
      expect([path, status]).toEqual([path, 403])
      expect(text).toContain('name="code"')
      for (const headers of [{ script_name: '/x' }, { 'x-forwarded-prefix': '/x' }, { path_info: setupPath }])
        expect((await ask(box, path, headers, 'POST')).status).toBe(403)
    }
    expect((await ask(box, '/notes/', { path_info: setupPath, script_name: '' })).status).toBe(302)
    expect(await administrators(box)).toEqual([])
  })

  it('tells its owner the code and the link, in the log and by a command, and Mathesar neither', async () => {
    const { code, link } = await invitation()
    const key = link.split('#')[1]!
    expect(code).toMatch(/^[0-9A-Z]{4}-[0-9A-Z]{4}$/)
    const log = await box.logs()
    expect(log).toContain(link)
    expect(log).toContain(`the setup code ${code}`)
    const { exitCode, stdout } = await box.supervisor('setup')
    expect([exitCode, stdout.includes(link), stdout.includes('▀')]).toEqual([0, true, true])
    for (const path of ['/', setupPath, '/supervisor/boot', '/v1/setup', '/supervisor/v1/setup']) {
      const { text } = await ask(box, path, { accept: 'text/html' })
      expect([path, text.includes(code) || text.includes(key)]).toEqual([path, false])
    }
  })

  it('takes the code from its own page alone: not from an address, a referrer or another site', async () => {
    const { code, link } = await invitation()
    for (const path of [`${setupPath}?code=${code}`, `${setupPath}#${code}`])
      for (const headers of [{ referer: link }, { cookie: `mathesar_setup_owner=${code}` }])
        expect((await ask(box, path, headers)).status).toBe(403)
    for (const headers of [{ origin: 'http://evil.example' }, { origin: 'null' }, {}]) {
      const body = new URLSearchParams({ code })
      const answer = await fetch(box.url('/supervisor/owner'), { method: 'POST', body, headers })
      expect([answer.status, answer.headers.getSetCookie()]).toEqual([403, []])
    }
    expect((await ask(box, `/supervisor/owner?code=${code}`)).status).toBe(404)
  })

  it('permits another name by a button of the page that refuses it', async () => {
    const { code } = await invitation()
    const host = `nas.example:${box.port}`
    const permit = async (typed: string, origin = `http://${host}`) => {
      const body = new URLSearchParams({ code: typed }).toString()
      const type = 'application/x-www-form-urlencoded'
      const headers = { host, origin, accept: 'text/html', 'content-type': type }
      return await ask(box, '/supervisor/permit', headers, 'POST', body)
    }
    expect(await ask(box, '/', { host, accept: 'text/html' })).toMatchObject({
      status: 400,
      text: expect.stringContaining('action="/supervisor/permit"') as string,
    })
    expect((await permit('WRONG-CODE')).text).toContain('That is not the code')
    expect((await permit(code, 'http://evil.example')).status).toBe(400)
    expect((await ask(box, '/', { host })).status).toBe(400)
    expect((await permit(code)).status).toBe(303)
    await until('the name is permitted', async () => (await ask(box, '/', { host })).status === 302)
  })

  it.skipIf(noBrowser !== undefined)(
    'opens for the link without typing, and without JavaScript for the ' +
      `code${noBrowser ? ` (skipped: ${noBrowser})` : ''}`,
    async () => {
      const { code, link } = await invitation()
      await withBrowser(async (open) => {
        const faults: string[] = []
        const watch = (page: Page): Page => watchFaults(page, faults)
        const stranger = watch(await open({ viewport: { width: 390, height: 844 }, colorScheme: 'dark' }))
        expect((await stranger.goto(box.url('/')))?.status()).toBe(403)
        expect(await stranger.textContent('h1')).toBe('Is this Mathesar yours?')
        expect(await stranger.evaluate('document.documentElement.scrollWidth > window.innerWidth')).toBe(
          false,
        )
        await stranger.screenshot(shot('setup-phone-dark'))
        expect(await barriersOf(stranger)).toEqual([])
        await stranger.getByLabel('Setup code').fill('ABCD-1234')
        await stranger.getByRole('button').click()
        expect(await stranger.getByRole('alert').textContent()).toContain('That is not the code')
        expect(await barriersOf(stranger)).toEqual([])
        await stranger.screenshot(shot('setup-wrong'))
        const phone = watch(await open({}))
        await phone.goto(link.replace('localhost', '127.0.0.1'))
        await phone.getByLabel('Username').waitFor()
        expect(phone.url()).toBe(box.url(setupPath))
        const plain = watch(await open({ javaScriptEnabled: false }))
        await plain.goto(box.url('/auth/login/'))
        await plain.screenshot(shot('setup'))
        await plain.getByLabel('Setup code').fill(` ${code.toLowerCase()} `)
        await plain.getByRole('button').click()
        expect(await plain.textContent('h1')).toBe('Create the first administrator')
        expect(faults).toEqual([])
      })
    },
  )

  it('keeps health and the way in open for its owner while a thousand event streams are', async () => {
    const streams = Array.from({ length: 1000 }, (_, index) => {
      const from = { localAddress: `127.0.${1 + (index % 50)}.1`, agent: false }
      return request({ host: '127.0.0.1', port: box.port, path: '/supervisor/events', ...from })
    })
    onTestFinished(() => streams.forEach((stream) => stream.destroy()))
    const statusOf = (stream: ClientRequest): Promise<number> =>
      new Promise((resolve) => {
        stream.once('response', ({ statusCode = 0 }) => resolve(statusCode)).once('error', () => resolve(0))
        stream.end()
      })
    const statuses = await Promise.all(streams.map(statusOf))
    expect(new Set(statuses)).toEqual(new Set([200, 503]))
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(400)
    const began = Date.now()
    expect((await ask(box, '/livez')).status).toBe(200)
    const { link } = await invitation()
    expect((await browse(box).prove(link.split('#')[1])).status).toBe(303)
    expect((await ask(box, setupPath)).status).toBe(403)
    expect(Date.now() - began).toBeLessThan(20_000)
  })

  it('slows thousands of wrong codes down, and still lets in who has the link', async () => {
    const { link } = await invitation()
    const guess = async (name: number): Promise<readonly number[]> => {
      const statuses: number[] = []
      for (let tries = 0; tries < 50; tries++)
        statuses.push((await browse(box).prove(`${name}-${tries}`)).status)
      return statuses
    }
    const guessAll = async (): Promise<readonly number[]> =>
      (await Promise.all(Array.from({ length: 20 }, (_, name) => guess(name)))).flat()
    const before = await memoryOf(box)
    const statuses = [...(await guessAll()), ...(await guessAll())]
    expect(new Set(statuses)).toEqual(new Set([403, 429]))
    expect(statuses.filter((status) => status === 403).length).toBeLessThan(60)
    // V8 tidies up late: after some ten thousand requests it stays at about 35 MiB more.
    expect((await memoryOf(box)) - before).toBeLessThan(40)
    const { status, location } = await browse(box).prove(link.split('#')[1])
    expect([status, location]).toEqual([303, setupPath])
  }, 120_000)

  it('makes one administrator of fifty forms at once, and then the code is over', async () => {
    const { code, link } = await invitation()
    const browsers = Array.from({ length: 50 }, () => browse(box))
    for (const browser of browsers) {
      expect((await browser.prove(link.split('#')[1])).status).toBe(303)
      expect((await browser.get(setupPath)).text).toContain('csrfmiddlewaretoken')
    }
    const outcomes = await Promise.all(
      browsers.map((browser, index) => browser.submit(setupPath, { ...fields, username: `user${index}` })),
    )
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set([302, 303]))
    for (const { location } of outcomes) expect(location).toMatch(/^\//)
    const [first, ...more] = await administrators(box)
    expect([first?.slice(0, 4), more]).toEqual(['user', []])
    expect((await browse(box).get(setupPath)).location).toBe('/')
    expect((await box.supervisor('psql', '-tAc', 'select text from mathesar_note')).stdout).not.toContain(
      'demo',
    )
    const [owner] = browsers
    expect(await owner!.prove(code)).toMatchObject({ status: 303, location: '/' })
    expect(await box.supervisor('setup')).toMatchObject({ exitCode: 1 })
    // A Mathesar that loses its last administrator is not open to strangers again.
    await box.supervisor('psql', '-c', 'update mathesar_user set is_superuser = false')
    expect((await browse(box).get(setupPath)).status).toBe(403)
    expect((await owner!.get(setupPath)).status).toBe(403)
  }, 120_000)
})

describeContainer('the first administrator', () => {
  cleanUpAfterEach()
  const named = {
    MATHESAR_ADMIN_USERNAME: admin.username,
    ADMIN_EMAIL: 'ada@example.org',
    ADMIN_PASSWORD: admin.password,
  }

  it('is created by the settings once, and never touched again', async () => {
    const volume = await newVolume()
    const box = await start({
      volume,
      env: { ...named, DEMO: 'library_management,bike_shop', SAMPLE_APP_TEST: '1' },
    })
    await box.ready()
    const ada = await logIn(box)
    await until('the sample data is there', async () =>
      (await ada.get('/notes/')).text.includes('demo of admin: library_management, bike_shop'),
    )
    expect((await browse(box).get(setupPath)).location).toBe('/')
    const lines = await box.sh('cat /proc/[0-9]*/cmdline')
    for (const text of [await box.logs(), lines.stdout]) expect(text).not.toContain(admin.password)
    for (const name of ['ADMIN_PASSWORD', 'MATHESAR_ADMIN_USERNAME', 'SETUP_CODE', 'DEMO'])
      expect((await ada.get(`/env/?name=${name}`)).text).toContain('"set": false')
    const change = `update mathesar_user set username = 'grace', password = 'x'`
    expect((await box.supervisor('psql', '-c', change)).exitCode).toBe(0)
    await box.stop()
    await box.remove()
    const next = await start({ volume, env: { ...named, ADMIN_PASSWORD: 'password' } })
    await next.ready()
    const { stdout } = await next.supervisor('psql', '-tAc', 'select username, password from mathesar_user')
    expect(stdout.trim()).toBe('grace|x')
  })

  it('is one of those that `supervisor admin` creates, lists and gives new passwords', async () => {
    const box = await start({ env: { P: admin.password } })
    await box.ready()
    const act = (line: string) => box.sh(`printf '%s\\n' "$P" | supervisor admin ${line}`)
    expect(await act('create admin --email ada@example.org')).toMatchObject({ exitCode: 0 })
    await logIn(box)
    expect((await browse(box).get(setupPath)).location).toBe('/')
    const { stdout } = await act('list')
    expect(stdout).toMatch(/^admin {2}\(ada@example\.org, last login 20.*\)$/)
    const refused = await box.sh('echo password | supervisor admin reset admin')
    expect(refused.exitCode).toBe(2)
    expect(refused.stdout + refused.stderr).toContain('This password is too common.')
    expect(await box.sh(': | supervisor admin create eve')).toMatchObject({ exitCode: 2 })
    expect(await act('create admin')).toMatchObject({ exitCode: 2 })
    expect(await box.supervisor('admin', 'create', 'eve', admin.password)).toMatchObject({ exitCode: 2 })
    const change = await box.sh(
      'echo another correct horse 7 > /tmp/p; supervisor admin reset admin --password-file /tmp/p',
    )
    expect(change.exitCode).toBe(0)
    await expect(logIn(box)).rejects.toThrow('cannot log in')
    expect(await administrators(box)).toEqual(['admin'])
  })

  it.skipIf(noBrowser !== undefined)(
    `permits another name by the login of an administrator${noBrowser ? ` (skipped: ${noBrowser})` : ''}`,
    async () => {
      const box = await start({ env: named })
      await box.ready()
      const origin = `http://nas.example:${box.port}`
      const permit = async (form: Readonly<Record<string, string>>, from = origin) => {
        const type = 'application/x-www-form-urlencoded'
        const headers = {
          host: new URL(origin).host,
          origin: from,
          accept: 'text/html',
          'content-type': type,
        }
        return await ask(box, '/supervisor/permit', headers, 'POST', new URLSearchParams(form).toString())
      }
      const right = { username: admin.username, password: admin.password }
      expect((await permit(right, 'http://evil.example')).text).not.toContain('role="alert"')
      for (const wrong of [{ ...right, username: 'eve' }, { ...right, password: '' }, { code: 'ABCD-1234' }])
        expect((await permit(wrong)).text).toContain('No administrator has this name and password.')
      await withBrowser(async (open) => {
        const page = await open({ viewport: { width: 390, height: 844 }, colorScheme: 'dark' })
        await page.goto(`${origin}/auth/login/`)
        expect(await barriersOf(page)).toEqual([])
        await page.getByLabel('Username').fill(admin.username)
        await page.getByLabel('Password').fill('wrong')
        await page.getByRole('button').click()
        expect(await page.getByRole('alert').textContent()).toContain('No administrator has')
        expect(await barriersOf(page)).toEqual([])
        await page.screenshot(shot('refused-login'))
        expect(await page.evaluate('document.documentElement.scrollWidth > window.innerWidth')).toBe(false)
        await page.getByLabel('Username').fill(admin.username)
        await page.getByLabel('Password').fill(admin.password)
        await page.getByRole('button').click()
        await page.waitForURL(/\/auth\/login/)
      })
      expect((await box.supervisor('config', 'get', 'ALLOWED_HOSTS')).stdout).toContain('nas.example')
      expect(await box.logs()).not.toContain(admin.password)
    },
  )

  it('is refused with a password that Django refuses, before Mathesar serves', async () => {
    const box = await start({ env: { ...named, ADMIN_PASSWORD: '1234567890' } })
    expect(await box.ended()).toBe(20)
    expect(await box.logs()).toMatch(
      /ADMIN_PASSWORD: This password is too common\. This password is entirely numeric/,
    )
  })

  it('is whoever comes first, as upstream has it, where ADMIN_SETUP says open', async () => {
    const box = await start({ env: { ADMIN_SETUP: 'open' } })
    await box.ready()
    expect((await ask(box, setupPath)).status).toBe(200)
    await makeAdmin(box)
    expect(await administrators(box)).toEqual([admin.username])
    expect(await box.logs()).toContain('The first visitor makes the administrator')
  })
})

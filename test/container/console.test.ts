import { request } from 'node:http'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { barriersOf, noBrowser, watchFaults, withBrowser } from '../helpers/browser.ts'
import { type Box, cleanUp, describeContainer, start, until } from '../helpers/docker.ts'
import { freePort } from '../helpers/port.ts'

const folder = process.env.TEST_SCREENSHOTS
const shot = (name: string) => (folder === undefined ? {} : { path: `${folder}/${name}.png`, fullPage: true })

const root = '/supervisor/console'
const parts = ['', '/settings', '/history', '/log', '/backups'] as const
const token = 'hooks-token-that-nobody-may-see'

type Sent = {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly from?: string
}

/** One request, with its path as it is. Resolves as soon as its head is there. */
const ask = (port: number, path: string, { method = 'GET', headers = {}, body, from }: Sent = {}) =>
  new Promise<{ readonly status: number; readonly cookie: string; readonly end: () => void }>((resolve) => {
    const local = from === undefined ? {} : { localAddress: from }
    const host = { host: '127.0.0.1', port, ...local, agent: false }
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const sent = request({ ...host, path, method, headers: { ...form, ...headers } }, (response) => {
      const [cookie = ''] = (response.headers['set-cookie'] ?? []).map((each) => each.split(';')[0] ?? '')
      resolve({ status: response.statusCode ?? 0, cookie, end: () => sent.destroy() })
      response.resume()
    })
    sent.once('error', () => resolve({ status: 0, cookie: '', end: () => {} })).end(body)
  })

describeContainer('the console', () => {
  let box: Box
  beforeAll(async () => {
    box = await start({ env: { WEB_CONCURRENCY: '2', SAMPLE_APP_TEST: '1' } })
    await box.ready()
  })
  afterAll(cleanUp)

  const open = async (): Promise<{
    readonly code: string
    readonly link: string
    readonly closesAt: string
  }> => JSON.parse((await box.supervisor('console', '--json')).stdout).console
  const origin = () => ({ origin: box.url('') })
  const enter = async (): Promise<string> => {
    const { code } = await open()
    const sent = { method: 'POST', headers: origin(), body: new URLSearchParams({ code }).toString() }
    return (await ask(box.port, root, sent)).cookie
  }

  it('is closed until a command opens it, for an hour, with a link, a QR code and a code', async () => {
    expect((await ask(box.port, root)).status).toBe(404)
    const closed = await (await fetch(box.url(root), { headers: { accept: 'text/html' } })).text()
    expect(closed).toContain('docker exec mathesar supervisor console')
    const { stdout } = await box.supervisor('console')
    expect(stdout).toMatch(/[▀▄█]{10}/)
    const { code, link, closesAt } = await open()
    expect(stdout).toContain(`Open ${link}\nor type there the code ${code}.`)
    expect(link).toMatch(new RegExp(`^http://localhost:${box.port}${root}#\\w{26}$`))
    const opensForMs = Date.parse(closesAt) - Date.now()
    expect([opensForMs > 59 * 60_000, opensForMs <= 60 * 60_000]).toEqual([true, true])
    expect(await box.logs()).not.toContain(code)
    expect((await ask(box.port, root)).status).toBe(403)
  })

  it('lets nobody in without the code, from another page, by another name, or by another path', async () => {
    const cookie = await enter()
    const { version } = (await box.status()).config
    expect((await ask(box.port, `${root}/settings`, { headers: { cookie } })).status).toBe(200)
    const change = { method: 'POST', body: 'GUNICORN_TIMEOUT=1&apply=x' }
    const strange: readonly [number, Sent][] = [
      [403, { headers: origin() }],
      [403, { headers: { ...origin(), cookie: `${cookie}x` } }],
      [403, { headers: { cookie } }],
      [403, { headers: { cookie, origin: 'http://evil.example' } }],
      [403, { headers: { cookie, ...origin(), 'sec-fetch-site': 'cross-site' } }],
      [400, { headers: { cookie, host: 'evil.example', origin: 'http://evil.example' } }],
    ]
    for (const [status, sent] of strange)
      for (const part of ['settings', 'history', 'backups', 'leave'])
        expect([part, (await ask(box.port, `${root}/${part}`, { ...change, ...sent })).status]).toEqual([
          part,
          status,
        ])
    const foreign = { headers: { cookie, host: 'evil.example' } }
    for (const part of ['', '/events', '/log/events'])
      expect((await ask(box.port, `${root}${part}`, foreign)).status).toBe(400)
    const odd = [`${root}/../../v1/config`, `${root}%2f..%2f..%2fv1/config`, `/${root}`, `${root}/%0d%0aX:y`]
    for (const path of odd) expect((await ask(box.port, path)).status).toBeGreaterThanOrEqual(303)
    const statuses = []
    for (let tries = 0; tries < 40; tries++) {
      const sent = { method: 'POST', headers: origin(), body: `code=WRONG-${tries}` }
      statuses.push((await ask(box.port, root, sent)).status)
    }
    expect(new Set(statuses)).toEqual(new Set([403, 429]))
    expect(statuses.filter((status) => status === 403).length).toBeLessThan(20)
    expect((await box.status()).config.version).toBe(version)
  })

  it('leaves room for others while a thousand of its streams are open', async () => {
    const { code, link } = await open()
    const byKey = { method: 'POST', headers: origin(), body: `code=${link.split('#')[1]}` }
    expect(code).not.toBe('')
    const { cookie } = await ask(box.port, root, byKey)
    const streams = await Promise.all(
      Array.from({ length: 1000 }, (_, index) =>
        ask(box.port, `${root}/${index % 2 === 0 ? 'events' : 'log/events'}`, {
          headers: { cookie },
          from: `127.0.${1 + (index % 50)}.1`,
        }),
      ),
    )
    onTestFinished(() => streams.forEach(({ end }) => end()))
    const opened = streams.filter(({ status }) => status === 200).length
    expect([opened > 100, opened <= 400]).toEqual([true, true])
    expect((await ask(box.port, '/livez')).status).toBe(200)
    expect((await ask(box.port, root, { headers: { cookie } })).status).toBe(200)
  }, 60_000)

  it('has a port of its own where the setting says so, and is not on that of Mathesar then', async () => {
    const port = await freePort()
    const set = await box.supervisor('config', 'set', `CONSOLE=127.0.0.1:${port}`)
    expect(set).toMatchObject({ exitCode: 0 })
    await until('the port is open', async () => (await ask(port, root)).status === 403)
    expect((await ask(box.port, root)).status).toBe(404)
    for (const path of ['/livez', '/v1/config', '/metrics', '/x'])
      expect((await ask(port, path)).status).toBe(404)
    expect((await ask(port, root, { headers: { host: 'evil.example' } })).status).toBe(400)
    expect((await open()).link).toContain(`http://127.0.0.1:${port}${root}#`)
    expect(await box.supervisor('config', 'set', 'CONSOLE=on')).toMatchObject({ exitCode: 0 })
    expect((await ask(box.port, root)).status).toBe(403)
    await until('the port is closed', async () => (await ask(port, root)).status === 0)
  }, 60_000)

  const changeSettings = async (page: Page): Promise<void> => {
    await page.goto(box.url(`${root}/settings`))
    await page.getByLabel('Find a setting').fill('gunicorn_t')
    expect(await page.locator('.setting:visible').count()).toBe(1)
    await page.getByLabel('GUNICORN_TIMEOUT', { exact: true }).fill('0')
    await page.getByLabel('Find a setting').fill('notify')
    await page.getByLabel('NOTIFY_URL', { exact: true }).fill(`https://${token}@hooks.example/x`)
    await page.getByLabel('Find a setting').fill('')
    await page.evaluate("document.querySelector('form.plan').noValidate = true")
    const plan = page.getByRole('button', { name: 'Show what would happen' })
    await plan.click()
    await page.getByRole('alert').getByText('is not a whole number').waitFor()
    await page.getByLabel('GUNICORN_TIMEOUT', { exact: true }).fill('299')
    expect(await page.getByRole('alert').textContent()).toBe('')
    await plan.click()
    await page.getByText('This would happen').waitFor()
    await page.screenshot(shot('console-plan'))
    await page.getByRole('button', { name: 'Apply' }).click()
    await page.getByText(/^Version \w+ is in force/).waitFor({ timeout: 60_000 })
    expect(await page.getByLabel('GUNICORN_TIMEOUT', { exact: true }).inputValue()).toBe('299')
    expect(await page.content()).not.toContain(token)
    expect((await box.supervisor('config', 'get', 'GUNICORN_TIMEOUT')).stdout.trim()).toBe('299')
  }

  const goBack = async (page: Page): Promise<void> => {
    await page.goto(box.url(`${root}/history`))
    await page.screenshot(shot('console-history'))
    await page
      .getByRole('button', { name: /^Go back to version/ })
      .first()
      .click()
    await page.getByText('This would happen').waitFor()
    await page.getByRole('button', { name: 'Apply' }).click()
    await page.getByText(/^Version \w+ is in force/).waitFor({ timeout: 60_000 })
    expect((await box.supervisor('config', 'get', 'GUNICORN_TIMEOUT')).stdout.trim()).toBe('300')
    expect(await page.locator('tbody tr').first().textContent()).toContain('rollback')
  }

  const readLog = async (page: Page): Promise<void> => {
    await page.goto(box.url(`${root}/log`))
    await page.getByLabel('Lines with').fill('IS IN FORCE')
    const lines = page.locator('.line:visible')
    await lines.first().waitFor()
    for (const line of await lines.allTextContents()) expect(line).toContain('is in force')
    const before = await lines.count()
    expect(await box.supervisor('config', 'set', 'DATABASE_WAIT_TIMEOUT=121')).toMatchObject({ exitCode: 0 })
    await until('the new line is there', async () => (await lines.count()) > before)
    await page.getByLabel('Lines with').fill('')
    await page.screenshot(shot('console-log'))
    await page.getByLabel('Unit').selectOption('postgres')
    await page.waitForURL(/unit=postgres/)
    for (const line of await lines.allTextContents()) expect(line).toContain(' postgres ')
    expect(await page.content()).not.toContain(token)
  }

  const backUp = async (page: Page): Promise<void> => {
    await page.goto(box.url(`${root}/backups`))
    await page.getByRole('button', { name: 'Back up now' }).click()
    await page.getByText('The backup is done').waitFor({ timeout: 60_000 })
    expect(await page.locator('tbody tr').first().textContent()).toMatch(/mathesar-.*\.tar.*MiB.*exact/)
    await page.screenshot(shot('console-backups'))
  }

  const followStatus = async (page: Page): Promise<void> => {
    await page.goto(box.url(root))
    await page.getByRole('heading', { name: 'Mathesar is ready' }).waitFor()
    await page.getByRole('img', { name: 'When each part of the boot' }).waitFor()
    expect(await page.locator('rect.bar').count()).toBeGreaterThan(10)
    await page.screenshot(shot('console-status'))
    expect(await box.supervisor('stop', 'mathesar')).toMatchObject({ exitCode: 0 })
    await page.getByRole('heading', { name: 'Mathesar is not ready' }).waitFor()
    expect(await box.supervisor('start', 'mathesar')).toMatchObject({ exitCode: 0 })
    await page.getByRole('heading', { name: 'Mathesar is ready' }).waitFor()
  }

  it.skipIf(noBrowser !== undefined)(
    `follows status and log, changes settings, goes back, and backs up (${noBrowser ?? 'Chromium'})`,
    { timeout: 300_000 },
    async () => {
      const { link } = await open()
      await withBrowser(async (browse) => {
        const faults: string[] = []
        const watch = (page: Page): Page => watchFaults(page, faults)
        const page = watch(await browse({ viewport: { width: 1280, height: 900 } }))
        await page.goto(box.url(root))
        await page.getByLabel('Code').fill('ABCD-1234')
        await page.getByRole('button').click()
        await page.getByText('That is not the code').waitFor()
        expect(await barriersOf(page)).toEqual([])
        await page.goto(link.replace('localhost', '127.0.0.1'))
        await page.getByRole('heading', { name: 'Mathesar is ready' }).waitFor()
        expect(page.url()).toBe(box.url(root))
        await followStatus(page)
        await changeSettings(page)
        await goBack(page)
        await readLog(page)
        await backUp(page)
        for (const part of parts) {
          await page.goto(box.url(`${root}${part}`))
          expect([part, await barriersOf(page)]).toEqual([part, []])
        }
        await page.getByRole('button', { name: 'Log out' }).click()
        await page.getByRole('heading', { name: 'The console of this Mathesar' }).waitFor()

        const phone = watch(await browse({ viewport: { width: 390, height: 844 }, colorScheme: 'dark' }))
        await phone.goto((await open()).link.replace('localhost', '127.0.0.1'))
        await phone.getByRole('heading', { name: 'Mathesar is ready' }).waitFor()
        for (const part of parts) {
          await phone.goto(box.url(`${root}${part}`))
          expect([part, await barriersOf(phone)]).toEqual([part, []])
          const isWide = await phone.evaluate('document.documentElement.scrollWidth > window.innerWidth')
          expect([part, isWide]).toEqual([part, false])
          await phone.screenshot(shot(`console-phone-dark${part.replace('/', '-')}`))
        }
        expect(faults).toEqual([])
      })
      expect(await box.logs()).not.toContain(token)
    },
  )
})

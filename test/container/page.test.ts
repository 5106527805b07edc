import { expect, it } from 'vitest'
import { cleanUpAfterEach, describeContainer, start, until } from '../helpers/docker.ts'
import { barriersOf, noBrowser, withBrowser } from '../helpers/browser.ts'

const folder = process.env.TEST_SCREENSHOTS
const shot = (name: string) => (folder === undefined ? {} : { path: `${folder}/${name}.png` })

/** The port answers: a browser would show its own page before. */
const answers = (url: string) =>
  until(
    'the port answers',
    async () =>
      await fetch(url).then(
        () => true,
        () => false,
      ),
  )

describeContainer('in a browser', () => {
  cleanUpAfterEach()

  it.skipIf(noBrowser !== undefined)(
    'the page shows the boot, and goes over to Mathesar by itself, ' +
      `at the address that was asked for${noBrowser ? ` (skipped: ${noBrowser})` : ''}`,
    async () => {
      const box = await start({ env: { SAMPLE_APP_BREAK: 'import-slow:15', SAMPLE_APP_TEST: '1' } })
      await answers(box.url('/livez'))
      await withBrowser(async (open) => {
        const faults: string[] = []
        const desktop = await open({ viewport: { width: 1280, height: 800 } })
        desktop.on('console', (message) => {
          if (message.type() === 'error' && !message.text().startsWith('Failed to load'))
            faults.push(message.text())
        })
        desktop.on('pageerror', (error) => faults.push(error.message))
        expect((await desktop.goto(box.url('/pid/')))?.status()).toBe(503)
        expect(await desktop.textContent('h1')).toBe('Mathesar is starting')
        await desktop.waitForSelector('li.busy')
        await desktop.screenshot(shot('boot-desktop'))
        expect(await barriersOf(desktop)).toEqual([])
        const phone = await open({ viewport: { width: 390, height: 844 }, colorScheme: 'dark' })
        await phone.goto(box.url('/'))
        await phone.screenshot(shot('boot-phone-dark'))
        expect(await barriersOf(phone)).toEqual([])
        const wide = await phone.evaluate('document.documentElement.scrollWidth > window.innerWidth')
        expect(wide).toBe(false)
        const plain = await open({ javaScriptEnabled: false })
        await plain.goto(box.url('/auth/login/'))
        expect(await plain.textContent('.foot')).toContain('refreshes itself')
        await desktop.getByText('ppid').waitFor({ timeout: 120_000 })
        expect(new URL(desktop.url()).pathname).toBe('/pid/')
        await plain.waitForURL(/complete_installation/, { timeout: 60_000 })
        await phone.waitForURL(/auth|complete_installation/, { timeout: 60_000 })
        await phone.screenshot(shot('mathesar-phone'))
        expect(faults).toEqual([])
      })
    },
  )

  it.skipIf(noBrowser !== undefined)(
    'the page comes back while Mathesar is away, and a refused name gets the command',
    async () => {
      const box = await start()
      await box.ready()
      await withBrowser(async (open) => {
        const page = await open()
        await page.goto(box.url('/auth/login/'))
        expect(await box.supervisor('stop', 'mathesar')).toMatchObject({ exitCode: 0 })
        await until(
          'requests no longer wait',
          async () =>
            (await fetch(box.url('/x/'), { signal: AbortSignal.timeout(1000) }).catch(() => undefined))
              ?.status === 503,
          60_000,
        )
        await page.reload()
        expect(await page.textContent('h1')).toBe('Mathesar is away for a moment')
        await page.screenshot(shot('away'))
        expect(await barriersOf(page)).toEqual([])
        expect(await box.supervisor('start', 'mathesar')).toMatchObject({ exitCode: 0 })
        await page.waitForURL(/complete_installation/, { timeout: 20_000 })
        const other = await open()
        await other.goto(`http://nas.example:${box.port}/`)
        expect(await other.textContent('h1')).toBe('Mathesar may not be opened as nas.example')
        expect(await other.textContent('code')).toBe('docker exec mathesar supervisor permit nas.example')
        await other.screenshot(shot('refused'))
        expect(await barriersOf(other)).toEqual([])
        const dark = await open({ colorScheme: 'dark' })
        await dark.goto(`http://nas.example:${box.port}/`)
        expect(await barriersOf(dark)).toEqual([])
      })
    },
  )
})

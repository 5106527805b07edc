import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const program = [
  process.env.TEST_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && existsSync(path))

/** Why tests in a browser cannot run here, if they cannot. */
export const noBrowser = program === undefined ? 'there is no Chromium (TEST_CHROMIUM)' : undefined
if (noBrowser !== undefined) console.warn(`tests in a browser are skipped: ${noBrowser}`)

const axe = (): string => readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What keeps people with disabilities from using the page, as axe-core finds it. */
export const barriersOf = async (page: Page): Promise<readonly string[]> => {
  await page.evaluate(axe())
  return await page.evaluate<string[]>(
    'axe.run().then(({ violations }) => violations.map(({ id, help }) => `${id}: ${help}`))',
  )
}

/** Collects what goes wrong in a page. That something was not loaded is each test's own to ask. */
export const watchFaults = (page: Page, faults: string[]): Page =>
  page
    .on('pageerror', ({ message }) => faults.push(message))
    .on('console', (message) => {
      if (message.type() === 'error' && !message.text().startsWith('Failed to load'))
        faults.push(message.text())
    })

/** Opens a browser, hands its pages out, and closes it. */
export const withBrowser = async (
  act: (open: (options?: BrowserContextOptions) => Promise<Page>) => Promise<void>,
): Promise<void> => {
  const browser: Browser = await chromium.launch({
    ...(program === undefined ? {} : { executablePath: program }),
    args: ['--no-sandbox', '--host-resolver-rules=MAP nas.example 127.0.0.1'],
  })
  try {
    await act(async (options) => await (await browser.newContext(options)).newPage())
  } finally {
    await browser.close()
  }
}

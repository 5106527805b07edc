import { expect, it } from 'vitest'
import { barriersOf, noBrowser, withBrowser } from '../helpers/browser.ts'
import { startDatabaseServer } from '../helpers/database-server.ts'
import {
  type Box,
  cleanUpAfterEach,
  describeContainer,
  leanImage,
  newVolume,
  onVolume,
  start,
  stopLimitMs,
  until,
} from '../helpers/docker.ts'
import { freePort } from '../helpers/port.ts'

const password = 'pass w%rd/of:owner'

const folder = process.env.TEST_SCREENSHOTS
const shot = (name: string) => (folder === undefined ? {} : { path: `${folder}/${name}.png`, fullPage: true })

type Told = {
  readonly situation: string
  readonly tail?: string
  readonly troubles: readonly {
    readonly step: string
    readonly code?: string
    readonly exitCode?: number
    readonly own?: { readonly message: string }
  }[]
}
const told = async (box: Box): Promise<Told | undefined> =>
  await fetch(box.url('/supervisor/boot')).then(
    async (response) => (response.ok ? ((await response.json()) as Told) : undefined),
    () => undefined,
  )
const answers = async (box: Box, path: string): Promise<number> => (await fetch(box.url(path))).status

describeContainer('a container that stays when its boot failed', () => {
  cleanUpAfterEach()

  it.skipIf(noBrowser !== undefined)(
    'shows what failed and why, is never taken for a healthy one, ' +
      `and exits with the code of the failure (${noBrowser ?? 'Chromium'})`,
    { timeout: 120_000 },
    async () => {
      const box = await start({ env: { SAMPLE_APP_BREAK: 'settings', ON_FAILURE: 'page' } })
      await until('the boot is hindered', async () => (await told(box))?.situation === 'hindered')
      await withBrowser(async (open) => {
        const page = await open({ viewport: { width: 1280, height: 900 } })
        await page.goto(box.url('/'))
        await page.screenshot(shot('hindered'))
        await page.getByRole('heading', { name: 'could not start' }).waitFor({ timeout: 60_000 })
        await page.getByText('exit code 10').waitFor()
        const details = page.locator('details')
        await details.locator('summary').click()
        expect(await details.textContent()).toContain('SAMPLE_APP_BREAK=settings')
        await page.screenshot(shot('kept'))
        expect(await barriersOf(page)).toEqual([])
        const phone = await open({ viewport: { width: 390, height: 844 }, colorScheme: 'dark' })
        await phone.goto(box.url('/'))
        await phone.screenshot(shot('kept-phone-dark'))
        expect(await barriersOf(phone)).toEqual([])
        expect(await phone.evaluate('document.documentElement.scrollWidth > window.innerWidth')).toBe(false)
      })
      const { troubles, situation, tail } = (await told(box))!
      expect([situation, troubles[0]]).toMatchObject([
        'kept',
        { step: 'mathesar', code: 'SERVICE_CRASH_LOOP', exitCode: 10 },
      ])
      expect(tail).toContain('SAMPLE_APP_BREAK=settings')
      expect(await box.supervisor('health')).toMatchObject({
        exitCode: 1,
        stdout: expect.stringContaining('mathesar died 8 times in a row') as string,
      })
      for (const [path, status] of [
        ['/livez', 200],
        ['/readyz', 503],
        ['/startupz', 503],
        ['/auth/login/', 503],
      ] as const)
        expect([path, await answers(box, path)]).toEqual([path, status])
      expect((await box.sh('cat /proc/[0-9]*/comm')).stdout.split('\n')).not.toContain('postgres')
      const { exitCode, ms } = await box.stop()
      expect([exitCode, ms < stopLimitMs]).toEqual([10, true])
      expect((await box.logs()).split('\n').slice(-15).join('\n')).toContain(
        'exit code 10 (SERVICE_CRASH_LOOP)',
      )
    },
  )
})

/** What somebody does in the browser who has the setup code, on a computer and on a phone. */
const correct = async (box: Box, port: number): Promise<void> => {
  await withBrowser(async (open) => {
    const page = await open({ viewport: { width: 1280, height: 900 } })
    await page.goto(box.url('/'))
    await page.getByRole('link', { name: 'Correct the settings' }).click()
    await page.screenshot(shot('fix-code'))
    expect(await barriersOf(page)).toEqual([])
    await page.getByLabel('Setup code').fill('guess')
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByText('That is not the code').waitFor()
    await page.getByLabel('Setup code').fill('correct-horse')
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.locator('.told').getByText('cannot reach the database (127.0.0.1').waitFor()
    expect(await page.content()).not.toContain('wrong-secret')
    const test = page.getByRole('button', { name: 'Test the connection' })
    await page.getByLabel('POSTGRES_PORT').fill(String(port))
    await test.click()
    await page.locator('#outcome').getByText('POSTGRES_PASSWORD').waitFor()
    await page.screenshot(shot('fix-refused'))
    expect(await barriersOf(page)).toEqual([])
    await page.getByLabel('POSTGRES_PASSWORD').fill(password)
    await test.click()
    await page.getByText('The database answers').waitFor()
    await page.screenshot(shot('fix-answers'))
    expect(await barriersOf(page)).toEqual([])
    const phone = await open({
      viewport: { width: 390, height: 844 },
      colorScheme: 'dark',
      javaScriptEnabled: false,
    })
    await phone.goto(box.url('/supervisor/fix'))
    await phone.getByLabel('Setup code').fill('correct-horse')
    await phone.getByRole('button', { name: 'Continue' }).click()
    await phone.getByLabel('POSTGRES_PASSWORD').fill(password)
    await phone.getByRole('button', { name: 'Test the connection' }).click()
    await phone.locator('#outcome').getByText('ECONNREFUSED').waitFor()
    expect(await phone.content()).not.toContain(password)
    await phone.screenshot(shot('fix-phone-dark'))
    await page.getByRole('button', { name: 'Save and try again' }).click()
    await page.waitForURL(/complete_installation/, { timeout: 60_000 })
  })
}

describeContainer('settings that keep a boot from going on', () => {
  cleanUpAfterEach()

  it.skipIf(noBrowser !== undefined)(
    'are corrected in the browser by who has the setup code, ' +
      `tried before they are saved (${noBrowser ?? 'Chromium'})`,
    { timeout: 180_000 },
    async () => {
      const port = await freePort()
      const server = await startDatabaseServer(port, password)
      const volume = await newVolume()
      // The file of an earlier container, whose database has moved since.
      const lines = ['POSTGRES_HOST=127.0.0.1', `POSTGRES_PORT=${await freePort()}`, 'POSTGRES_DB=postgres']
      const file = [...lines, 'POSTGRES_USER=owner', 'POSTGRES_PASSWORD=wrong-secret'].join('\\n')
      await onVolume(
        volume,
        `mkdir -p config; printf '${file}\\n' > config/mathesar.env; chmod 600 config/mathesar.env`,
      )
      const env = { SETUP_CODE: 'correct-horse', ON_FAILURE: 'page', DATABASE_WAIT_TIMEOUT: '3' }
      const box = await start({ image: leanImage, volume, env })
      await until('the boot is hindered', async () => (await told(box))?.situation === 'hindered')
      const stranger = await (await fetch(box.url('/'), { headers: { accept: 'text/html' } })).text()
      expect(stranger).toContain('DATABASE_UNREACHABLE')
      expect(stranger).not.toMatch(/127\.0\.0\.1|owner|ECONNREFUSED/)
      await until('the boot has failed', async () => (await told(box))?.situation === 'kept', 60_000)
      const set = `POSTGRES_PORT=${port}`
      const foreign = { 'sec-fetch-site': 'cross-site', cookie: 'mathesar_supervisor_owner=1.x' }
      for (const headers of [{}, { origin: box.url('').replace('127', '128') }, foreign] as Record<
        string,
        string
      >[]) {
        const answer = await fetch(box.url('/supervisor/fix'), {
          method: 'POST',
          body: new URLSearchParams(set),
          headers,
          redirect: 'manual',
        })
        expect(answer.status).toBe(403)
      }
      await correct(box, port)
      await box.ready()
      expect((await box.supervisor('config', 'get', 'POSTGRES_PORT')).stdout.trim()).toBe(String(port))
      const logs = await box.logs()
      for (const secret of [password, 'wrong-secret', 'correct-horse']) expect(logs).not.toContain(secret)
      const { stdout } = await box.supervisor('config', 'history', '--json')
      expect(JSON.parse(stdout)).toMatchObject([
        { from: 'page', result: 'left to boot' },
        { from: 'boot', result: 'applied' },
      ])
      const began = Date.now()
      const refused = await box.supervisor('config', 'set', `POSTGRES_PORT=${await freePort()}`)
      expect(refused).toMatchObject({
        exitCode: 50,
        stderr: expect.stringContaining('ECONNREFUSED') as string,
      })
      expect(Date.now() - began).toBeLessThan(15_000)
      expect((await box.stop()).exitCode).toBe(0)
      await server.remove()
    },
  )
})

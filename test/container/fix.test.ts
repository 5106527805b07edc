import { expect, it } from 'vitest'
import { noBrowser, withBrowser } from '../helpers/browser.ts'
import { cleanUpAfterEach, describeContainer, start, until, type Box } from '../helpers/docker.ts'

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
    `shows what failed and why, is never taken for a healthy one, and exits with the code of the failure (${noBrowser ?? 'Chromium'})`,
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
        const phone = await open({ viewport: { width: 390, height: 844 }, colorScheme: 'dark' })
        await phone.goto(box.url('/'))
        await phone.screenshot(shot('kept-phone-dark'))
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
      expect([exitCode, ms < 3000]).toEqual([10, true])
      expect((await box.logs()).split('\n').slice(-15).join('\n')).toContain(
        'exit code 10 (SERVICE_CRASH_LOOP)',
      )
    },
  )
})

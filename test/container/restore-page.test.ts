import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import type { Page } from 'playwright-core'
import { expect, it, onTestFinished } from 'vitest'
import { barriersOf, noBrowser, withBrowser } from '../helpers/browser.ts'
import {
  cleanUpAfterEach,
  describeContainer,
  logIn,
  makeAdmin,
  setupCode,
  start,
  until,
} from '../helpers/docker.ts'

const folder = process.env.TEST_SCREENSHOTS
const shot = (name: string) => (folder === undefined ? {} : { path: `${folder}/${name}.png`, fullPage: true })

/** The browser asks first whether what is kept may go. */
const restoreStored = async (page: Page): Promise<void> => {
  const button = page.getByRole('button', { name: 'Restore it' }).first()
  await button.click()
  expect(await page.getByText('It is read').count()).toBe(0)
  const mayGo = page.getByLabel(/Remove what is kept since 20/).first()
  await mayGo.check()
  await button.click()
}

describeContainer('a Mathesar that nobody has set up', () => {
  cleanUpAfterEach()

  it.skipIf(noBrowser !== undefined)(
    `takes a backup in the browser, proved first, and puts back what was there (${noBrowser ?? 'Chromium'})`,
    { timeout: 900_000 },
    async () => {
      const files = mkdtempSync(join(tmpdir(), 'restore-page-'))
      onTestFinished(() => rmSync(files, { recursive: true }))
      const archive = join(files, 'mathesar-2026-11-01T03-00-00Z.tar')
      const cut = join(files, 'cut')
      const before = await start()
      await before.ready()
      await makeAdmin(before)
      const backup = ['exec', before.id, 'supervisor', 'backup', '-', '--include-secrets']
      await execa('docker', backup, { stdout: { file: archive } })
      writeFileSync(cut, readFileSync(archive).subarray(0, -700_000))
      await before.remove()

      const box = await start({
        env: { BACKUP_TO: 'volume, /backups' },
        run: ['--volume', `${files}:/backups:ro`],
      })
      await box.ready()
      await withBrowser(async (open) => {
        const page = await open({ viewport: { width: 1280, height: 900 } })
        await page.goto(box.url('/'))
        await page.getByRole('link', { name: 'Restore a backup instead' }).click()
        await page.getByRole('heading', { name: 'Restore a backup' }).waitFor()
        expect(await barriersOf(page)).toEqual([])
        await page.getByLabel('Setup code').fill(setupCode)
        await page.getByRole('button').click()
        const button = page.getByRole('button', { name: 'Restore it' }).last()
        await button.waitFor()
        await page.screenshot(shot('restore'))
        expect(await barriersOf(page)).toEqual([])
        await page.getByLabel('Archive file').setInputFiles(cut)
        await button.click()
        await page.getByText('It was not restored').waitFor({ timeout: 150_000 })
        expect(await page.locator('#outcome').textContent()).toContain('cut off')
        await page.screenshot(shot('restore-refused'))
        await page.getByLabel('Archive file').setInputFiles(archive)
        await button.click()
        await page.getByText('It is restored').waitFor({ timeout: 150_000 })
        await page.screenshot(shot('restore-done'))
        await page.waitForURL(/auth\/login/, { timeout: 120_000 })
        await logIn(box)

        const { stdout } = await box.supervisor('console', '--json')
        const { link } = (JSON.parse(stdout) as { console: { link: string } }).console
        await page.goto(link.replace('localhost', '127.0.0.1'))
        await page.getByRole('link', { name: 'Backups' }).click()
        await page.getByRole('button', { name: 'Put back what was here before' }).click()
        await until('it is as before', async () => {
          const { status } = await fetch(box.url('/complete_installation/')).catch(() => ({ status: 0 }))
          return status === 403
        })

        await page.goto(box.url('/supervisor/restore')) // This browser has given the code.
        const stored = page.getByLabel('Archive', { exact: true })
        expect(await stored.locator('option').allTextContents()).toEqual([
          expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d UTC · Mathesar .+ · \d.+ MiB · \/backups$/),
        ])
        expect(await barriersOf(page)).toEqual([])
        await page.screenshot(shot('restore-stored'))
        await restoreStored(page)
        await page.getByText('It is restored').waitFor({ timeout: 150_000 })
        await page.waitForURL(/auth\/login/, { timeout: 120_000 })
        await logIn(box)
      })
    },
  )
})

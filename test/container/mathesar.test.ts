import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  type Box,
  browse,
  cleanUp,
  describeContainer,
  makeAdmin,
  newVolume,
  onVolume,
  start,
  until,
} from '../helpers/docker.ts'

/** What Mathesar has from 0.12 on; the sample app does the same. */
describeContainer('Mathesar 0.12', () => {
  let volume: string
  let box: Box
  beforeAll(async () => {
    volume = await newVolume()
    box = await start({
      volume,
      env: {
        SAMPLE_APP_TEST: '1',
        MATHESAR_LANDING_PAGE_URL: 'https://landing.example/',
        MATHESAR_THEME_COLOR_BRAND_ACCENT: '#147987',
        MATHESAR_AUTH_LOGO_FILE: 'auth.svg',
        DATA_FILES_STORAGE_BACKEND: 'azure',
      },
    })
    await box.ready()
    await makeAdmin(box)
  })
  afterAll(cleanUp)

  const loginPage = async (): Promise<string> => (await fetch(box.url('/auth/login/'))).text()
  const put = (text: string): Promise<string> =>
    onVolume(volume, `cat > config/login_page.yml <<'EOF'\n${text}\nEOF`)

  it('is ready where `/` leads to another site, and gets what nobody here knows', async () => {
    const home = await fetch(box.url('/'), { redirect: 'manual' })
    expect([home.status, home.headers.get('location')]).toEqual([302, 'https://landing.example/'])
    for (const [name, value] of [
      ['MATHESAR_THEME_COLOR_BRAND_ACCENT', '#147987'],
      ['MATHESAR_AUTH_LOGO_FILE', 'auth.svg'],
    ])
      expect(await (await fetch(box.url(`/env/?name=${name}`))).json()).toMatchObject({ value })
    expect(await box.logs()).not.toMatch(/unknown setting/)
  })

  it('gets a good login_page.yml, and a bad one is refused with what Mathesar would leave out', async () => {
    await put('heading: Welcome to the library\nbody: Ask at the desk')
    await until('the heading', async () => (await loginPage()).includes('Welcome to the library'))
    for (const [text, why] of [
      ['heading: [Welcome]', 'login_page.yml: heading must be a text'],
      ['heading: A\ntranslations: { no: { heading: Hei } }', 'login_page.yml: the language False is no text'],
      ['heading: 2026-11-27', 'login_page.yml: heading is no text'],
    ] as const) {
      await put(text)
      await until(`the refusal of ${text}`, async () =>
        (await box.status()).problems.some(({ message }) => message.includes(why)),
      )
      expect(await loginPage()).toContain('Ask at the desk')
    }
  })

  it('has it in a backup without secrets, which says what it has not', async () => {
    const made = await box.sh(
      `supervisor backup - > /tmp/b.tar; tar -tf /tmp/b.tar; tar -xOf /tmp/b.tar README.txt; rm /tmp/b.tar`,
    )
    expect(made.stdout).toMatch(/^config\/login_page\.yml$/m)
    const elsewhere = /Not in this archive: the files that tables were imported from .*=azure/
    expect([made.stdout, made.stderr]).toEqual([
      expect.stringMatching(elsewhere),
      expect.stringMatching(elsewhere),
    ])
  })

  it('has the tables and files of the admin of Django, whoever turns it on', async () => {
    const statusOf = async (path: string): Promise<number> => (await browse(box).get(path)).status
    const style = '/static/admin/css/base.css'
    expect([await statusOf('/admin/login/'), await statusOf(style)]).toEqual([404, 200])
    const tables = await box.supervisor('psql', '-Atc', "SELECT to_regclass('django_admin_log')")
    expect(tables.stdout.trim()).toBe('django_admin_log')
    const set = await box.supervisor('config', 'set', 'MATHESAR_DJANGO_ADMIN_ENABLED=true')
    expect(set).toMatchObject({ exitCode: 0 })
    expect(await statusOf('/admin/login/')).toBe(200)
    const { units } = await box.status()
    expect(units.find(({ name }) => name === 'migrations')).toMatchObject({ state: 'done' })
  })

  it('writes each line of its log once', async () => {
    expect((await browse(box).get('/boom/')).status).toBe(500)
    const count = async (text: string): Promise<number> => (await box.logs()).split(text).length - 1
    await until('the traceback', async () => (await count('RuntimeError: boom')) > 0)
    expect(await count('RuntimeError: boom')).toBe(1)
    expect(await count('Internal Server Error: /boom/')).toBe(1)
  })
})

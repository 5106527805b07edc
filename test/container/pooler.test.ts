import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { startDatabaseServer } from '../helpers/database-server.ts'
import { type Box, cleanUp, describeContainer, makeAdmin, start, until } from '../helpers/docker.ts'
import { noPooler, startPooler } from '../helpers/pooler.ts'
import { freePort } from '../helpers/port.ts'

const password = 'pass w%rd/of:owner'
const title = `promote, where a pooler is in front${noPooler === undefined ? '' : ` (skipped: ${noPooler})`}`

describeContainer(title, () => {
  if (noPooler !== undefined) return
  let server: Box
  let port: number
  let box: Box
  const poolers: Awaited<ReturnType<typeof startPooler>>[] = []

  beforeAll(async () => {
    port = await freePort()
    server = await startDatabaseServer(port, password)
    await until('the server answers', async () => (await there('postgres', 'select 1')).exitCode === 0)
    box = await start({ env: { BACKUP_SCHEDULE: 'off' } })
    await box.ready()
    await makeAdmin(box)
    await box.supervisor('psql', '-c', 'CREATE DATABASE shop')
    const built = 'CREATE TABLE kept (n int PRIMARY KEY); INSERT INTO kept SELECT generate_series(1, 1000)'
    await box.supervisor('psql', '-d', 'shop', '-c', built)
  }, 120_000)
  afterEach(async () => {
    await Promise.all(poolers.splice(0).map(({ stop }) => stop()))
  })
  afterAll(cleanUp)

  const there = (database: string, text: string) =>
    server.exec(
      'sh',
      '-c',
      `PGPASSWORD="$PGPASS_TEXT" psql -X -h 127.0.0.1 -p ${port} -U owner -d ${database} -tAc "$0"`,
      text,
    )
  const pool = async (pooling: Parameters<typeof startPooler>[1]): Promise<string> => {
    const pooler = await startPooler({ port, user: 'owner', password }, pooling)
    poolers.push(pooler)
    return urlAt(pooler.port)
  }
  const urlAt = (at: number): string =>
    `postgres://owner:${encodeURIComponent(password)}@127.0.0.1:${at}/postgres`
  const refused = async (to: string, ...words: readonly string[]): Promise<void> => {
    const { exitCode, stderr } = await box.supervisor('promote', '--to', to)
    for (const word of words) expect(stderr).toContain(word)
    expect(exitCode).toBe(88)
  }
  const databases = async (): Promise<string> =>
    (await there('postgres', 'SELECT count(*) FROM pg_database WHERE NOT datistemplate')).stdout

  it('that lends a session for a transaction: refused', async () => {
    await refused(await pool({}), 'a pooler is in front of it, which lends a session for one transaction')
    expect(await databases()).toBe('1')
  })

  it('that has a single session to lend: refused', async () => {
    await refused(await pool({ mode: 'session', size: 1 }), 'it has one session at a time to give')
    expect(await databases()).toBe('1')
  })

  it('that knows but one user: fails with its words, and leaves no database', async () => {
    const to = await pool({ mode: 'session' })
    const { exitCode, stderr } = await box.supervisor('promote', '--to', to)
    expect(stderr).toContain('cannot move to that server: it says: password authentication failed')
    expect(exitCode).toBe(89)
    expect(await databases()).toBe('1')
  })

  it('that lends whole sessions: Mathesar moves there through it, and is not left through it', async () => {
    const to = await pool({ mode: 'session', size: 20, asksServer: true })
    const moved = await box.supervisor('promote', '--to', to, '--within', '60')
    expect(moved.exitCode, moved.stderr).toBe(0)
    expect(await box.status()).toMatchObject({ database: 'external', ready: true, problems: [] })
    expect((await there('shop', 'SELECT count(*) FROM kept')).stdout).toBe('1000')
    const other = urlAt(port)
    await refused(other, 'cannot leave the server', 'gives sessions no settings of their own')
    const back = await box.supervisor('promote', '--back')
    expect(back.exitCode, back.stderr).toBe(0)
    expect(await box.status()).toMatchObject({ database: 'embedded', ready: true, problems: [] })
  })
})

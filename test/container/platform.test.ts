import { Agent, get } from 'node:http'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { startDatabaseServer } from '../helpers/database-server.ts'
import {
  cleanUp,
  describeContainer,
  leanImage,
  makeAdmin,
  newVolume,
  start,
  until,
  type Box,
} from '../helpers/docker.ts'
import { noPooler, startPooler } from '../helpers/pooler.ts'
import { freePort } from '../helpers/port.ts'

const owner = 'owner'
const password = 'pass word of the owner'
const key = { SECRET_KEY: 'common-0123456789-0123456789-0123456789-0123456789' }
/** `TEST_ROUNDS=20` for the figure. */
const rounds = Number(process.env.TEST_ROUNDS ?? 2)

/** What a platform gives: no disk, no root, an environment. */
const onPlatform = { image: leanImage, run: ['--read-only', '--user', '12345:0', '--cap-drop', 'ALL'] }

type Answer = { readonly status: number | undefined; readonly connection: string | undefined }
const ask = (url: string, agent?: Agent): Promise<Answer> =>
  new Promise((resolve, reject) => {
    get(url, agent === undefined ? { agent: false } : { agent }, (response) => {
      response.resume().once('end', () => {
        const { statusCode: status, headers } = response
        resolve({ status, connection: headers.connection })
      })
    }).once('error', reject)
  })

describeContainer('a container on a platform', () => {
  let server: Box
  let port: number
  let count = 0

  beforeAll(async () => {
    port = await freePort()
    server = await startDatabaseServer(port, password)
    await until('the server answers', async () => (await sql('postgres', 'select 1')).exitCode === 0)
  })
  afterAll(cleanUp)

  const boxes: Box[] = []
  const launch = async (options: Parameters<typeof start>[0]): Promise<Box> => {
    const box = await start(options)
    boxes.push(box)
    return box
  }
  afterEach(async () => {
    await Promise.all(boxes.splice(0).map((box) => box.remove()))
  })

  const sql = (database: string, text: string) =>
    server.sh(
      `PGPASSWORD="$PGPASS_TEXT" psql -h 127.0.0.1 -p ${port} -U ${owner} -d ${database} -qtAc "${text}"`,
    )
  const newDatabase = async (at = port): Promise<{ name: string; DATABASE_URL: string }> => {
    const name = `fresh_${++count}`
    expect((await sql('postgres', `create database ${name}`)).exitCode).toBe(0)
    const login = `${owner}:${encodeURIComponent(password)}`
    return { name, DATABASE_URL: `postgres://${login}@127.0.0.1:${at}/${name}?sslmode=prefer` }
  }
  const duplicates = async (name: string): Promise<string> =>
    (await sql(name, 'select count(*) - count(distinct (app, name)) from django_migrations')).stdout

  it('says that a release command was stopped before it was done', async () => {
    const { name, DATABASE_URL } = await newDatabase()
    const held = sql(name, 'select pg_advisory_lock(1835103336), pg_sleep(60)')
    const command = await launch({ ...onPlatform, env: { ...key, DATABASE_URL }, args: ['migrate'] })
    await until('it waits for the lock', async () => (await command.logs()).includes('waiting for it'))
    await command.signal('TERM')
    expect(await command.ended()).toBe(53)
    expect(await command.logs()).toContain('cannot go on: it was asked to stop')
    await sql('postgres', `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`)
    await held
  })

  it('waits for the release command where it never migrates, drains at a stop, needs no disk', async () => {
    const { DATABASE_URL } = await newDatabase()
    const env = { ...key, DATABASE_URL, RUN_MIGRATIONS: 'never', SAMPLE_APP_TEST: '1' }
    const box = await launch({ ...onPlatform, env: { ...env, DRAIN_DELAY: '8', STOP_GRACE_PERIOD: '60' } })
    const waits = await until('it says what it waits for', async () => {
      const { detail } = await box.unit('migrations').catch(() => ({ detail: null }))
      return detail?.startsWith('waits for `supervisor migrate` (RUN_MIGRATIONS=never)') && detail
    })
    expect(waits).toMatch(/: \d+ migrations to run$/)
    expect((await ask(box.url('/readyz'))).status).toBe(503)

    const release = { ...onPlatform, env, args: ['migrate'] }
    const command = await launch(release)
    expect(await command.ended(), await command.logs()).toBe(0)
    expect(await command.logs()).toContain('running migrations')
    await box.ready()
    expect(await box.logs()).not.toContain('running migrations')
    expect(await (await launch(release)).ended()).toBe(0)
    const wrong = { ...env, DATABASE_URL: DATABASE_URL.replace('pass', 'miss') }
    expect(await (await launch({ ...release, env: wrong })).ended()).toBe(51)

    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    expect(await ask(box.url('/pid/'), agent)).toEqual({ status: 200, connection: 'keep-alive' })
    const slow = ask(box.url('/slow/?s=15'))
    await until('a worker has the request', () => box.serves())
    await box.signal('TERM')
    await until('it is no longer ready', async () => (await ask(box.url('/readyz'))).status === 503)
    expect((await box.status()).phase).toBe('draining')
    const [one, other] = [await ask(box.url('/pid/'), agent), await ask(box.url('/pid/'), agent)]
    for (const { status, connection } of [one, other])
      expect([status, connection]).toEqual([200, expect.stringContaining('close')])
    await until('nobody listens', () =>
      ask(box.url('/pid/')).then(
        () => false,
        (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
      ),
    )
    expect(await box.isRunning(), 'the request in flight goes on').toBe(true)
    expect((await slow).status).toBe(200)
    expect(await box.ended(), await box.logs()).toBe(0)
    agent.destroy()
  })

  it(
    `is one of five at an empty database: exactly one migrates, also when that is killed, ${rounds} times`,
    async () => {
      const tookMs: number[] = []
      for (let round = 0; round < rounds; round++) {
        const isKilled = round % 2 === 1
        const { name, DATABASE_URL } = await newDatabase()
        // So that the kill comes in the midst of them.
        if (isKilled)
          await sql(
            name,
            `create function slow() returns event_trigger language plpgsql as
              \\$\\$begin perform pg_sleep(0.03); end\\$\\$;
            create event trigger slow on ddl_command_start execute function slow()`,
          )
        const began = Date.now()
        const env = { ...key, DATABASE_URL }
        const all = await Promise.all(Array.from({ length: 5 }, () => launch({ ...onPlatform, env })))
        const migrates = async (box: Box): Promise<boolean> =>
          (await box.logs()).includes('running migrations')
        const whoMigrate = async (): Promise<Box[]> => {
          const answers = await Promise.all(all.map(migrates))
          return all.filter((_, at) => answers[at])
        }
        const [first] = await until('one migrates', async () => {
          const found = await whoMigrate()
          return found.length > 0 && found
        })
        if (isKilled) await first!.signal('KILL')
        const others = isKilled ? all.filter((box) => box !== first) : all
        await Promise.all(others.map((box) => box.ready()))
        tookMs.push(Date.now() - began)
        expect((await whoMigrate()).length).toBe(isKilled ? 2 : 1)
        expect(await duplicates(name)).toBe('0')
        await Promise.all(all.map((box) => box.remove()))
      }
      if (rounds > 2) console.log(`five replicas, ms until all are ready: ${tookMs.join(' ')}`)
    },
    180_000 * rounds,
  )

  it.skipIf(noPooler !== undefined)(
    'is migrated once, and serves, through a pooler that lends a connection a transaction' +
      (noPooler === undefined ? '' : ` (skipped: ${noPooler})`),
    async () => {
      const pooler = await startPooler({ port, user: owner, password })
      try {
        const { name, DATABASE_URL } = await newDatabase(pooler.port)
        const env = { ...key, DATABASE_URL }
        const all = await Promise.all(Array.from({ length: 3 }, () => launch({ ...onPlatform, env })))
        await Promise.all(all.map((box) => box.ready()))
        const logs = (await Promise.all(all.map((box) => box.logs()))).join('\n')
        expect(logs.match(/running migrations/g)).toHaveLength(1)
        expect(await duplicates(name)).toBe('0')
        await makeAdmin(all[0]!)
        expect((await all[1]!.supervisor('admin', 'list')).stdout).toContain('admin')
        // Nobody keeps the lock that one transaction had.
        expect((await sql(name, "select count(*) from pg_locks where locktype = 'advisory'")).stdout).toBe(
          '0',
        )
      } finally {
        await Promise.all(boxes.splice(0).map((box) => box.remove()))
        await pooler.stop()
      }
    },
  )

  it('takes what the environment says at each start, whatever it has kept from before', async () => {
    const { name, DATABASE_URL } = await newDatabase()
    const volume = await newVolume()
    const box = await launch({ image: leanImage, volume, env: { ...key, DATABASE_URL } })
    await box.ready()
    await box.remove()
    // A platform rotates the password.
    await sql('postgres', `create role app login superuser password 'rotated'`)
    const rotated = `postgres://app:rotated@127.0.0.1:${port}/${name}`
    const again = await launch({ image: leanImage, volume, env: { ...key, DATABASE_URL: rotated } })
    await again.ready()
    expect((await again.supervisor('psql', '-tAc', 'select current_user')).stdout).toBe('app')
  })
})

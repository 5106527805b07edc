import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startDatabaseServer } from '../helpers/database-server.ts'
import {
  cleanUp,
  describeContainer,
  image,
  leanImage,
  logIn,
  makeAdmin,
  newVolume,
  onVolume,
  start,
  until,
  type Box,
} from '../helpers/docker.ts'
import { asNewerImage, removeNewerImages } from '../helpers/newer-image.ts'
import { startLoad } from '../helpers/load.ts'
import { freePort } from '../helpers/port.ts'

const owner = 'owner'
const password = 'pass w%rd/of:owner'

describeContainer('an external database', () => {
  let server: Box
  let port: number
  let count = 0

  beforeAll(async () => {
    port = await freePort()
    server = await startDatabaseServer(port, password)
    await until('the server answers', async () => (await sql('postgres', 'select 1')).exitCode === 0)
  })
  afterAll(cleanUp)
  removeNewerImages()

  const sql = (database: string, text: string) =>
    server.sh(
      `PGPASSWORD="$PGPASS_TEXT" psql -h 127.0.0.1 -p ${port} -U ${owner} -d ${database} -tAc "${text}"`,
    )
  const newDatabase = async (): Promise<Record<string, string>> => {
    const name = `fresh_${++count}`
    expect((await sql('postgres', `create database ${name}`)).exitCode).toBe(0)
    return {
      POSTGRES_HOST: '127.0.0.1',
      POSTGRES_PORT: String(port),
      POSTGRES_DB: name,
      POSTGRES_USER: owner,
      POSTGRES_PASSWORD: password,
    }
  }

  /** How long a connection made with Mathesar's environment waits for a server that vanished: s, ms, s. */
  const limitsOf = async (box: Box): Promise<unknown> => {
    const program = `
import json, os, psycopg, socket
from psycopg.conninfo import timeout_from_conninfo
given = {name: os.environ[f'POSTGRES_{name.upper()}'] for name in ('host', 'port', 'user', 'password')}
connection = psycopg.connect(**given, dbname=os.environ['POSTGRES_DB'])
tcp = socket.socket(fileno=os.dup(connection.fileno()))
read = lambda option: tcp.getsockopt(socket.IPPROTO_TCP, option)
print(json.dumps([timeout_from_conninfo({}), read(socket.TCP_USER_TIMEOUT), read(socket.TCP_KEEPIDLE)]))`
    const { pid } = await box.unit('mathesar')
    const asMathesar = 'setpriv --reuid mathesar --regid mathesar --clear-groups'
    const withItsEnvironment = `xargs -0 -a /proc/${pid}/environ sh -c 'exec env -i "$@" python3 -c "$0"'`
    const { stdout } = await box.sh(`${asMathesar} ${withItsEnvironment} "${program}"`)
    return JSON.parse(stdout)
  }

  it.each([
    ['lean', leanImage],
    ['full', image],
  ])('serves the %s image, and no embedded Postgres runs', async (_, name) => {
    const box = await start({ image: name, env: await newDatabase() })
    await box.ready()
    await makeAdmin(box)
    expect(await box.status()).toMatchObject({ database: 'external', ready: true })
    expect(await box.unit('postgres')).toMatchObject({ state: 'skipped', pid: null })
    expect((await box.sh('cat /proc/[0-9]*/comm')).stdout.split('\n')).not.toContain('postgres')
    expect((await box.sh('ls /var/lib/mathesar')).stdout).not.toContain('postgres')
    expect(await box.supervisor('psql', '-tAc', 'select current_user')).toMatchObject({
      exitCode: 0,
      stdout: owner,
    })
    expect(await limitsOf(box)).toEqual([30, 30_000, 15])
    const archive = await box.sh(
      'set -e; cd /tmp; supervisor backup --portable > a.tar; tar -xf a.tar; ' +
        'sha256sum --check --quiet SHA256SUMS; ' +
        'cat databases/1.dump.zst.* | zstd -d > dump; head -c 5 dump; supervisor backup verify /tmp/a.tar',
    )
    expect(archive).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^PGDMPevery checksum is right/),
      stderr: expect.stringContaining('A portable archive has the rows'),
    })
    expect(await box.supervisor('backup', 'volume')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('cannot copy the files of an external database'),
    })
    expect(await box.logs()).not.toContain(password)
    expect((await box.stop()).exitCode).toBe(0)
  })

  it('is also named by DATABASE_URL', async () => {
    const { POSTGRES_DB } = await newDatabase()
    const box = await start({
      image: leanImage,
      env: {
        DATABASE_URL: `postgres://${owner}:${encodeURIComponent(password)}@127.0.0.1:${port}/${POSTGRES_DB}`,
      },
    })
    await box.ready()
    expect(await box.status()).toMatchObject({ database: 'external', ready: true })
    expect(await box.logs()).not.toContain(password)
    expect((await box.stop()).exitCode).toBe(0)
  })

  it('is migrated exactly once by two containers that start together, and both get ready', async () => {
    const env: Record<string, string> = {
      ...(await newDatabase()),
      SECRET_KEY: 'common-0123456789-0123456789-0123456789-0123456789',
    }
    const boxes = await Promise.all([start({ image: leanImage, env }), start({ image: leanImage, env })])
    await Promise.all(boxes.map((box) => box.ready()))
    const logs = (await Promise.all(boxes.map((box) => box.logs()))).join('\n')
    expect(logs.match(/running migrations/g)).toHaveLength(1)
    expect(
      (await sql(env.POSTGRES_DB!, 'select count(*) - count(distinct (app, name)) from django_migrations'))
        .stdout,
    ).toBe('0')
    for (const box of boxes) expect((await box.stop()).exitCode).toBe(0)
  })

  it('that two containers found empty, each with a key, serves the one that migrated', async () => {
    const env = await newDatabase()
    // That of the migrations.
    const held = sql(env.POSTGRES_DB!, 'select pg_advisory_lock(1835103336), pg_sleep(60)')
    const granted = "from pg_locks where locktype = 'advisory' and granted"
    await until('it is held', async () => (await sql(env.POSTGRES_DB!, `select 1 ${granted}`)).stdout === '1')
    // Limits such as hosts have do not end a session that waits. Django comes later, and has none.
    const limits = ['idle_session_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout']
    const alter = (change: (limit: string) => string) =>
      sql('postgres', limits.map((limit) => `alter database ${env.POSTGRES_DB!} ${change(limit)};`).join(''))
    expect((await alter((limit) => `set ${limit} = 1000`)).exitCode).toBe(0)
    const boxes = await Promise.all([start({ image: leanImage, env }), start({ image: leanImage, env })])
    for (const box of boxes)
      await until('it waits', async () =>
        (await box.logs()).includes('another container runs the migrations'),
      )
    await delay(1500)
    expect((await alter((limit) => `reset ${limit}`)).exitCode).toBe(0)
    await sql(env.POSTGRES_DB!, `select pg_terminate_backend(pid) ${granted}`)
    await held
    const outcomes = await Promise.all(
      boxes.map((box) => {
        const ready = box.ready().then(
          () => 'ready',
          () => 'not ready',
        )
        return Promise.race([ready, box.ended()])
      }),
    )
    expect(new Set(outcomes)).toEqual(new Set([56, 'ready']))
    const logs = await Promise.all(boxes.map((box) => box.logs()))
    for (const log of logs) expect(log).not.toContain('is run again')
    expect(logs[outcomes.indexOf(56)]).toContain('it was made with another one, which encrypted')
  })

  it('of an earlier installation is exit code 35 for a new volume, and works with its key', async () => {
    const env = await newDatabase()
    const first = await start({ image: leanImage, env })
    await first.ready()
    await makeAdmin(first)
    const { stdout: key } = await first.exec('cat', '/var/lib/mathesar/secrets/secret_key')
    await first.remove()
    const rows = async (): Promise<string> =>
      (
        await sql(
          env.POSTGRES_DB!,
          'select id, app, name from django_migrations order by id; select username from mathesar_user',
        )
      ).stdout
    const before = await rows()
    const volume = await newVolume()
    // Twice: what a refused boot leaves must not count as a key.
    const refused = await start({ image: leanImage, env, volume })
    for (const again of [false, true]) {
      if (again) await refused.startAgain()
      expect(await refused.ended()).toBe(35)
      expect(await refused.logs()).toMatch(
        new RegExp(
          `exit code 35 \\(SECRETS_MISSING\\): cannot find ` +
            `.*secret_key.*\\b${env.POSTGRES_DB}\\b.*\\n.*-e SECRET_KEY=`,
        ),
      )
    }
    expect(await onVolume(volume, 'ls -A secrets')).toBe('')
    expect(await rows()).toBe(before)
    for (const given of [{ SECRET_KEY: key }, undefined]) {
      const box = await start({ image: leanImage, env: { ...env, ...given }, volume })
      await box.ready()
      await logIn(box)
      expect(await onVolume(volume, 'cat secrets/secret_key')).toBe(key)
      await box.remove()
    }
  })

  it('that crashes under load is a 503 for a moment, never a 500, and restarts nothing', async () => {
    const box = await start({ image: leanImage, env: await newDatabase() })
    await box.ready()
    await makeAdmin(box)
    const load = startLoad(box.url('/auth/login/'), 8)
    for (let crashes = 0; crashes < 5; crashes++) {
      await delay(500)
      // When one of its processes dies, Postgres ends all sessions and recovers.
      const query = "select pid from pg_stat_activity where backend_type = 'checkpointer'"
      await server.exec('kill', '-9', (await sql('postgres', query)).stdout)
      await until('it answers again', async () => (await sql('postgres', 'select 1')).exitCode === 0)
    }
    const { failed } = await load.stop()
    expect([...new Set(failed)]).toEqual(['status 503'])
    await box.ready()
    expect(await box.unit('mathesar')).toMatchObject({ generation: 1, restarts: 0 })
    expect(await box.logs()).not.toContain('Traceback')
    await box.remove()
  })

  it('that is away turns /readyz soon after the first page that fails, and back', async () => {
    const sockets = new Set<Socket>()
    const road = createServer((socket) => {
      const onward = connect(port, '127.0.0.1')
      for (const each of [socket, onward]) {
        sockets.add(each)
        each.on('error', () => {}).once('close', () => [socket, onward].forEach((end) => end.destroy()))
      }
      socket.pipe(onward).pipe(socket)
    })
    const roadPort = await freePort()
    const openRoad = () => once(road.listen(roadPort, '127.0.0.1'), 'listening')
    await openRoad()
    const env = { ...(await newDatabase()), POSTGRES_PORT: String(roadPort) }
    const box = await start({ image: leanImage, env })
    await box.ready()
    const ask = async (path: string): Promise<number> =>
      (await fetch(box.url(path), { redirect: 'manual' })).status
    const becomes = (status: number) =>
      until(`/readyz answers ${status}`, async () => (await ask('/readyz')) === status)
    await delay(1500) // Nobody would look again for 15 s.
    road.close()
    for (const socket of sockets) socket.destroy()
    expect(await ask('/auth/login/')).toBe(503)
    const failedMs = Date.now()
    await becomes(503)
    expect(Date.now() - failedMs).toBeLessThan(10_000)
    await openRoad()
    await becomes(200)
    expect(await box.unit('mathesar')).toMatchObject({ state: 'ready', generation: 1, restarts: 0 })
    road.close()
    await box.remove()
  })

  it('that nobody listens for is waited for, then exit code 50', async () => {
    const box = await start({
      image: leanImage,
      env: { ...(await newDatabase()), POSTGRES_PORT: String(await freePort()), DATABASE_WAIT_TIMEOUT: '1' },
    })
    expect(await box.ended()).toBe(50)
    expect(await box.logs()).toContain('exit code 50 (DATABASE_UNREACHABLE)')
  })

  it('that comes up later is waited for', async () => {
    const env = await newDatabase()
    await server.signal('STOP')
    try {
      const box = await start({ image: leanImage, env })
      await until('it waits', async () =>
        (await box.status().catch(() => undefined))?.units.some(
          ({ name, state }) => name === 'database' && state === 'running',
        ),
      )
      await server.signal('CONT')
      await box.ready()
    } finally {
      await server.signal('CONT')
    }
  })

  it('that refuses the password is exit code 51 at once', async () => {
    const box = await start({
      image: leanImage,
      env: { ...(await newDatabase()), POSTGRES_PASSWORD: 'wrong' },
    })
    expect(await box.ended()).toBe(51)
    expect(await box.logs()).toContain('exit code 51 (DATABASE_REFUSED)')
  })

  it('that a newer image migrated is exit code 52, is not changed, and works again once mended', async () => {
    const env = await newDatabase()
    const box = await start({ image: leanImage, env })
    await box.ready()
    await makeAdmin(box)
    expect((await box.stop()).exitCode).toBe(0)
    const rows = async (): Promise<string> =>
      (
        await sql(
          env.POSTGRES_DB!,
          'select id, app, name from django_migrations order by id; select username from mathesar_user',
        )
      ).stdout
    expect(
      (
        await sql(
          env.POSTGRES_DB!,
          "insert into django_migrations (app, name, applied) values ('mathesar', '9999_future', now())",
        )
      ).exitCode,
    ).toBe(0)
    const before = await rows()
    await box.startAgain()
    expect(await box.ended()).toBe(52)
    expect(await box.logs()).toContain('mathesar.9999_future')
    expect(await rows()).toBe(before)
    await sql(env.POSTGRES_DB!, "delete from django_migrations where name = '9999_future'")
    await box.startAgain()
    await box.ready()
  })

  it('that cannot be written is exit code 51', async () => {
    const env: Record<string, string> = { ...(await newDatabase()), DATABASE_WAIT_TIMEOUT: '1' }
    await sql('postgres', `alter database ${env.POSTGRES_DB} set default_transaction_read_only = on`)
    const box = await start({ image: leanImage, env })
    expect(await box.ended()).toBe(51)
    expect(await box.logs()).toMatch(
      /exit code 51 \(DATABASE_REFUSED\): .* it takes no writes from this user/,
    )
  })

  it('in which the user may create no tables is exit code 53, until the command that is named', async () => {
    const guest = { POSTGRES_USER: 'guest', POSTGRES_PASSWORD: 'guest-0123' }
    const env: Record<string, string> = { ...(await newDatabase()), ...guest }
    await sql('postgres', `create role guest login password 'guest-0123'`)
    const box = await start({ image: leanImage, env })
    expect(await box.ended()).toBe(53)
    const logs = await box.logs()
    expect(logs).toContain('user guest may not create tables in schema public of database')
    const [, grant] = /type: (GRANT .*);/.exec(logs) ?? []
    expect((await sql(env.POSTGRES_DB!, grant!)).exitCode).toBe(0)
    await box.startAgain()
    await box.ready()
  })

  it('in which a migration waits for a lock says which one, and whose lock it is', async () => {
    const env = await newDatabase()
    const options = { image: leanImage, env, volume: await newVolume() }
    const old = await start(options)
    await old.ready()
    await old.stop()
    const held = sql(env.POSTGRES_DB!, 'begin; lock mathesar_note; select pg_sleep(60)')
    const run = await asNewerImage('0006_note_is_pinned')
    const box = await start({ ...options, run })
    const step = 'migration 1 of 1: mathesar.0006_note_is_pinned; it waits for a lock (role owner, process '
    await until('it says so', async () =>
      (await box.unit('migrations').catch(() => undefined))?.detail?.startsWith(step),
    )
    await sql(
      'postgres',
      `select pg_terminate_backend(pid) from pg_stat_activity where query ~ 'lock mathesar_note' and ` +
        'pid <> pg_backend_pid()',
    )
    await held
    await box.ready()
    expect(await box.logs()).toContain(step)
  })

  it('whose migrations fail is exit code 53', async () => {
    const box = await start({
      image: leanImage,
      env: { ...(await newDatabase()), SAMPLE_APP_BREAK: 'settings' },
    })
    expect(await box.ended()).toBe(53)
    expect(await box.logs()).toContain('exit code 53 (MIGRATIONS_FAILED)')
  })
})

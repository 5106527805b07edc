import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Status } from '../../src/core/status.ts'
import {
  clusterState,
  copyVolume,
  type Daemon,
  makeTemplate,
  missing,
  removeVolume,
  startDaemon,
  until,
} from '../helpers/daemon.ts'
import { startLoad } from '../helpers/load.ts'
import { startPostgres } from '../helpers/postgres.ts'

const user = 'owner'
const password = 'pass w%rd/of:owner'

describe.skipIf(missing !== undefined)('a change of the database', () => {
  let template: string
  let other: Awaited<ReturnType<typeof startPostgres>>
  let volume: string
  let databases = 0
  const daemons: Daemon[] = []
  const start = async (env?: Record<string, string>): Promise<Daemon> => {
    const daemon = await startDaemon(volume, env ? { env } : {})
    daemons.push(daemon)
    await daemon.ready()
    return daemon
  }
  const newDatabase = async (): Promise<string> => {
    const name = `fresh_${++databases}`
    await other.query(`CREATE DATABASE ${name}`)
    return name
  }
  const settingsOf = (database: string): Record<string, string> => ({
    POSTGRES_HOST: '127.0.0.1',
    POSTGRES_PORT: String(other.port),
    POSTGRES_DB: database,
    POSTGRES_USER: user,
    POSTGRES_PASSWORD: password,
  })
  const set = (daemon: Daemon, settings: Record<string, string>) =>
    daemon.run(['config', 'set', ...Object.entries(settings).map((pair) => pair.join('='))])
  const status = async (daemon: Daemon): Promise<Status> =>
    (await daemon.ask<Status>('GET', '/v1/status')).body
  beforeAll(async () => {
    template = await makeTemplate()
    other = await startPostgres(user, password)
  })
  afterAll(async () => {
    await other.stop()
    removeVolume(template)
  })
  beforeEach(() => {
    volume = copyVolume(template)
  })
  afterEach(async () => {
    for (const daemon of daemons.splice(0)) await daemon.end()
    removeVolume(volume)
  })

  test('to an external one and back loses no row and fails no request', async () => {
    const daemon = await start()
    await daemon.query("CREATE TABLE kept AS SELECT 'still here' AS word")
    const database = await newDatabase()
    const load = startLoad(`${daemon.url}/auth/login/`, 4)
    const there = await set(daemon, settingsOf(database))
    expect(there.code, there.text).toBe(0)
    expect(await daemon.inMathesar('POSTGRES_DB')).toBe(database)
    expect(await status(daemon)).toMatchObject({ database: 'external', ready: true, problems: [] })
    expect((await status(daemon)).units.find(({ name }) => name === 'postgres')).toMatchObject({
      state: 'skipped',
      pid: null,
    })
    expect(clusterState(volume)).toBe('shut down')
    for (const action of ['start', 'restart']) {
      const refused = await daemon.run([action, 'postgres'])
      expect(refused, refused.text).toMatchObject({
        code: 2,
        text: expect.stringContaining(`cannot ${action} postgres: the database is external`),
      })
    }
    expect((await daemon.run(['stop', 'postgres'])).code).toBe(0)
    expect((await status(daemon)).units.find(({ name }) => name === 'postgres')).toMatchObject({
      state: 'skipped',
      pid: null,
    })
    expect(
      await other.query('SELECT count(*)::int > 0 AS migrated FROM django_migrations', database),
    ).toEqual([{ migrated: true }])

    const back = await daemon.run(['config', 'unset', ...Object.keys(settingsOf(''))])
    expect(back.code, back.text).toBe(0)
    expect(await status(daemon)).toMatchObject({ database: 'embedded', ready: true, problems: [] })
    expect(await daemon.query('SELECT word FROM kept')).toEqual([{ word: 'still here' }])
    expect(await daemon.inMathesar('POSTGRES_HOST')).toBe(join(volume, 'run/postgres'))

    expect((await daemon.run(['config', 'rollback'])).code).toBe(0)
    expect(await daemon.inMathesar('POSTGRES_DB')).toBe(database)
    expect((await load.stop()).failed).toEqual([])
    await daemon.end()
    const again = await start()
    expect(await status(again)).toMatchObject({ database: 'external', ready: true })
  })

  test('to one that says no, or does not answer, is rolled back while Mathesar goes on serving', async () => {
    const daemon = await start()
    const load = startLoad(`${daemon.url}/auth/login/`, 4)
    const wrong = await set(daemon, {
      ...settingsOf(await newDatabase()),
      POSTGRES_PASSWORD: 'wrong-but-secret',
    })
    expect(wrong, wrong.text).toMatchObject({
      code: 51,
      text: expect.stringContaining('password authentication failed'),
    })
    expect((await set(daemon, settingsOf('there_is_none'))).code).toBe(51)
    expect(
      (
        await set(daemon, {
          DATABASE_WAIT_TIMEOUT: '1',
          DATABASE_URL: 'postgres://owner:wrong-but-secret@127.0.0.1:1/none',
        })
      ).code,
    ).toBe(50)
    expect((await set(daemon, { POSTGRES_HOST: '127.0.0.1' })).code).toBe(21)
    expect(await status(daemon)).toMatchObject({ database: 'embedded', ready: true, problems: [] })
    expect((await status(daemon)).units.find(({ name }) => name === 'database')).toMatchObject({
      state: 'done',
      detail: null,
    })
    expect(await daemon.inMathesar('POSTGRES_DB')).toBe('mathesar_django')
    expect((await load.stop()).failed).toEqual([])
    expect(
      `${daemon.output}${readFileSync(join(volume, 'data/history/history.json'), 'utf8')}${wrong.text}`,
    ).not.toContain('wrong-but-secret')
    expect(await daemon.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  test('from an external one to an embedded one that was never made, makes it', async () => {
    removeVolume(join(volume, 'data'))
    const database = await newDatabase()
    mkdirSync(join(volume, 'data/config'), { recursive: true })
    writeFileSync(
      join(volume, 'data/config/mathesar.env'),
      Object.entries(settingsOf(database))
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    )
    const external = await start()
    expect(await status(external)).toMatchObject({ database: 'external', ready: true })
    const answer = await external.run(['config', 'unset', ...Object.keys(settingsOf(''))])
    expect(answer.code, answer.text).toBe(0)
    expect(await status(external)).toMatchObject({ database: 'embedded', ready: true })
    await external.query("CREATE TABLE kept AS SELECT 'still here' AS word")
    await external.end()
    const again = await start()
    expect(await again.query('SELECT word FROM kept')).toEqual([{ word: 'still here' }])
  })

  test('by DATABASE_URL in the environment puts aside what the file says', async () => {
    const [one, two] = [await newDatabase(), await newDatabase()]
    const daemon = await start()
    expect((await set(daemon, settingsOf(one))).code).toBe(0)
    await daemon.end()
    const url = `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${other.port}/${two}`
    const second = await start({ DATABASE_URL: url })
    expect(await second.inMathesar('POSTGRES_DB')).toBe(two)
    expect(await second.inMathesar('DATABASE_URL')).toBeNull()
    await until('the environment to be written', () =>
      readFileSync(second.file, 'utf8').includes(`\nDATABASE_URL=${url}\n`),
    )
    expect(readFileSync(second.file, 'utf8')).not.toMatch(/^POSTGRES_/m)
    await second.end()
    const third = await start()
    expect(await third.inMathesar('POSTGRES_DB')).toBe(two)
  })
})

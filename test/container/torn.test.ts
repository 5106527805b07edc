import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Box, cleanUp, dataFolder, describeContainer, start } from '../helpers/docker.ts'
import { copyWhileWritten } from '../helpers/torn-copy.ts'
import { startWriters } from '../helpers/writers.ts'

const copies = Number(process.env.TEST_COPIES ?? 3)

const amcheck = [
  'setpriv --reuid postgres --regid postgres --clear-groups',
  'env PGHOST=/run/mathesar/postgres PGUSER=postgres',
  '/usr/lib/postgresql/17/bin/pg_amcheck --all --install-missing --heapallindexed',
].join(' ')

describeContainer('a volume that was copied while Postgres wrote', () => {
  const folder = mkdtempSync(join(tmpdir(), 'torn-'))
  const at = (name: string): string => join(folder, name)
  /** A container on a folder of the host, whose sockets can be reached from here. */
  const startOn = async (name: string, env: Readonly<Record<string, string>> = {}): Promise<Box> => {
    for (const each of [name, `${name}-run`]) mkdirSync(at(each), { recursive: true })
    const run = ['--volume', `${at(name)}:${dataFolder}`, '--volume', `${at(`${name}-run`)}:/run/mathesar`]
    return await start({ run, env: { BACKUP_SCHEDULE: 'off', ...env } })
  }
  const remove = async (box: Box, name: string): Promise<void> => {
    await box.remove()
    for (const each of [name, `${name}-run`]) rmSync(at(each), { recursive: true, force: true })
  }
  let source: Box
  let writers: ReturnType<typeof startWriters>
  let ended: readonly Promise<void>[] = []
  let archived: readonly number[] = []

  beforeAll(async () => {
    source = await startOn('source')
    await source.ready()
    writers = startWriters(at('source-run/postgres'))
    await writers.prepare()
    ended = writers.begin()
    await delay(1000)
    archived = [...writers.acknowledged]
    expect(await source.supervisor('backup', 'volume')).toMatchObject({ exitCode: 0 })
  }, 200_000)
  afterAll(async () => {
    writers.end()
    await Promise.all(ended)
    await cleanUp()
    rmSync(folder, { recursive: true, force: true })
  })

  const copyOnce = async (count: number): Promise<{ name: string; before: readonly number[] }> => {
    const name = `copy-${count}`
    const before = [...writers.acknowledged]
    const copying = { order: count % 2 === 0 ? 'names' : 'any', pauseMs: count % 4 } as const
    const copied = copyWhileWritten(at('source'), at(name), copying)
    if (count % 3 === 1) {
      await delay(200)
      await source.supervisor('psql', '--superuser', '-c', 'CHECKPOINT')
    }
    await copied
    return { name, before }
  }

  it(
    `${copies} times is whole, or the newest backup in it is restored`,
    {
      timeout: 100_000 + copies * 120_000,
    },
    async () => {
      const outcomes: Record<string, number> = {}
      for (let count = 0; count < copies; count++) {
        const { name, before } = await copyOnce(count)
        const box = await startOn(name)
        await box.ready()
        const logs = await box.logs()
        const isWhole = logs.includes('the copy is whole')
        const isRestored = /the backup of .* is restored: what was written after it is missing/.test(logs)
        expect([isWhole, isRestored], logs).toContain(true)
        expect(isWhole && isRestored).toBe(false)
        const found = await startWriters(at(`${name}-run/postgres`)).lost(isWhole ? before : archived)
        expect(found, `${name}\n${logs}`).toEqual([])
        expect(await box.sh(amcheck), logs).toMatchObject({ exitCode: 0 })
        const why =
          /cannot serve this copy[^]*?UTC\), and ([a-z ]+)/.exec(logs)?.[1] ?? 'Postgres did not start'
        const outcome = isWhole ? 'whole' : why
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
        if (copies > 3) console.log(count, outcome)
        await remove(box, name)
      }
      console.log(`${copies} copies: ${JSON.stringify(outcomes)}`)
    },
  )
})

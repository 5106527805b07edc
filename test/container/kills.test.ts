import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, expect, it } from 'vitest'
import { cleanUp, describeContainer, newVolume, start } from '../helpers/docker.ts'
import { startWriters } from '../helpers/writers.ts'

const kills = Number(process.env.TEST_KILLS ?? 3)

describeContainer('a container that is killed under writes', () => {
  const run = mkdtempSync(join(tmpdir(), 'kills-'))
  afterAll(async () => {
    await cleanUp()
    rmSync(run, { recursive: true, force: true })
  })

  it(`${kills} times has every row that it acknowledged`, { timeout: 60_000 + kills * 30_000 }, async () => {
    const box = await start({ volume: await newVolume(), run: ['--volume', `${run}:/run/mathesar`] })
    await box.ready()
    const writers = startWriters(join(run, 'postgres'))
    await writers.prepare()
    const ended = writers.begin()
    for (let kill = 1; kill <= kills; kill++) {
      await delay(100 + 900 * Math.random())
      const before = writers.acknowledged.length
      await box.signal('KILL')
      await box.ended()
      await box.startAgain()
      await box.ready()
      expect(await writers.lost(), `after kill ${kill}`).toEqual([])
      if (kill % 25 === 0) console.log(`${kill} kills: ${before} rows acknowledged, none lost`)
    }
    writers.end()
    await Promise.all(ended)
    expect(await writers.lost()).toEqual([])
    expect(await box.logs()).not.toContain('was copied while')
    console.log(`${kills} kills: ${writers.acknowledged.length} rows acknowledged, none lost`)
  })
})

import { createServer } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  browse,
  checksumOf,
  cleanUp,
  clusterState,
  describeContainer,
  leanImage,
  logIn,
  makeAdmin,
  newVolume,
  onVolume,
  start,
  stopLimitMs,
  until,
  type Box,
  type Options,
} from '../helpers/docker.ts'

const refused = async (options: Options, exitCode: number, code: string): Promise<string> => {
  const box = await start(options)
  expect(await box.ended(), await box.logs()).toBe(exitCode)
  const logs = await box.logs()
  expect(logs.split('\n').slice(-3).join('\n')).toContain(`exit code ${exitCode} (${code}): cannot `)
  await box.remove()
  return logs
}

describeContainer('a refusal with nothing at stake', () => {
  afterAll(cleanUp)

  it('is exit code 2 for an unknown command', async () => {
    const box = await start({ args: ['dance'] })
    expect(await box.ended()).toBe(2)
    expect(await box.logs()).toContain('dance')
  })

  it('is exit code 20 for a bad variable, which it names', async () => {
    expect(await refused({ env: { PORT: 'abc' } }, 20, 'SETTING_INVALID')).toContain('PORT')
  })

  it('is exit code 21 for a partial set of database settings, and names what is missing', async () => {
    expect(await refused({ env: { POSTGRES_HOST: 'db' } }, 21, 'DATABASE_SETTINGS_PARTIAL')).toContain(
      'POSTGRES_DB, POSTGRES_USER',
    )
  })

  it('is exit code 22 for the lean image without a database', async () => {
    const logs = await refused(
      { image: leanImage, env: { DATABSE_URL: 'postgres://db/m' } },
      22,
      'DATABASE_NOT_CONFIGURED',
    )
    expect(logs).toContain('DATABASE_URL')
    expect(logs).toContain('unknown setting DATABSE_URL: did you mean DATABASE_URL?')
  })

  it('is exit code 31 for a volume that is too small', async () => {
    await refused(
      { run: ['--mount', `type=tmpfs,destination=/var/lib/mathesar,tmpfs-size=8m`] },
      31,
      'VOLUME_FULL',
    )
  })

  it('is exit code 31 for a volume that became full, and all is there when there is room again', async () => {
    const volume = await newVolume(150)
    const box = await start({ volume })
    // Else the volume would go with the last container.
    const holder = await start({ volume, run: ['--entrypoint', 'sleep'], args: ['1000'] })
    await box.ready()
    await makeAdmin(box)
    await box.stop()
    await holder.sh('dd if=/dev/zero of=/var/lib/mathesar/fill bs=1M')
    await box.startAgain()
    expect(await box.ended()).toBe(31)
    expect(await box.logs()).toContain(
      'exit code 31 (VOLUME_FULL): cannot use /var/lib/mathesar: no space left (0.0 MiB are free)',
    )
    await holder.sh('rm /var/lib/mathesar/fill')
    await box.startAgain()
    await box.ready()
    await logIn(box)
    // The status says the same while all runs.
    await holder.sh('dd if=/dev/zero of=/var/lib/mathesar/fill bs=1M || :')
    expect((await box.status()).problems).toContainEqual(
      expect.objectContaining({ code: 'VOLUME_FULL', message: 'the volume is full: 0.0 MiB are free' }),
    )
    await holder.sh('rm /var/lib/mathesar/fill')
    expect((await box.status()).problems).toEqual([])
  })

  it('is exit code 60 for root without the right to become another user', async () => {
    await refused({ run: ['--cap-drop', 'ALL'] }, 60, 'PRIVILEGES_INSUFFICIENT')
  })

  it('is exit code 70 after a stop that had to kill Postgres, and the next boot recovers', async () => {
    const box = await start({ env: { STOP_GRACE_PERIOD: '2' } })
    await box.ready()
    expect((await box.sh(`kill -STOP ${(await box.unit('postgres')).pid}`)).exitCode).toBe(0)
    const { exitCode, ms } = await box.stop()
    expect(exitCode).toBe(70)
    expect(ms).toBeLessThan(stopLimitMs)
    expect((await box.logs()).split('\n').slice(-3).join('\n')).toContain('exit code 70 (STOP_NOT_CLEAN)')
    await box.startAgain()
    await box.ready()
    expect((await box.stop()).exitCode).toBe(0)
  })
})

describeContainer(
  'a refusal on a volume with data leaves it as it was, and the next boot works once mended:',
  () => {
    let volume: string

    beforeAll(async () => {
      volume = await newVolume()
      const box = await start({ volume })
      await box.ready()
      await (await makeAdmin(box)).submit('/notes/', { text: 'still here' })
      expect((await box.stop()).exitCode).toBe(0)
      await box.remove()
    })
    afterAll(cleanUp)

    const works = async (options: Options = {}): Promise<void> => {
      const box = await start({ volume, ...options })
      await box.ready()
      expect((await (await logIn(box)).get('/notes/')).text).toContain('still here')
      expect((await box.stop()).exitCode).toBe(0)
      await box.remove()
      expect(await clusterState(volume)).toBe('shut down')
    }
    const unchanged = async (act: () => Promise<unknown>): Promise<void> => {
      const before = await checksumOf(volume)
      await act()
      expect(await checksumOf(volume)).toBe(before)
    }

    it('exit code 30 for a volume that is read-only', async () => {
      await unchanged(() => refused({ volume: `${volume}:ro` }, 30, 'VOLUME_NOT_WRITABLE'))
      await works()
    })

    it('exit code 30 for a volume of another user', async () => {
      await unchanged(() => refused({ volume, run: ['--user', '12345:12345'] }, 30, 'VOLUME_NOT_WRITABLE'))
      await works()
    })

    it('exit code 32 for a volume in use, and its user goes on', async () => {
      const first = await start({ volume })
      await first.ready()
      await refused({ volume }, 32, 'VOLUME_IN_USE')
      expect((await first.status()).ready).toBe(true)
      expect(await browse(first).get('/auth/login/')).toMatchObject({ status: 200 })
      expect((await first.stop()).exitCode).toBe(0)
      await works()
    })

    it('exit code 33 for the data of another major of Postgres', async () => {
      await onVolume(volume, 'echo 16 > postgres/PG_VERSION')
      await unchanged(async () =>
        expect(await refused({ volume }, 33, 'CLUSTER_OTHER_MAJOR')).toContain('Postgres 16'),
      )
      await onVolume(volume, 'echo 17 > postgres/PG_VERSION')
      await works()
    })

    it('exit code 34 for a folder that is not empty but no cluster', async () => {
      await onVolume(volume, 'mv postgres/PG_VERSION postgres/moved')
      await unchanged(() => refused({ volume }, 34, 'CLUSTER_DAMAGED'))
      await onVolume(volume, 'mv postgres/moved postgres/PG_VERSION')
      await works()
    })

    it('exit code 34 for a cluster that is gone or behind a dead link: none is made anew', async () => {
      for (const gone of ['true', 'mkdir postgres', 'ln -s /none/postgres postgres']) {
        await onVolume(volume, `mv postgres away; ${gone}`)
        await unchanged(async () =>
          expect(await refused({ volume }, 34, 'CLUSTER_DAMAGED')).toContain(
            'cannot find the cluster that has served from this volume: there is none in',
          ),
        )
        await onVolume(volume, 'test ! -L postgres || rm postgres; rm -rf postgres; mv away postgres')
      }
      await works()
    })

    it('exit code 34 for a database that was renamed, and the hint renames it back', async () => {
      const single = (command: string): Promise<string> =>
        onVolume(
          volume,
          `echo '${command}' | setpriv --reuid=5432 --regid=5432 --clear-groups ` +
            'postgres --single -D /var/lib/mathesar/postgres postgres',
        )
      await single('ALTER DATABASE "mathesar_django" RENAME TO shop')
      const logs = await refused({ volume }, 34, 'CLUSTER_DAMAGED')
      expect(logs).toContain('cannot find the database mathesar_django,')
      expect(logs).toContain('there are postgres, shop')
      expect(logs).toContain('`--single -D /var/lib/mathesar/postgres postgres`')
      await single('ALTER DATABASE "shop" RENAME TO mathesar_django')
      await works()
    })

    it('exit code 35 for a secret key that is gone, which giving the key mends', async () => {
      const key = await onVolume(volume, 'cat secrets/secret_key; rm secrets/secret_key')
      await unchanged(() => refused({ volume }, 35, 'SECRETS_MISSING'))
      await works({ env: { SECRET_KEY: key } })
      await works()
    })

    it('exit code 40 for a port that is taken', async () => {
      const server = createServer()
      const port = await new Promise<number>((resolve) =>
        server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
      )
      try {
        await unchanged(async () =>
          expect(await refused({ volume, env: { PORT: String(port) } }, 40, 'PORT_IN_USE')).toContain(
            String(port),
          ),
        )
      } finally {
        await new Promise((resolve) => server.close(resolve))
      }
      await works()
    })

    it('exit code 10 for a crash loop', async () => {
      const box: Box = await start({ volume, env: { SAMPLE_APP_BREAK: 'settings' } })
      await until('Mathesar is given another try', async () =>
        (await box.logs()).includes('mathesar is backoff'),
      )
      expect(await box.ended()).toBe(10)
      await box.remove()
      await works()
    })
  },
)

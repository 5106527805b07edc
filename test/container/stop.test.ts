import { constants } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { execa } from 'execa'
import { expect, it } from 'vitest'
import {
  browse,
  cleanUpAfterEach,
  clusterState,
  describeContainer,
  newVolume,
  start,
  stopLimitMs,
  until,
} from '../helpers/docker.ts'

describeContainer('SIGTERM in each phase of the first boot', () => {
  cleanUpAfterEach()

  it.each(Array.from({ length: 16 }, (_, step) => step * 100))(
    'stops in order %i ms after docker run, once PID 1 catches it, and the next boot works on that volume',
    async (afterMs) => {
      const volume = await newVolume()
      const began = Date.now()
      const box = await start({ volume })
      // The kernel drops a signal that PID 1 has no handler for yet. Node has one of its own long before
      // ours: that is enough, and the shim watches from before that.
      await until('PID 1 catches SIGTERM', () => box.catches(constants.signals.SIGTERM))
      await delay(Math.max(0, afterMs - (Date.now() - began)))
      const { exitCode, ms } = await box.stop()
      expect(exitCode, await box.logs()).toBe(0)
      expect(ms).toBeLessThan(stopLimitMs)
      await box.startAgain()
      await box.ready()
      expect(await browse(box).get('/auth/login/')).toMatchObject({
        status: 302,
        location: '/complete_installation/',
      })
      expect((await box.stop()).exitCode).toBe(0)
      expect(await clusterState(volume)).toBe('shut down')
    },
  )
})

describeContainer('SIGTERM before the supervisor can listen', () => {
  cleanUpAfterEach()

  it('is not lost while the shim runs', async () => {
    // A blocked signal stays pending through exec: so it is there from the first moment.
    const stopFirst =
      'syscall($Config{archname} =~ /^aarch64/ ? 135 : 14, 0, my $set = pack("Q", 1 << 14), 0, 8); ' +
      'kill TERM => $$; exec "supervisor", "run"'
    const box = await start({ run: ['--entrypoint', 'perl'], args: ['-MConfig', '-e', stopFirst] })
    const began = Date.now()
    expect(await box.ended(), await box.logs()).toBe(0)
    expect(Date.now() - began).toBeLessThan(stopLimitMs)
    expect(await box.logs()).toMatch(/SIG(TERM|PWR): stopping/)
  })

  // From inside: no client of Docker is as fast as that. The bit is that of SIGTERM (15).
  it.each([
    ['the shim hands over', "'^SigBlk:.*0004002$|^SigCgt:.*[4-7c-f]...$'"],
    ['Node starts', "'^SigCgt:.*[4-7c-f]...$'"],
  ])('is not lost while %s', async (_, phase) => {
    const stopEarly =
      `(until grep -Eq ${phase} /proc/1/status; do :; done; kill -TERM 1) & ` + 'exec supervisor run'
    const box = await start({ run: ['--entrypoint', 'sh'], args: ['-c', stopEarly] })
    const began = Date.now()
    expect(await box.ended(), await box.logs()).toBe(0)
    expect(Date.now() - began).toBeLessThan(stopLimitMs)
    expect(await box.logs()).toMatch(/SIG(TERM|PWR): stopping/)
  })
})

describeContainer('a stop', () => {
  cleanUpAfterEach()

  it('with a client connected is clean within 8 s and answers the request in flight, 20 times', async () => {
    const volume = await newVolume()
    const box = await start({ volume, env: { SAMPLE_APP_TEST: '1' } })
    for (let round = 0; round < 20; round++) {
      if (round > 0) await box.startAgain()
      await box.ready()
      let client: Promise<unknown>
      if (round % 2 === 0) {
        client = browse(box)
          .get('/slow/?s=1')
          .then(({ status }) => expect(status).toBe(200))
        client.catch(() => {})
        await until('a worker has the request', () => box.serves())
      } else {
        const psql = execa(
          'docker',
          ['exec', box.id, 'supervisor', 'psql', '-Atc', 'select $$open$$', '-c', 'select pg_sleep(60)'],
          { reject: false, buffer: false },
        )
        client = psql
        await until(
          'psql is connected',
          async () =>
            (
              await box.supervisor(
                'psql',
                '-tAc',
                "select 1 from pg_stat_activity where query like '%pg_sleep(60)'  and pid <> " +
                  'pg_backend_pid()',
              )
            ).stdout === '1',
        )
      }
      const { exitCode, ms } = await box.stop()
      expect(exitCode, `round ${round}: ${await box.logs()}`).toBe(0)
      expect(ms).toBeLessThan(stopLimitMs)
      await client
      expect(await clusterState(volume)).toBe('shut down')
    }
  })

  it('hurries on a second signal', async () => {
    const volume = await newVolume()
    const box = await start({ volume, env: { SAMPLE_APP_TEST: '1', STOP_GRACE_PERIOD: '100' } })
    await box.ready()
    browse(box)
      .get('/slow/?s=25')
      .catch(() => {})
    await until('a worker has the request', () => box.serves())
    const began = Date.now()
    await box.signal('TERM')
    await until('it is stopping', async () => (await box.status()).phase === 'stopping')
    await box.signal('TERM')
    expect(await box.ended()).toBe(0)
    expect(Date.now() - began).toBeLessThan(stopLimitMs)
    expect(await clusterState(volume)).toBe('shut down')
  })

  it('is in order below an init, which starts the supervisor without a command', async () => {
    const box = await start({
      run: ['--init', '--entrypoint', '/usr/local/bin/supervisor'],
    })
    await box.ready()
    expect((await box.stop()).exitCode, await box.logs()).toBe(0)
    expect(await box.logs()).toContain('everything stopped cleanly')
  })

  it('is also asked for by SIGPWR, which never hurries', async () => {
    const box = await start({ env: { SAMPLE_APP_TEST: '1' } })
    await box.ready()
    const slow = browse(box).get('/slow/?s=1')
    await until('a worker has the request', () => box.serves())
    for (let i = 0; i < 3; i++) await box.signal('PWR')
    expect((await slow).status).toBe(200)
    expect(await box.ended()).toBe(0)
    expect(await box.logs()).not.toContain('by force')
  })

  it('is also asked for by SIGINT, and SIGHUP restarts Mathesar alone', async () => {
    const box = await start()
    await box.ready()
    const before = await box.status()
    await box.signal('HUP')
    await until('Mathesar was restarted', async () => {
      const { units, ready } = await box.status()
      return (
        ready &&
        units.find(({ name }) => name === 'mathesar')!.pid !==
          before.units.find(({ name }) => name === 'mathesar')!.pid
      )
    })
    expect((await box.unit('postgres')).pid).toBe(before.units.find(({ name }) => name === 'postgres')!.pid)
    await box.signal('INT')
    expect(await box.ended()).toBe(0)
  })
})

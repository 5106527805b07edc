import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  browse,
  cleanUpAfterEach,
  clusterState,
  describeContainer,
  logIn,
  makeAdmin,
  newVolume,
  patience,
  start,
  stopLimitMs,
  until,
} from '../helpers/docker.ts'

describeContainer('a boot', () => {
  cleanUpAfterEach()

  it('from nothing ends in a working app; all is there after a start, and in a new container', async () => {
    const volume = await newVolume()
    const box = await start({ volume })
    await box.ready()
    const visitor = browse(box)
    expect(await visitor.get('/auth/login/')).toMatchObject({
      status: 302,
      location: '/complete_installation/',
    })
    const browser = await makeAdmin(box)
    expect(await browser.submit('/notes/', { text: 'remember the milk' })).toMatchObject({ status: 302 })
    expect(await browser.submit('/roles/', { name: 'alice', password: 'wonderland-42' })).toMatchObject({
      status: 302,
    })
    expect(await box.logs()).toContain(`Mathesar is ready: http://localhost:${box.port}`)
    const stored = await box.supervisor(
      'psql',
      '-tAc',
      "select password from mathesar_configuredrole where name = 'alice'",
    )
    expect(stored.stdout).not.toContain('wonderland')

    const holds = async (other: typeof box): Promise<void> => {
      const again = await logIn(other)
      expect((await again.get('/notes/')).text).toContain('remember the milk')
      expect((await again.get('/roles/')).text).toContain('wonderland-42')
    }
    const stopped = await box.stop()
    expect(stopped.exitCode).toBe(0)
    expect(stopped.ms).toBeLessThan(stopLimitMs)
    expect(await clusterState(volume)).toBe('shut down')

    await box.startAgain()
    await box.ready()
    await holds(box)
    expect((await box.stop()).exitCode).toBe(0)
    await box.remove()

    const next = await start({ volume })
    await next.ready()
    await holds(next)
    expect((await next.stop()).exitCode).toBe(0)
    expect(await clusterState(volume)).toBe('shut down')
  })

  it('serves nothing from a new cluster before it is on the disk, and else makes it again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sync-'))
    try {
      const slow = join(folder, 'sync')
      await writeFile(slow, '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 })
      const volume = await newVolume()
      const box = await start({ volume, run: ['--volume', `${slow}:/usr/bin/sync:ro`] })
      await until(
        'all but the disk is done',
        async () => (await box.unit('migrations').catch(() => undefined))?.state === 'done',
      )
      expect(await box.unit('sync')).toMatchObject({ state: 'running' })
      expect(await browse(box).get('/auth/login/')).toMatchObject({ status: 503 })
      expect(await box.unit('mathesar')).toMatchObject({ state: 'starting' })
      await box.supervisor('psql', '-c', 'create table lost ()')
      await box.signal('KILL')
      await box.ended()

      const next = await start({ volume })
      await next.ready()
      expect(await next.unit('sync')).toMatchObject({ state: 'done' })
      expect(
        (await next.supervisor('psql', '-tAc', "select to_regclass('lost') is null")).stdout.trim(),
      ).toBe('t')
      expect((await next.supervisor('psql', '-c', 'create table kept ()')).exitCode).toBe(0)
      await next.signal('KILL')
      await next.ended()
      await next.startAgain()
      await next.ready()
      expect(
        (await next.supervisor('psql', '-tAc', "select to_regclass('kept') is null")).stdout.trim(),
      ).toBe('f')
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('makes a cluster with checksums and a human sort order, and a role that is no superuser', async () => {
    const box = await start()
    await box.ready()
    const { stdout } = await box.supervisor(
      'psql',
      '-tAc',
      "select current_setting('data_checksums'), current_setting('listen_addresses'), " +
        "(select datlocprovider from pg_database where datname = 'mathesar_django'), rolsuper, " +
        "rolcreatedb, rolcreaterole from pg_roles where rolname = 'mathesar'",
    )
    expect(stdout.trim()).toBe('on||i|f|t|t')
  })

  it('works where an old engine answers EPERM to clone3 and other new calls', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'seccomp-'))
    try {
      const profile = join(folder, 'old-engine.json')
      const names = ['clone3', 'faccessat2', 'close_range', 'openat2', 'pidfd_open', 'epoll_pwait2']
      await writeFile(
        profile,
        JSON.stringify({
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [{ names, action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
        }),
      )
      const box = await start({ run: ['--security-opt', `seccomp=${profile}`] })
      await box.ready()
      const { exitCode, stdout } = await box.supervisor('status')
      expect(exitCode).toBe(0)
      expect(stdout).toMatch(/^Mathesar: ready/)
      expect((await box.supervisor('manage', 'check')).exitCode).toBe(0)
      expect(await browse(box).get('/auth/login/')).toMatchObject({ status: 302 })
      expect((await box.stop()).exitCode).toBe(0)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it.each([
    ['as PID 1', 20_000 / patience, []],
    ['under docker run --init', 2000 / patience, ['--init']],
  ] as const)('%s leaves no zombie of %i orphans', async (_, number, run) => {
    const box = await start({ run })
    await box.ready()
    const before = await box.status()
    const orphans = await box.exec(
      'perl',
      '-e',
      `for (1 .. ${number}) { my $child = fork; if (!$child) { fork; exit } waitpid $child, 0 }`,
    )
    expect(orphans.exitCode, orphans.stderr).toBe(0)
    const zombies = `grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l`
    let count = -1
    for (let look = 0; look < 50 && count !== 0; look++) count = Number((await box.sh(zombies)).stdout)
    expect(count).toBe(0)
    const after = await box.status()
    if (run.length === 0)
      expect(after.supervisor.reaped - before.supervisor.reaped).toBeGreaterThanOrEqual(number)
    expect(after).toMatchObject({ exitCode: 0, ready: true })
    expect(after.units.map(({ pid }) => pid)).toEqual(before.units.map(({ pid }) => pid))
    expect((await box.stop()).exitCode).toBe(0)
  })
})

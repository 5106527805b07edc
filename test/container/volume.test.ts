import { mkdtemp, rmdir, writeFile, rm, chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  cleanUpAfterEach,
  dataFolder,
  describeContainer,
  logIn,
  makeAdmin,
  newVolume,
  onVolume,
  start,
  type Options,
} from '../helpers/docker.ts'

/** The log of a container that ends at once with this exit code. */
const refused = async (options: Options, exitCode: number): Promise<string> => {
  const box = await start(options)
  expect(await box.ended(), await box.logs()).toBe(exitCode)
  return await box.logs()
}

describeContainer('a volume', () => {
  cleanUpAfterEach()

  it('may be mounted in parts, with /dev/shm closed: the cluster is made in its part', async () => {
    const cluster = await newVolume()
    const box = await start({
      run: [
        `--volume=${cluster}:${dataFolder}/postgres`,
        `--tmpfs=${dataFolder}/tmp`,
        '--tmpfs=/dev/shm:mode=755',
      ],
    })
    await box.ready()
    await makeAdmin(box)
    expect((await box.supervisor('psql', '-tAc', 'show dynamic_shared_memory_type')).stdout).toBe('mmap')
    expect(await box.logs()).toContain(
      `${dataFolder} is an anonymous volume: a new container does not find it, and --rm removes it.`,
    )
    expect((await box.stop()).exitCode).toBe(0)
    expect(await onVolume(cluster, 'ls')).toContain('PG_VERSION')
    await box.startAgain()
    await box.ready()
    await logIn(box)
  })

  it('of a folder of the host that lost its owners serves again; its own mode stays', async () => {
    const volume = await mkdtemp(join(tmpdir(), 'volume-'))
    try {
      await onVolume(volume, 'chown 1000:100 .; chmod 2770 .')
      const first = await start({ volume })
      await first.ready()
      await makeAdmin(first)
      expect((await first.stop()).exitCode).toBe(0)
      await first.remove()
      await onVolume(volume, 'chown -R 0:0 postgres media secrets; find postgres -type d -empty -delete')

      const box = await start({ volume, run: ['--cpus', '0.6', '--memory', '190m', '--pids-limit', '60'] })
      await box.ready(90_000)
      await logIn(box)
      const logs = await box.logs()
      expect(logs).toMatch(/\d+ files in \/var\/lib\/mathesar\/postgres were not postgres's: given back/)
      expect(logs).toContain('empty folders of Postgres were missing and are created again: pg_commit_ts, ')
      expect(logs).toContain('190 MiB, 0.6 processors')
      expect(logs).toContain('less than 200 MiB of memory')
      expect(logs).toContain('this container may have 60 processes, and 64 are needed')
      expect(logs).not.toContain('anonymous')
      expect((await box.sh(`stat -c %a:%u:%g ${dataFolder}`)).stdout.trim()).toBe('2771:1000:100')
      expect((await box.stop()).exitCode).toBe(0)
    } finally {
      await onVolume(volume, 'find . -mindepth 1 -delete')
      await rmdir(volume)
    }
  })

  it('of another image is not overlooked, wherever it is mounted', async () => {
    const volume = await newVolume()
    await onVolume(volume, 'mkdir mathesar; echo 17 > mathesar/PG_VERSION')
    const before = await onVolume(volume, 'ls -lAR')
    const words = 'there is a cluster of another image in'
    expect(await refused({ volume }, 36)).toContain(`${words} ${dataFolder}/mathesar`)
    const beside = { run: ['--volume', `${volume}:/var/lib/postgresql`] }
    expect(await refused(beside, 36)).toContain(`${words} /var/lib/postgresql/mathesar`)
    expect(await onVolume(volume, 'ls -lAR')).toBe(before)
  })

  it('that cannot be used says what to type next', async () => {
    const volume = await newVolume()
    const nocopy = { run: ['--user', '12345:0', '--volume', `${volume}:${dataFolder}:nocopy`] }
    expect(await refused(nocopy, 30)).toContain(`-R 12345:0 ${dataFolder}`)
    expect(await refused({ volume: `${volume}:ro` }, 30)).toContain('leave off `:ro`')
    const closed = ['--read-only', '--user', '12345:0', '--tmpfs', '/dev/shm:mode=755']
    expect(await refused({ run: closed }, 30)).toContain('`--tmpfs /run/mathesar`')
  })
})

describeContainer('an /etc/passwd of the host', () => {
  cleanUpAfterEach()

  it('ends the start: both services would run as one user, or as users of the host', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'passwd-'))
    try {
      const passwd = join(folder, 'passwd')
      await writeFile(passwd, 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n')
      await chmod(passwd, 0o644)
      const logs = await refused({ run: ['--volume', `${passwd}:/etc/passwd:ro`] }, 60)
      expect(logs).toContain('/etc/passwd does not have the users postgres (5432), mathesar (8000)')
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

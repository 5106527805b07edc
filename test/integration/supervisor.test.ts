import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  clusterState,
  type Daemon,
  makeVolume,
  missing,
  removeVolume,
  startDaemon,
  until,
} from '../helpers/daemon.ts'

if (missing) console.log(`integration tests of the supervisor: skipped, ${missing}`)

/** A field of /proc/PID/status. */
const statusOf = (pid: number, field: string): string =>
  new RegExp(`^${field}:\\s+(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? ''

const isAlive = (pid: number): boolean => {
  try {
    return !statusOf(pid, 'State').startsWith('Z')
  } catch {
    return false
  }
}

const childrenOf = (parent: number): number[] =>
  readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number)

const zombies = (parent: number): number =>
  childrenOf(parent).filter((pid) => {
    try {
      return statusOf(pid, 'State').startsWith('Z')
    } catch {
      return false
    }
  }).length

describe.skipIf(missing !== undefined)('the supervisor with a real Postgres and the sample app', () => {
  let volume: string
  const daemons: Daemon[] = []
  const start = async (options?: Parameters<typeof startDaemon>[1]): Promise<Daemon> => {
    const daemon = await startDaemon(volume, options)
    daemons.push(daemon)
    return daemon
  }
  beforeEach(() => {
    volume = makeVolume()
  })
  afterEach(async () => {
    for (const daemon of daemons.splice(0)) await daemon.end()
    removeVolume(volume)
  })

  test('boots from nothing, stops in order, and boots again on what it left', async () => {
    const first = await start()
    await first.ready()
    expect((await fetch(`${first.url}/auth/login/`, { redirect: 'manual' })).status).toBe(302)
    const status = first.status()
    expect(status).toMatchObject({
      version: 1,
      ready: true,
      phase: 'running',
      database: 'embedded',
      problems: [],
    })
    expect(status.boot.criticalPath.at(-1)?.unit).toBe('mathesar')
    expect(first.cli('status').code).toBe(0)
    first.signal('SIGTERM')
    expect(await first.exited).toEqual({ code: 0, signal: null })
    expect(clusterState(volume)).toBe('shut down')
    const key = readFileSync(join(volume, 'data/secrets/secret_key'), 'utf8')
    expect(first.output).not.toContain(key)

    const second = await start()
    await second.ready()
    expect(readFileSync(join(volume, 'data/secrets/secret_key'), 'utf8')).toBe(key)
    expect(second.output).not.toContain('not properly shut down')
  })

  test('stops with exit code 0 whenever SIGTERM comes in the first boot; the next boot works', async () => {
    for (const afterMs of [0, 60, 120, 250, 400, 700, 1000, 1400]) {
      const daemon = await start()
      await until('the handlers', () => daemon.output.includes('supervisor 0.'), 10_000)
      // The phase is what is tested: any will do.
      await new Promise((resolve) => setTimeout(resolve, afterMs))
      daemon.signal('SIGTERM')
      expect(await daemon.exited, `after ${afterMs} ms:\n${daemon.output}`).toEqual({ code: 0, signal: null })
    }
    await (await start()).ready()
  })

  test('exits with 70 when further signals have Postgres end at once; the next boot recovers', async () => {
    const daemon = await start({ env: { STOP_GRACE_PERIOD: '100' } })
    await daemon.ready()
    const postmaster = daemon.status().units.find(({ name }) => name === 'postgres')!.pid!
    const checkpointer = childrenOf(postmaster).find((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('checkpointer'),
    )!
    process.kill(checkpointer, 'SIGSTOP') // Postgres waits for its last checkpoint.
    daemon.signal('SIGTERM')
    await until('Mathesar to be stopped', () => daemon.output.includes('mathesar is stopped'))
    for (let further = 1; further <= 2; further++) {
      daemon.signal('SIGTERM')
      await until(
        'the signal to be heard',
        () => daemon.output.split('stopping by force').length === further + 1,
      )
    }
    await until('Postgres to hear of it', () => daemon.output.includes('received immediate shutdown request'))
    process.kill(checkpointer, 'SIGCONT')
    expect(await daemon.exited, daemon.output).toEqual({ code: 70, signal: null })
    expect(daemon.output).toContain('exit code 70 (STOP_NOT_CLEAN)')
    expect(daemon.output).not.toContain('everything stopped cleanly')
    expect(clusterState(volume)).toBe('in production')

    const next = await start()
    await next.ready()
    expect(next.output).toContain('automatic recovery in progress')
    next.signal('SIGTERM')
    expect((await next.exited).code).toBe(0)
    expect(clusterState(volume)).toBe('shut down')
  })

  test('brings back what is killed, and Postgres dying does not take Mathesar with it', async () => {
    const daemon = await start()
    await daemon.ready()
    const unit = (name: string) => daemon.status().units.find((other) => other.name === name)!
    const mathesar = unit('mathesar').pid
    process.kill(unit('postgres').pid!, 'SIGKILL')
    await until(
      'Postgres to be ready again',
      () => unit('postgres').restarts === 1 && unit('postgres').state === 'ready',
    )
    expect(unit('mathesar').pid).toBe(mathesar)
    process.kill(mathesar!, 'SIGKILL')
    await until(
      'Mathesar to be ready again',
      () => unit('mathesar').restarts === 1 && unit('mathesar').state === 'ready',
    )
    expect(unit('mathesar').lastExit).toContain('SIGKILL')
  })

  test('brings Postgres back within seconds when its postmaster is killed under a busy backend', async () => {
    const daemon = await start()
    await daemon.ready()
    const postgres = () => daemon.status().units.find(({ name }) => name === 'postgres')!
    const { pid: postmaster } = postgres()
    const query = daemon
      .query('SELECT count(*) FROM generate_series(1, 1e9::bigint)')
      .catch((error: Error) => error)
    const backend = await until('the backend to be busy', () =>
      childrenOf(postmaster!).find((pid) =>
        readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('SELECT'),
      ),
    )
    process.kill(postmaster!, 'SIGKILL')
    const began = Date.now()
    // The query takes minutes: a Postgres that waited for its backend would not be back.
    await until('Postgres to be ready again', () => postgres().restarts > 0 && postgres().state === 'ready')
    expect(Date.now() - began).toBeLessThan(50_000)
    expect(postgres().restarts).toBe(1)
    expect(daemon.output).toContain('failure 1 of 8')
    expect(daemon.output).not.toMatch(/failure 2 of|still in use/)
    expect(isAlive(backend)).toBe(false)
    expect(await query).toBeInstanceOf(Error)
  })

  test('ends with exit code 10 when Mathesar cannot start, naming it and its last lines', async () => {
    const daemon = await start({ env: { SAMPLE_APP_BREAK: 'settings', SUPERVISOR_SHARE: volume } })
    writeFileSync(join(volume, 'migrations.json'), '[]') // Nothing to migrate: the failure is Mathesar's own.
    expect(await daemon.exited).toEqual({ code: 10, signal: null })
    expect(daemon.output).toMatch(/exit code 10 \(SERVICE_CRASH_LOOP\): mathesar died 8 times in a row/)
    expect(clusterState(volume)).toBe('shut down')
  })

  test('leaves no zombie of 20,000 orphans and loses no exit status, as PID 1', async () => {
    const daemon = await start({ asPid1: true })
    await daemon.ready()
    const shell = (script: string): string =>
      execFileSync('nsenter', ['--target', String(daemon.pid()), '--pid', '--mount', 'sh', '-c', script], {
        encoding: 'utf8',
      })
    for (let round = 0; round < 10; round++) shell('for i in $(seq 1000); do (sleep 0 &); (: &); done')
    await until('no zombie', () => zombies(daemon.pid()) === 0)
    expect(daemon.status().supervisor.reaped).toBeGreaterThanOrEqual(20_000)
    const postgres = daemon.status().units.find(({ name }) => name === 'postgres')!.pid!
    shell(`kill -9 ${postgres}`)
    // Before it is ready again, a stop would not be clean, and say so.
    await until('Postgres to be back', () =>
      daemon
        .status()
        .units.some(
          ({ name, restarts, state }) => name === 'postgres' && restarts === 1 && state === 'ready',
        ),
    )
    daemon.signal('SIGTERM')
    expect((await daemon.exited).code).toBe(0)
  })

  test('goes on answering and stops cleanly while nobody reads its log, and counts the loss', async () => {
    const daemon = await start({ readOutput: false, env: { SAMPLE_APP_TEST: '1' } })
    daemon.child.stdout!.pause()
    await until('ready', () => daemon.status().ready)
    expect((await fetch(`${daemon.url}/flood/?mb=10`)).status).toBe(200) // The pipe and the buffer hold less.
    await until('lines to be dropped', () => daemon.status().supervisor.droppedLogLines > 0)
    const before = Date.now()
    expect(daemon.cli('health').code).toBe(0)
    expect(Date.now() - before).toBeLessThan(15_000)
    daemon.signal('SIGTERM')
    expect(await daemon.exited).toEqual({ code: 0, signal: null })
    daemon.child.stdout!.resume()
  })

  test('refuses the volume of another running supervisor; cleans up after one that was killed', async () => {
    const first = await start()
    await first.ready()
    const second = await start({ env: { SUPERVISOR_RUN: join(volume, 'run2') } })
    expect((await second.exited).code).toBe(32)
    expect(second.output).toMatch(/cannot use .*: container \S+ uses it, since \d{4}-\d\d-\d\d \d\d:\d\d UTC/)
    const pidOf = (daemon: Daemon, name: string): number =>
      daemon.status().units.find((unit) => unit.name === name)!.pid!
    const [postgres, mathesar] = [pidOf(first, 'postgres'), pidOf(first, 'mathesar')]
    process.kill(postgres, 'SIGSTOP') // Else it might be gone before the next supervisor looks.
    first.signal('SIGKILL')
    await first.exited
    const third = await start()
    await until('the third to find Postgres', () =>
      third.output.includes(`Postgres ${postgres} of an earlier supervisor still runs`),
    )
    process.kill(postgres, 'SIGCONT')
    await third.ready()
    expect(isAlive(mathesar)).toBe(false)
  })

  test('takes its services with it when it is killed', async () => {
    const daemon = await start()
    await daemon.ready()
    const pids = ['postgres', 'mathesar'].map(
      (name) => daemon.status().units.find((unit) => unit.name === name)!.pid!,
    )
    const workers = childrenOf(pids[1]!)
    daemon.signal('SIGKILL')
    await daemon.exited
    await until('all to end', () => ![...pids, ...workers].some(isAlive), 10_000)
    expect(clusterState(volume)).toBe('shut down')
  })

  test('has a worker of gunicorn end that was told to while it was being forked', async () => {
    const config = join(volume, 'own/gunicorn.conf.py')
    cpSync('rootfs/etc/mathesar', join(volume, 'own'), { recursive: true })
    const early =
      'def post_fork(server, worker):\n    ours(server, ' +
      'worker)\n    if worker.age == 1:\n        os.kill(os.getpid(), signal.SIGTERM)\n'
    writeFileSync(
      config,
      `${readFileSync('rootfs/etc/mathesar/gunicorn.conf.py', 'utf8')}\nours = post_fork\n${early}`,
    )
    const daemon = await start({ env: { SUPERVISOR_GUNICORN_CONFIG: config } })
    await daemon.ready()
    const [first] = [...daemon.output.matchAll(/Booting worker with pid: (\d+)/g)].map(([, pid]) => pid)
    await until(
      'the first worker to end and another to come',
      () =>
        daemon.output.includes(`Worker exiting (pid: ${first})`) &&
        daemon.output.split('Booting worker').length === 3,
    )
  })

  test('answers nonsense on the control socket with an error, and lives', async () => {
    const daemon = await start()
    await daemon.ready()
    const socketPath = join(volume, 'run/control/supervisor.sock')
    const raw = (bytes: Buffer): Promise<void> =>
      new Promise((resolve) => {
        const socket = connect(socketPath, () => socket.end(bytes))
        socket.on('error', () => {})
        socket.resume()
        socket.once('close', () => resolve())
      })
    for (let i = 0; i < 300; i++)
      await raw(
        Buffer.from(Array.from({ length: 1 + ((i * 7919) % 3000) }, (_, j) => (i * 31 + j * 17) % 256)),
      )
    const ask = (method: string, path: string): Promise<number> =>
      new Promise((resolve, reject) =>
        request({ socketPath, method, path }, (response) => {
          response.resume()
          resolve(response.statusCode!)
        })
          .once('error', reject)
          .end(),
      )
    expect(await ask('GET', '/v1/nothing')).toBe(404)
    expect(await ask('POST', '/v1/services/nobody/restart')).toBe(404)
    expect(await ask('GET', '/v1/logs?lines=-5&unit=../../etc/passwd')).toBe(404)
    expect(await ask('DELETE', '//%%%')).toBeGreaterThanOrEqual(400)
    expect(daemon.status().ready).toBe(true)
  })

  test('names what is wrong with the data and changes nothing', async () => {
    const first = await start()
    await first.ready()
    await first.end()
    const data = join(volume, 'data')
    const version = readFileSync(join(data, 'postgres/PG_VERSION'), 'utf8')
    const code = async (): Promise<number | null> => (await (await start()).exited).code
    writeFileSync(join(data, 'postgres/PG_VERSION'), '9\n')
    expect(await code()).toBe(33)
    writeFileSync(join(data, 'postgres/PG_VERSION'), version)
    const key = readFileSync(join(data, 'secrets/secret_key'))
    rmSync(join(data, 'secrets/secret_key'))
    expect(await code()).toBe(35)
    expect(readdirSync(join(data, 'secrets'))).not.toContain('secret_key')
    writeFileSync(join(data, 'secrets/secret_key'), key)
    await (await start()).ready()
  })
})

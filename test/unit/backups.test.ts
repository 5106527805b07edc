import { describe, expect, test } from 'vitest'
import { Backups } from '../../src/daemon/backups.ts'
import type { InstanceEvent } from '../../src/daemon/events.ts'
import type { ProgramResult } from '../../src/system/ports.ts'
import { changeRecord, readRecord } from '../../src/units/backup-record.ts'
import { readFile } from './configurations.ts'
import { createScope } from './fakes/scope.ts'

const minute = 60_000
const hour = 60 * minute

const failed = (exitCode: number, ...lines: readonly string[]): ProgramResult => ({
  outcome: { code: exitCode, signal: null },
  lines,
})

const hourly = 'BACKUP_SCHEDULE=0 * * * *\nBACKUP_DRILL=off\n'

/** The clock begins at noon. A backup takes a minute. */
const stage = (config = hourly) => {
  const fake = createScope({ config, place: { environment: { TOKEN: 'given' } } })
  const { system, scope, clock, replies } = fake
  const instance = {
    inForce: scope.inForce,
    isReady: false,
    isStopping: false,
    listen: (_event: InstanceEvent): void => {},
    subscribe: (listener: (event: InstanceEvent) => void) => {
      instance.listen = listener
      return () => {}
    },
  }
  const ready = (): void => {
    instance.isReady = true
    instance.listen({ type: 'changed' })
  }
  const state = { result: undefined as ProgramResult | undefined, runs: [] as string[] }
  replies.program = async ({ command }, signal) => {
    const atMs = clock.now()
    state.runs.push(`${command.argv.slice(4).join(' ')} at ${new Date(atMs).toISOString().slice(5, 16)}`)
    await clock.delay(minute, signal)
    if (state.result !== undefined) return state.result
    const name = `mathesar-${state.runs.length}.tar`
    changeRecord(scope, () =>
      command.argv.includes('verify')
        ? { proved: { name, atMs: clock.now(), restoreMs: 41_000 } }
        : { made: { name, atMs, tookMs: minute, bytes: 7, places: ['volume'] } },
    )
    return { outcome: { code: 0, signal: null }, lines: [] }
  }
  const backups = new Backups({ system, place: scope.place, instance, program: ['supervisor'] })
  backups.start()
  ready()
  return { ...fake, instance, ready, state, backups }
}

test('what the daemon and a command change in the record at once is all kept', () => {
  const { scope } = createScope()
  const changes = [{ sinceMs: 1 }, { folders: ['/backups'] }]
  changeRecord(scope, () => {
    const other = changes.pop()
    if (other !== undefined) changeRecord(scope, () => other)
    return { owner: { letters: 'abcd', lock: { device: '1', inode: '1', born: '1' } } }
  })
  expect(readRecord(scope)).toMatchObject({ sinceMs: 1, folders: ['/backups'], owner: { letters: 'abcd' } })
})

describe('backups by a schedule', () => {
  test('are made when they are due, one at a time, in a process that stands back', async () => {
    const { clock, state, backups, programs, failures } = stage()
    await clock.advance(59 * minute)
    expect(state.runs).toEqual([])
    expect(backups.status()).toMatchObject({ nextAt: '2026-10-01T13:00:00.000Z', last: null })
    await clock.advance(1.5 * minute)
    expect(backups.status().running).toBe('backup')
    await clock.advance(2 * hour + 1.5 * minute)
    expect(state.runs).toEqual([
      'backup --scheduled at 10-01T13:00',
      'backup --scheduled at 10-01T14:00',
      'backup --scheduled at 10-01T15:00',
    ])
    expect(backups.status()).toMatchObject({
      running: null,
      last: { name: 'mathesar-3.tar', places: ['volume'] },
    })
    expect([backups.problems(), failures]).toEqual([[], []])
    expect(programs[0]?.command).toMatchObject({
      argv: ['nice', '-n', '5', 'supervisor', 'backup', '--scheduled'],
      env: { TOKEN: 'given' },
      oomScoreAdj: 800,
    })
  })

  test('are made up for once after a start that comes late, and not before it is ready', async () => {
    const { clock, state, scope, instance, ready } = stage()
    const atMs = clock.now() - 30 * hour
    changeRecord(scope, () => ({ made: { name: 'old', atMs, tookMs: 1, bytes: 1, places: [] } }))
    instance.isReady = false
    await clock.advance(10 * minute)
    expect(state.runs).toEqual([])
    ready()
    await clock.advance(20 * minute)
    expect(state.runs).toEqual(['backup --scheduled at 10-01T12:10'])
  })

  test('begin with the schedule: a container that never runs at night is not passed over', async () => {
    const first = stage('BACKUP_SCHEDULE=0 * * * *')
    await first.clock.advance(minute)
    expect(readRecord(first.scope).sinceMs).toBe(first.clock.now() - minute)
    const second = stage()
    changeRecord(second.scope, () => ({ sinceMs: second.clock.now() - 25 * hour }))
    await second.clock.advance(2 * minute)
    expect(second.state.runs).toHaveLength(1)
  })

  test('that fail are a problem until one is good, and are tried again each hour', async () => {
    const { clock, state, backups, scope } = stage('BACKUP_SCHEDULE=0 0 1 * *\nBACKUP_DRILL=off')
    changeRecord(scope, () => ({ sinceMs: clock.now() - 40 * 24 * hour }))
    state.result = failed(87, 'mathesar: x', 'supervisor: cannot use s3://b: it answers 503', '  Check it.')
    await clock.advance(2.5 * hour)
    expect(state.runs).toHaveLength(3)
    expect(backups.problems()).toEqual([
      {
        unit: 'backup',
        code: 'BACKUP_PLACE_FAILED',
        message: 'cannot use s3://b: it answers 503',
        hint: 'Check it.',
      },
    ])
    state.result = undefined
    await clock.advance(3 * hour)
    expect([state.runs.length, backups.problems()]).toEqual([4, []])
  })

  test('to a folder without a mount are a problem from the start, until it has one', async () => {
    const { clock, replies, disk, backups, instance, ready, said } = stage('BACKUP_TO=volume,/backups\n')
    const at = (...points: readonly string[]) =>
      new Map(points.map((point) => [point, { point, root: '/', fileSystem: 'ext4' }]))
    replies.mounts = () => at('/')
    ready()
    await clock.advance(minute)
    const mount = 'Mount a folder: `-v /srv/backups:/backups`.'
    const problem = { unit: 'backup', code: 'BACKUP_PLACE_FAILED' }
    expect(backups.problems()).toEqual([
      { ...problem, message: 'cannot use /backups: it is not there', hint: mount },
    ])
    disk.files.makeFolder('/backups', 0o755)
    await clock.advance(minute)
    const message = 'cannot back up to /backups: nothing is mounted there'
    expect(backups.problems()).toEqual([
      { ...problem, message, hint: `It would be gone with the container. ${mount}` },
    ])
    expect(said.filter((line) => line.startsWith('warn'))).toHaveLength(1)
    instance.inForce = readFile('BACKUP_TO=volume\n')
    expect(backups.problems()).toEqual([])
    instance.inForce = readFile('BACKUP_TO=volume,/backups\n')
    replies.mounts = () => at('/', '/backups')
    await clock.advance(minute)
    expect(backups.problems()).toEqual([])
  })

  test('to the empty folder of a disk that is no longer mounted are a problem, too', async () => {
    const { clock, disk, backups, scope } = stage('BACKUP_TO=/backups\n')
    disk.files.makeFolder('/backups', 0o755)
    changeRecord(scope, () => ({ folders: ['/backups'] }))
    await clock.advance(minute)
    expect(backups.problems()).toMatchObject([
      {
        message: expect.stringContaining('.mathesar-backups is missing'),
        hint: expect.stringContaining('touch'),
      },
    ])
    disk.put('/backups/.mathesar-backups', '')
    await clock.advance(minute)
    expect(backups.problems()).toEqual([])
  })

  test('wait where another one is at work, and are late when that takes too long', async () => {
    const { clock, state, backups } = stage()
    state.result = failed(32, 'supervisor: cannot begin: another backup or restore is at work', '  Wait.')
    await clock.advance(90 * minute)
    expect(state.runs.length).toBeGreaterThan(4)
    expect(backups.problems()).toEqual([])
    await clock.advance(2.05 * hour)
    expect(backups.problems()).toMatchObject([
      { code: 'BACKUP_LATE', message: expect.stringMatching(/due at .*T13:00/) },
    ])
    state.result = undefined
    await clock.advance(10 * minute)
    expect(backups.problems()).toEqual([])
  })

  test('come once in their time also where a run leaves nothing in the record', async () => {
    const { clock, state, scope } = stage('BACKUP_SCHEDULE=0 0 1 1 *\nBACKUP_DRILL=0 * * * *\n')
    const made = { name: 'portable', atMs: clock.now(), tookMs: 1, bytes: 1, places: [] }
    changeRecord(scope, () => ({ sinceMs: clock.now(), made }))
    state.result = { outcome: { code: 0, signal: null }, lines: ['every checksum is right'] }
    await clock.advance(1.5 * hour)
    expect(state.runs).toEqual(['backup verify portable at 10-01T13:00'])
  })

  test('that are killed say by what', async () => {
    const { clock, state, backups } = stage()
    state.result = { outcome: { code: null, signal: 'SIGKILL' }, lines: ['backed up: 1'] }
    await clock.advance(62 * minute)
    expect(backups.problems()).toMatchObject([
      { code: 'BACKUP_FAILED', message: expect.stringContaining('SIGKILL') },
    ])
  })

  test('end when everything stops, and say nothing of that', async () => {
    const { clock, backups, instance, failures, said } = stage()
    await clock.advance(60.5 * minute)
    expect(backups.status().running).toBe('backup')
    instance.isStopping = true
    instance.listen({ type: 'changed' })
    await clock.advance(0)
    expect([backups.status().running, backups.problems(), failures, clock.armed]).toEqual([null, [], [], 0])
    expect(said.filter((line) => line.startsWith('warn'))).toEqual([])
  })

  test.each([
    ['BACKUP_DRILL=0 * * * *', 1],
    ['', 0],
  ])(
    'are proved by a drill (%j); one that nobody asked for is no problem where it cannot be',
    async (drill, count) => {
      const { clock, state, backups, scope } = stage(`BACKUP_SCHEDULE=0 0 1 1 *\n${drill}\n`)
      await clock.advance(hour)
      expect(state.runs).toEqual([])
      const [sinceMs, made] = [
        clock.now() - 8 * 24 * hour,
        { name: 'a', atMs: clock.now(), tookMs: 1, bytes: 1, places: [] },
      ]
      changeRecord(scope, () => ({ sinceMs, made }))
      state.result = failed(31, 'supervisor: cannot restore: there is no room', '  Free some.')
      await clock.advance(5 * minute)
      expect(backups.problems()).toHaveLength(count)
      state.result = undefined
      clock.jump(24 * hour)
      await clock.advance(5 * minute)
      expect(state.runs.slice(0, 2).every((run) => run.startsWith('backup verify a '))).toBe(true)
      expect(backups.status().proved).toMatchObject({ restoreMs: 41_000 })
      expect(backups.problems()).toEqual([])
    },
  )

  test('are none by themselves of an external database, nor where they are off', async () => {
    for (const config of ['BACKUP_SCHEDULE=off', 'DATABASE_URL=postgres://joe:hunter2@db.example.org/app']) {
      const { clock, state, backups } = stage(config)
      await clock.advance(5 * hour)
      expect([state.runs, backups.status().nextAt]).toEqual([[], null])
    }
  })

  test('are made each night when nobody says anything', async () => {
    const { clock, state } = stage('')
    clock.jump(24 * hour)
    await clock.advance(5 * minute)
    expect(state.runs.filter((run) => run.startsWith('backup --scheduled'))).toHaveLength(1)
  })
})

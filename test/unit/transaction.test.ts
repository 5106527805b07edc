import { describe, expect, test } from 'vitest'
import { SupervisorError } from '../../src/errors.ts'
import { changesBetween, inForceOf, planOf } from '../../src/settings/plan.ts'
import type { Configuration } from '../../src/settings/configuration.ts'
import { readFile } from './configurations.ts'
import { serverError } from './fakes/postgres.ts'
import { externalDatabase } from './fakes/scope.ts'
import { createImage } from './fakes/image.ts'

const before = 'DEBUG=false\n'

/** A running image, and what becomes of a change of its settings. */
const stage = async (text = before, { carry }: { readonly carry?: () => Promise<string> } = {}) => {
  const boot = readFile(text)
  const at = createImage({ config: boot, ...(carry ? { carry } : {}) })
  await at.boot()
  let current: Configuration = boot
  const steps: string[] = []
  return {
    ...at,
    steps,
    change: async (next: string, commit = (): void => {}): Promise<string> => {
      const wanted = readFile(next)
      const plan = { ...planOf(changesBetween(current, wanted)), ...(carry ? { carries: 20 } : {}) }
      const inForce = inForceOf(boot.values, wanted)
      let isDone = false
      const done = at.instance
        .change(plan, inForce, (step) => void steps.push(step), commit)
        .then(
          () => {
            current = wanted
            return 'done'
          },
          (error: unknown) => (error instanceof SupervisorError ? error.code : String(error)),
        )
        .finally(() => (isDone = true))
      for (let minutes = 0; !isDone && minutes < 60; minutes++) await at.clock.advance(60_000)
      return isDone ? await done : 'it never ends'
    },
  }
}

describe('a change', () => {
  test('has a new generation serve with what is in force then, and the one before finish', async () => {
    const { change, running, instance, processes, clock } = await stage()
    const [old] = running('mathesar')
    expect(await change('DEBUG=true\n')).toBe('done')
    const [serving] = running('mathesar')
    expect([old!.hasExited, old!.heard, serving!.command.env.DEBUG]).toEqual([
      true,
      ['group SIGTERM'],
      'true',
    ])
    expect(processes.gates.map(({ isOpen, asked }) => [isOpen, asked])).toEqual([
      [true, 0],
      [true, 1],
    ])
    await clock.advance(1000)
    expect([instance.isReady, instance.inForce.settings.DEBUG]).toEqual([true, true])
  })

  test('is in force for what commits it only once it is proved', async () => {
    const { change, instance, running } = await stage()
    const seen: unknown[] = []
    await change('DEBUG=true\n', () =>
      seen.push([instance.inForce.settings.DEBUG, running('mathesar').length]),
    )
    expect(seen).toEqual([[false, 2]])
  })

  test('reports each step as it begins', async () => {
    const { change, steps } = await stage()
    await change('EMBEDDED_POSTGRES_SHARED_BUFFERS=64\n')
    expect(steps).toEqual([
      'handing over the config files',
      'starting a new generation of Mathesar',
      'holding requests back',
      'restarting Postgres',
      'proving the new generation',
    ])
  })

  test('of the settings of Postgres alone has it read them again', async () => {
    const { change, running, disk } = await stage()
    expect(await change(`${before}EMBEDDED_POSTGRES_WORK_MEM=8\n`)).toBe('done')
    expect([running('postgres')[0]!.heard, running('mathesar').length]).toEqual([['SIGHUP'], 1])
    expect(disk.text('/run/m/etc/postgresql.conf')).toContain("work_mem = '8MB'")
  })

  test('that restarts Postgres leaves one of each, ready', async () => {
    const { change, running, stateOf, disk } = await stage()
    expect(await change('EMBEDDED_POSTGRES_SHARED_BUFFERS=64\n')).toBe('done')
    expect([running('postgres').length, running('mathesar').length]).toEqual([1, 1])
    expect([stateOf('postgres'), stateOf('mathesar')]).toEqual(['ready', 'ready'])
    expect(disk.text('/run/m/etc/postgresql.conf')).toContain("shared_buffers = '64MB'")
  })

  test('that moves to an external database stops the embedded one; the way back starts it', async () => {
    const { change, running, stateOf, instance } = await stage()
    expect(await change(externalDatabase)).toBe('done')
    expect([running('postgres'), stateOf('postgres'), instance.isReady]).toEqual([[], 'skipped', true])
    expect(running('mathesar').map(({ command }) => command.env.POSTGRES_HOST)).toEqual(['db.example.org'])
    expect(await change(before)).toBe('done')
    expect([running('postgres').length, stateOf('postgres'), instance.isReady]).toEqual([1, 'ready', true])
    expect(running('mathesar').map(({ command }) => command.env.POSTGRES_HOST)).toEqual(['/run/m/postgres'])
  })

  test('to the embedded database shows the tasks that it was the first to run as done', async () => {
    const { change, stateOf } = await stage(externalDatabase)
    expect(stateOf('cluster')).toBe('skipped')
    expect(await change(before)).toBe('done')
    expect((['cluster', 'server-config', 'sync'] as const).map(stateOf)).toEqual(['done', 'done', 'done'])
  })

  test('leaves Mathesar stopped where a person stopped it; its start takes the new settings', async () => {
    const { change, instance, running, clock } = await stage()
    await instance.control('stop', 'mathesar')
    expect(await change('DEBUG=true\n')).toBe('done')
    expect(running('mathesar')).toEqual([])
    const started = instance.control('start', 'mathesar')
    await clock.advance(1000)
    expect([await started, running('mathesar')[0]!.command.env.DEBUG]).toEqual(['ready', 'true'])
  })

  test('is waited for by a start that a person types meanwhile: it has the new settings', async () => {
    const { change, instance, running, clock } = await stage()
    await instance.control('stop', 'mathesar')
    let started: Promise<string> | undefined
    const done = await change('DEBUG=true\n', () => {
      started = instance.control('start', 'mathesar')
    })
    expect(done).toBe('done')
    await clock.advance(1000)
    expect(await started).toBe('ready')
    expect(running('mathesar').map(({ command }) => command.env.DEBUG)).toEqual(['true'])
  })

  test('that Mathesar could not start with is refused also while it is stopped', async () => {
    const { change, instance, running, processes } = await stage()
    await instance.control('stop', 'mathesar')
    processes.answerWith(async () => '500 ')
    expect(await change('DEBUG=true\n')).toBe('CONFIG_ROLLED_BACK')
    expect([running('mathesar'), instance.inForce.settings.DEBUG]).toEqual([[], false])
  })
})

describe('a change that fails', () => {
  test('leaves the old generation serving, the old settings in force, and no new process', async () => {
    const { change, processes, running, instance } = await stage()
    const [old] = running('mathesar')
    processes.answerWith(async () => '500 ')
    expect(await change('DEBUG=true\n')).toBe('CONFIG_ROLLED_BACK')
    expect([running('mathesar'), instance.inForce.settings.DEBUG, instance.isReady]).toEqual([
      [old],
      false,
      true,
    ])
  })

  test('when it is committed is undone as well', async () => {
    const { change, running, instance } = await stage()
    const [old] = running('mathesar')
    const commit = (): never => {
      throw new SupervisorError('VOLUME_FULL', 'cannot write: no space left')
    }
    expect(await change('DEBUG=true\n', commit)).toBe('VOLUME_FULL')
    expect([running('mathesar'), instance.inForce.settings.DEBUG]).toEqual([[old], false])
  })

  test('at the restart of Postgres has it run again as it was, and Mathesar serve', async () => {
    const { change, processes, disk, running, stateOf } = await stage()
    processes.answerWith(async () => '500 ')
    expect(await change('EMBEDDED_POSTGRES_SHARED_BUFFERS=64\n')).toBe('CONFIG_ROLLED_BACK')
    expect(disk.text('/run/m/etc/postgresql.conf')).toContain("shared_buffers = '256MB'")
    expect([running('postgres').length, running('mathesar').length]).toEqual([1, 1])
    expect([stateOf('postgres'), stateOf('mathesar')]).toEqual(['ready', 'ready'])
    expect(running('mathesar')[0]!.command.env.DEBUG).toBe('false')
  })

  test('because Postgres does not come up with its settings is no fault of ours', async () => {
    const { change, processes, disk, stateOf } = await stage()
    processes.onStart((process) => {
      if (!process.command.argv[0].endsWith('/postgres')) return
      const isFit = !disk.text('/run/m/etc/postgresql.conf')!.includes("shared_buffers = '64MB'")
      if (isFit) disk.put('/data/postgres/postmaster.pid', `${process.pid}\n\n\n\n\n\n\nready\n`)
      else process.exit({ code: 1 })
    })
    expect(await change('EMBEDDED_POSTGRES_SHARED_BUFFERS=64\n')).toBe('CONFIG_ROLLED_BACK')
    expect([stateOf('postgres'), stateOf('mathesar')]).toEqual(['ready', 'ready'])
  })

  test('because the other database refuses leaves this one running', async () => {
    const { change, database, running, instance } = await stage()
    database.refuseWith(({ host }) => (host === 'db.example.org' ? serverError('28P01') : undefined))
    expect(await change(externalDatabase)).toBe('DATABASE_REFUSED')
    expect([running('postgres').length, running('mathesar').length, instance.isReady]).toEqual([1, 1, true])
    expect(instance.inForce.database.kind).toBe('embedded')
  })

  test('at its copy has the database take writes again, as soon as that works', async () => {
    const failing = async (): Promise<string> => {
      throw new SupervisorError('PROMOTE_FAILED', 'cannot copy the databases: no space')
    }
    const { change, database, instance, stateOf, clock } = await stage(before, { carry: failing })
    database.refuseWith(() => serverError('53100'))
    const done = change(externalDatabase)
    expect(await done).toBe('PROMOTE_FAILED')
    expect([stateOf('database'), instance.isReady]).toEqual(['running', true])
    expect(instance.status().problems.map(({ unit, code }) => [unit, code])).toEqual([
      ['database', 'VOLUME_FULL'],
    ])
    database.refuseWith(() => undefined)
    await clock.advance(60_000)
    expect([stateOf('database'), instance.status().problems]).toEqual(['done', []])
  })

  test('because everything stops leaves nothing running, and commits nothing', async () => {
    const { change, processes, instance, clock } = await stage()
    let isCommitted = false
    processes.answerWith(
      (signal) =>
        new Promise((_, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
        ),
    )
    clock.after(100, () => void instance.stop())
    expect(await change('DEBUG=true\n', () => (isCommitted = true))).toBe('USAGE')
    expect([await instance.ended, processes.alive, isCommitted]).toEqual([undefined, [], false])
  })

  test('leaves no timer but the pauses before the next look and the next probe of each service', async () => {
    const { change, processes, clock, instance } = await stage()
    processes.answerWith(async () => '500 ')
    await change('DEBUG=true\n')
    expect(clock.armed).toBe(4)
    await instance.stop()
    expect(clock.armed).toBe(0)
  })
})

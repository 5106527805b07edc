import { describe, expect, test } from 'vitest'
import { dependenciesOf } from '../../../src/core/graph.ts'
import { runSteps } from '../../../src/core/step.ts'
import type { Plan } from '../../../src/settings/plan.ts'
import { type ServiceInChange, type Side, stepsOf } from '../../../src/units/change.ts'
import { units } from '../../../src/units/index.ts'
import type { ServiceName } from '../../../src/units/unit.ts'
import { settle } from '../fakes/clock.ts'
import { never } from '../fakes/scope.ts'

const nothing: Plan = {
  changes: [],
  database: false,
  postgres: undefined,
  door: false,
  generation: false,
}

type Options = {
  readonly plan: Partial<Plan>
  readonly from?: 'embedded' | 'external'
  readonly to?: 'embedded' | 'external'
  readonly isStopped?: boolean
  readonly isDatabaseStopped?: boolean
  readonly skips?: readonly string[]
  /** What fails. */
  readonly fails?: string
  readonly failsToo?: string
}

/** Services and tasks that only write down what is asked of them. */
const stage = (options: Options) => {
  const { plan, from = 'embedded', to = from, fails, failsToo } = options
  const did: string[] = []
  const act = async (what: string): Promise<void> => {
    did.push(what)
    if (what === fails || what === failsToo) throw new Error(`${what} failed`)
  }
  const service = (name: ServiceName): ServiceInChange => ({
    isRunning: () => name === 'mathesar' || (from === 'embedded' && options.isDatabaseStopped !== true),
    isStopped: () => name === 'mathesar' && options.isStopped === true,
    start: (side) => act(`start ${name} ${side}`),
    stop: () => act(`stop ${name}`),
    drain: () => act(`drain ${name}`),
    restart: () => act(`restart ${name}`),
    signal: (signal) => void did.push(`${signal} ${name}`),
    reload: () => act(`reload ${name}`),
    prepare: async () => {
      await act('prepare')
      return {
        check: () => act('check'),
        promote: () => act('promote'),
        discard: () => act('discard'),
      }
    },
    tryOut: () => act('try out'),
  })
  const { steps, afterwards } = stepsOf({
    plan: { ...nothing, ...plan },
    isEmbedded: (side: Side) => (side === 'before' ? from : to) === 'embedded',
    isSkipped: (name) => options.skips?.includes(name) === true,
    runTask: (name, side) => act(`${name} ${side}`),
    oweTask: (name) => act(`${name} before, until it works`),
    service,
    carry: async (seconds) => {
      await act(`carry within ${seconds} s`)
      return 'a copy'
    },
    letGo: (carried) => {
      did.push(carried === undefined ? 'let go' : `let go of ${carried}`)
      return () => void did.push('take back')
    },
  })
  return {
    did,
    steps: steps.map(({ name }) => name),
    carryOut: async (): Promise<string[]> => {
      await runSteps(steps, { signal: never, report: () => {}, commit: () => void did.push('commit') })
      await afterwards()
      await settle()
      return did
    },
  }
}

/** What is done once a database is reached. */
const reached = [
  'proof after',
  'database after',
  'collations after',
  'key after',
  'migrations after',
  'administrator after',
  'user-databases after',
  'sync after',
  'manifest after',
]

describe('a plan is carried out', () => {
  test.each<[string, Options, string[]]>([
    ['that needs nothing but its files', { plan: {} }, ['config after', 'commit']],
    [
      'by a new generation that proves itself first',
      { plan: { generation: true } },
      ['config after', 'prepare', 'check', 'commit', 'promote'],
    ],
    [
      'by a reload of Postgres',
      { plan: { postgres: 'reload' } },
      ['config after', 'server-config after', 'SIGHUP postgres', 'commit'],
    ],
    [
      'by a reload of the door',
      { plan: { door: true } },
      ['config after', 'certificate after', 'door-config after', 'reload door', 'commit'],
    ],
    [
      'by a restart of Postgres, for which requests wait and a generation is prepared before',
      { plan: { postgres: 'restart', generation: true } },
      [
        'config after',
        'prepare',
        'drain mathesar',
        'server-config after',
        'restart postgres',
        'check',
        'commit',
        'promote',
      ],
    ],
    [
      'by a move to an external database, which is checked and migrated first; the embedded one stops last',
      { plan: { database: true, generation: true }, to: 'external' },
      [
        'config after',
        'secrets after',
        'cluster after',
        'server-config after',
        ...reached,
        'prepare',
        'check',
        'let go',
        'commit',
        'promote',
        'stop postgres',
      ],
    ],
    [
      'by a copy of the embedded databases, for which requests wait; it may be removed up to the commit',
      { plan: { database: true, carries: 20, generation: true }, to: 'external' },
      [
        'config after',
        'prepare',
        'drain mathesar',
        'carry within 20 s',
        'secrets after',
        'cluster after',
        'server-config after',
        ...reached,
        'check',
        'let go of a copy',
        'commit',
        'promote',
        'stop postgres',
      ],
    ],
    [
      'by a move back to the embedded database, which starts first',
      { plan: { database: true, generation: true }, from: 'external', to: 'embedded' },
      [
        'config after',
        'secrets after',
        'cluster after',
        'server-config after',
        'start postgres after',
        ...reached,
        'prepare',
        'check',
        'let go',
        'commit',
        'promote',
      ],
    ],
  ])('%s', async (_, options, did) => {
    expect(await stage(options).carryOut()).toEqual(did)
  })

  test('by a move whose steps are told in words, without those that such a database does not have', () => {
    const skips = ['cluster', 'server-config', 'proof', 'collations', 'administrator', 'sync', 'manifest']
    expect(stage({ plan: { database: true }, to: 'external', skips }).steps).toEqual([
      'handing over the config files',
      'reading the secrets',
      'connecting to the new database',
      'checking the secret key against the new database',
      'migrating the new database',
      "updating Mathesar's functions in the connected databases",
      'letting go of the copy',
    ])
  })

  test('by a move that runs all tasks of a boot that depend on a database', async () => {
    const depends = (name: string): boolean =>
      dependenciesOf(units.find((unit) => unit.name === name)!).some(
        (other) => other === 'secrets' || depends(other),
      )
    const tasks = units.flatMap(({ kind, name }) =>
      kind === 'task' && depends(name) ? [`${name} after`] : [],
    )
    const did = await stage({ plan: { database: true }, from: 'external', to: 'embedded' }).carryOut()
    expect(did).toEqual(expect.arrayContaining(tasks))
  })

  test.each<[string, Options, string[]]>([
    ['a generation', { plan: { generation: true } }, ['config after', 'try out', 'commit']],
    [
      'a generation whose database is stopped, too',
      { plan: { generation: true }, isDatabaseStopped: true },
      ['config after', 'commit'],
    ],
    [
      'a restart of Postgres',
      { plan: { postgres: 'restart', generation: true } },
      ['config after', 'server-config after', 'restart postgres', 'try out', 'commit'],
    ],
  ])('without Mathesar where a person has stopped it: %s', async (_, options, did) => {
    expect(await stage({ ...options, isStopped: true }).carryOut()).toEqual(did)
  })
})

describe('a plan that fails', () => {
  test.each<[string, Options, string[]]>([
    [
      'at the check discards the new generation',
      { plan: { generation: true }, fails: 'check' },
      ['config after', 'prepare', 'check', 'discard', 'config before'],
    ],
    [
      'at the start of the new generation has none to discard',
      { plan: { generation: true }, fails: 'prepare' },
      ['config after', 'prepare', 'config before'],
    ],
    [
      'at the reload of Postgres reloads what was',
      { plan: { postgres: 'reload', generation: true }, fails: 'check' },
      [
        'config after',
        'server-config after',
        'SIGHUP postgres',
        'prepare',
        'check',
        'discard',
        'server-config before',
        'SIGHUP postgres',
        'config before',
      ],
    ],
    [
      'at the restart of Postgres restarts it as it was, and has the old generation serve again',
      { plan: { postgres: 'restart', generation: true }, fails: 'restart postgres' },
      [
        'config after',
        'prepare',
        'drain mathesar',
        'server-config after',
        'restart postgres',
        'server-config before',
        'restart postgres',
        'start mathesar before',
        'discard',
        'config before',
      ],
    ],
    [
      'at a copy lets the database of before take writes again, and then its Mathesar',
      {
        plan: { database: true, carries: 20, generation: true },
        to: 'external',
        fails: 'carry within 20 s',
      },
      [
        'config after',
        'prepare',
        'drain mathesar',
        'carry within 20 s',
        'database before, until it works',
        'start mathesar before',
        'discard',
        'config before',
      ],
    ],
    [
      'at a move away leaves the embedded database running',
      { plan: { database: true, generation: true }, to: 'external', fails: 'database after' },
      [
        'config after',
        'secrets after',
        'cluster after',
        'server-config after',
        'proof after',
        'database after',
        'config before',
      ],
    ],
    [
      'at a move back stops the embedded database that it started',
      {
        plan: { database: true, generation: true },
        from: 'external',
        to: 'embedded',
        fails: 'migrations after',
      },
      [
        'config after',
        'secrets after',
        'cluster after',
        'server-config after',
        'start postgres after',
        'proof after',
        'database after',
        'collations after',
        'key after',
        'migrations after',
        'stop postgres',
        'config before',
      ],
    ],
  ])('%s', async (_, options, did) => {
    const at = stage(options)
    await expect(at.carryOut()).rejects.toThrow(`${options.fails} failed`)
    expect(at.did).toEqual(did)
  })

  test('only when the new generation is to serve restarts Mathesar: the change is in force', async () => {
    expect(await stage({ plan: { generation: true }, fails: 'promote' }).carryOut()).toEqual([
      'config after',
      'prepare',
      'check',
      'commit',
      'promote',
      'restart mathesar',
    ])
  })

  test('stops the embedded database also when the new generation ended at the last moment', async () => {
    const at = stage({ plan: { database: true, generation: true }, to: 'external', fails: 'promote' })
    expect((await at.carryOut()).slice(-3)).toEqual(['promote', 'restart mathesar', 'stop postgres'])
  })

  test('does not fail any more once it is in force, also when Mathesar does not get ready', async () => {
    const plan = { database: true, generation: true }
    const at = stage({ plan, to: 'external', fails: 'promote', failsToo: 'restart mathesar' })
    expect((await at.carryOut()).slice(-3)).toEqual(['promote', 'restart mathesar', 'stop postgres'])
  })
})

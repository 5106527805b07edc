import type { Plan } from '../settings/plan.ts'
import type { Step } from '../core/step.ts'
import type { TaskName } from './results.ts'
import type { ServiceName } from './unit.ts'

/** The settings before the change, or those that it wants. */
export type Side = 'before' | 'after'

/** A service as a change acts on it. */
export type ServiceInChange = {
  readonly isRunning: () => boolean
  /** A person has stopped it, or it never started. */
  readonly isStopped: () => boolean
  /** Starts it with the settings of that side; throws unless it becomes ready. */
  readonly start: (side: Side) => Promise<void>
  readonly stop: () => Promise<void>
  /** Stops the generation that serves; requests wait in the socket. */
  readonly drain: () => Promise<void>
  /** Throws unless it becomes ready again. */
  readonly restart: () => Promise<void>
  readonly signal: (signal: NodeJS.Signals) => void
  /** Has it read its files again; throws where it does not take them. */
  readonly reload: () => Promise<void>
  /** Starts a generation beside the one that serves, with the settings that the change wants. */
  readonly prepare: () => Promise<{
    readonly check: (signal: AbortSignal) => Promise<void>
    readonly promote: () => Promise<void>
    readonly discard: () => Promise<void>
  }>
  /** The same, only to prove that the service could start with them: it stays stopped. */
  readonly tryOut: (signal: AbortSignal) => Promise<void>
}

type Tools = {
  readonly plan: Plan
  readonly isEmbedded: (side: Side) => boolean
  /** Whether the settings of that side leave the task out: to run it does nothing. */
  readonly isSkipped: (name: TaskName, side: Side) => boolean
  readonly runTask: (name: TaskName, side: Side) => Promise<void>
  /** Runs it with the settings of before. Where it fails it is run again after the change until it works. */
  readonly oweTask: (name: TaskName) => Promise<void>
  readonly service: (name: ServiceName) => ServiceInChange
  /** Copies what the database of before has to that of after, within so many seconds. Names the copy. */
  readonly carry: (seconds: number, signal: AbortSignal) => Promise<string>
  /**
   * Nothing that was copied may be removed any more. Returns what takes this back. Throws where another copy
   * has begun.
   */
  readonly letGo: (carried: string | undefined) => () => void
}

/** What carries a plan out: steps that can be undone, and what is left to do once they are committed. */
type ChangeSteps = { readonly steps: readonly Step[]; readonly afterwards: () => Promise<void> }

/** What comes before an embedded Postgres starts, and what its step is called. */
const earlyTasks = {
  secrets: 'reading the secrets',
  cluster: 'preparing the data directory of Postgres',
  'server-config': 'writing the configuration of Postgres',
} as const satisfies Partial<Record<TaskName, string>>

/** The same once a database is reached: all of the boot's tasks that depend on it. */
const databaseTasks = {
  proof: 'checking the files of Postgres',
  database: 'connecting to the new database',
  collations: 'checking the collations of the new database',
  key: 'checking the secret key against the new database',
  migrations: 'migrating the new database',
  administrator: 'creating the first administrator, unless there is one',
  'user-databases': "updating Mathesar's functions in the connected databases",
  sync: 'flushing the new database to the disk',
  manifest: 'recording the new database in the volume',
} as const satisfies Partial<Record<TaskName, string>>

const moveSteps = ({ isEmbedded, isSkipped, runTask, service }: Tools): Step[] => {
  const postgres = service('postgres')
  const wasRunning = postgres.isRunning()
  const asSteps = (names: Readonly<Partial<Record<TaskName, string>>>): Step[] =>
    (Object.entries(names) as [TaskName, string][])
      .filter(([task]) => !isSkipped(task, 'after'))
      .map(([task, name]) => ({ name, run: () => runTask(task, 'after') }))
  const startEmbedded: Step = {
    name: 'starting the embedded Postgres',
    run: async () => await postgres.start('after'),
    undo: async () => {
      if (!wasRunning) await postgres.stop()
    },
  }
  const embedded = isEmbedded('after')
  return [...asSteps(earlyTasks), ...(embedded ? [startEmbedded] : []), ...asSteps(databaseTasks)]
}

const reloadStep = ({ runTask, service }: Tools): Step => {
  const reload = async (side: Side): Promise<void> => {
    await runTask('server-config', side)
    service('postgres').signal('SIGHUP')
  }
  return {
    name: 'reloading the settings of Postgres',
    run: () => reload('after'),
    undo: () => reload('before'),
  }
}

/**
 * Workers with the old settings finish what they have begun. The certificate of before is not read again: it
 * may be the file that is bad.
 */
const doorStep = ({ runTask, service }: Tools): Step => {
  const reload = async (side: Side): Promise<void> => {
    await runTask('door-config', side)
    await service('door').reload()
  }
  return {
    name: 'reloading the settings of the web server',
    run: async () => {
      await runTask('certificate', 'after')
      await reload('after')
    },
    undo: () => reload('before'),
  }
}

/** Requests wait in the held socket from here on, until the new generation serves. */
const restartSteps = (tools: Tools, drains: boolean): Step[] => {
  const { runTask, service } = tools
  const postgres = service('postgres')
  const restart = async (side: Side): Promise<void> => {
    await runTask('server-config', side)
    await postgres.restart()
  }
  return [
    ...(drains ? [holdBack(tools)] : []),
    { name: 'restarting Postgres', run: () => restart('after'), undo: () => restart('before') },
  ]
}

const holdBack = ({ service }: Tools): Step => ({
  name: 'holding requests back',
  run: service('mathesar').drain,
  undo: () => service('mathesar').start('before'),
})

/** Requests wait from the copy on. Where it ends otherwise, the database of before takes writes again. */
const carrySteps = ({ carry, letGo, oweTask }: Tools, seconds: number): { copying: Step; letting: Step } => {
  let carried: string | undefined
  let takeBack = (): void => {}
  return {
    copying: {
      name: 'copying the databases; requests wait',
      run: async (signal) => {
        carried = await carry(seconds, signal)
      },
      undo: () => oweTask('database'),
    },
    // The last before the commit: what people may work on from then on is never removed.
    letting: {
      name: 'letting go of the copy',
      run: () => {
        takeBack = letGo(carried)
      },
      undo: () => takeBack(),
    },
  }
}

/**
 * The steps of a plan, in their order. The old generation of Mathesar serves all the time, but for a restart
 * of Postgres. One that a person has stopped stays stopped: the settings are proved, and wait for its start.
 */
export const stepsOf = (tools: Tools): ChangeSteps => {
  const { plan, isEmbedded, runTask, service } = tools
  const [mathesar, postgres] = [service('mathesar'), service('postgres')]
  const makesGeneration = plan.generation && !mathesar.isStopped()
  const carries = plan.carries !== undefined
  const { copying, letting } = carrySteps(tools, plan.carries ?? 0)
  let candidate: Awaited<ReturnType<ServiceInChange['prepare']>> | undefined

  const files: Step = {
    name: 'handing over the config files',
    run: () => runTask('config', 'after'),
    undo: () => runTask('config', 'before'),
  }
  const prepare: Step = {
    name: 'starting a new generation of Mathesar',
    run: async () => {
      candidate = await mathesar.prepare()
    },
    undo: async () => await candidate?.discard(),
  }
  const prove: Step = {
    name: 'proving the new generation',
    run: async (signal) => await candidate?.check(signal),
  }
  const tryOut: Step = {
    name: 'proving the settings; Mathesar stays stopped',
    run: async (signal) => {
      if (!isEmbedded('after') || postgres.isRunning()) await mathesar.tryOut(signal)
    },
  }

  return {
    steps: [
      files,
      ...(carries && makesGeneration ? [prepare] : []),
      ...(carries && makesGeneration ? [holdBack(tools)] : []),
      ...(carries ? [copying] : []),
      ...(plan.database ? moveSteps(tools) : []),
      ...(plan.postgres === 'reload' ? [reloadStep(tools)] : []),
      ...(plan.door ? [doorStep(tools)] : []),
      ...(makesGeneration && !carries ? [prepare] : []),
      ...(plan.postgres === 'restart' ? restartSteps(tools, makesGeneration) : []),
      ...(plan.generation ? [makesGeneration ? prove : tryOut] : []),
      ...(plan.database ? [letting] : []),
    ],
    afterwards: async () => {
      const retired = candidate
        ?.promote()
        .catch(() => mathesar.restart())
        .catch(() => {}) // The change is in force: the service says by itself that it does not get ready.
      if (!plan.database || isEmbedded('after')) return
      await retired // What the old generation has begun still needs the database that it began with.
      await postgres.stop()
    },
  }
}

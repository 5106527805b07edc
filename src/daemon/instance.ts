import { criticalPath, dependenciesOf } from '../core/graph.ts'
import { inWords, type Outcome } from '../core/outcome.ts'
import { presentable, type Problem, type Status, type UnitStatus } from '../core/status.ts'
import type { TaskUnit, Unit, UnitState } from '../core/unit.ts'
import { SupervisorError, toSupervisorError } from '../errors.ts'
import type { Output } from '../system/process.ts'
import { createService, type Service } from './service.ts'

type TaskRecord = { state: UnitState; since: number; detail: string | null }

type SupervisorDeps<Context> = {
  readonly units: readonly Unit<Context>[]
  readonly context: Context
  readonly service: Pick<
    Parameters<typeof createService<Context>>[1],
    'start' | 'createGate' | 'random' | 'now' | 'delay' | 'log'
  > & {
    readonly output: (unit: string) => Output
    readonly tail: (unit: string, count: number) => readonly string[]
  }
  readonly describe: () => Pick<Status, 'url' | 'supervisor' | 'database' | 'config'>
  /** What is wrong beside the units. */
  readonly problems: () => readonly Problem[]
  readonly memoryOf: (pid: number) => number | null
  readonly startedAt: number
  /** Stops in order once all units are up: for making the cluster template. */
  readonly stopWhenUp: boolean
  readonly onReady: (status: Status) => void
  /** Whether the boot has other settings to go back to: it then gives up on a service sooner. */
  readonly isUnproven: () => boolean
}

/** So many deaths in a row tell that edited settings are no good. */
const unprovenFailures = 3

/** Walks the graph: starts each unit as soon as what it needs is there, and stops all of them in the reverse order. */
export const createSupervisor = <Context>(deps: SupervisorDeps<Context>) => {
  const { units, service: serviceDeps } = deps
  let { context } = deps
  const { now, log } = serviceDeps
  const tasks = new Map<string, TaskRecord>()
  const services = new Map<string, Service<Context>>()
  const timings = new Map<string, { startedMs: number; endedMs: number }>()
  const boot = new AbortController()
  let phase: Status['phase'] = 'booting'
  let readyAfterMs: number | null = null
  let failure: SupervisorError | undefined
  let stopping: Promise<void> | undefined
  let end: (error: SupervisorError | undefined) => void
  let mayChange: () => void
  const changeable = new Promise<void>((resolve) => {
    mayChange = resolve
  })
  /** Resolves when everything is down: with the error that the container ends with, or nothing for an ordered stop. */
  const ended = new Promise<SupervisorError | undefined>((resolve) => {
    end = resolve
  })

  const skipReason = (unit: Unit<Context>): string | undefined => unit.skip?.(context)

  for (const unit of units) {
    tasks.set(unit.name, { state: 'waiting', since: now(), detail: null })
    if (unit.kind === 'service') {
      services.set(
        unit.name,
        createService(unit, {
          ...serviceDeps,
          context,
          output: () => serviceDeps.output(unit.name),
          onChange: () => {
            noteReady()
            if (
              phase === 'booting' &&
              services.get(unit.name)!.state.failures >= unprovenFailures &&
              deps.isUnproven()
            )
              fail(crashLoop(unit.name, services.get(unit.name)!.lastOutcome))
          },
          onGiveUp: (outcome) => fail(crashLoop(unit.name, outcome)),
        }),
      )
    }
  }

  function crashLoop(name: string, outcome: Outcome | undefined): SupervisorError {
    const tail = serviceDeps
      .tail(name, 10)
      .map((line) => `  ${line.trimEnd()}`)
      .join('\n')
    return new SupervisorError(
      'SERVICE_CRASH_LOOP',
      `${name} died ${services.get(name)!.state.failures} times in a row: it ${outcome ? inWords(outcome) : 'never became ready'}; its last lines:\n${tail}`,
    )
  }

  function fail(error: SupervisorError): void {
    failure ??= error
    void stop()
  }

  const runTask = async (unit: TaskUnit<Context>): Promise<void> => {
    const record = tasks.get(unit.name)!
    const startedMs = now()
    Object.assign(record, { state: 'running', since: startedMs })
    try {
      await unit.run(context, boot.signal)
      Object.assign(record, { state: 'done', since: now(), detail: null })
      timings.set(unit.name, { startedMs, endedMs: now() })
      log('debug', `${unit.name} done in ${now() - startedMs} ms`)
    } catch (thrown) {
      Object.assign(record, {
        state: boot.signal.aborted ? 'stopped' : 'failed',
        since: now(),
        detail: boot.signal.aborted ? null : (thrown as Error).message,
      })
      throw thrown
    }
  }

  const runService = async (
    unit: Unit<Context> & { kind: 'service' },
    opened: Promise<unknown>,
  ): Promise<void> => {
    const service = services.get(unit.name)!
    const startedMs = now()
    service.start()
    await opened
    boot.signal.throwIfAborted()
    service.open()
    await Promise.race([service.reached('ready'), aborted])
    boot.signal.throwIfAborted()
    timings.set(unit.name, { startedMs, endedMs: now() })
  }

  const aborted = new Promise<void>((resolve) =>
    boot.signal.addEventListener('abort', () => resolve(), { once: true }),
  )

  const start = async (): Promise<void> => {
    const up = new Map<string, Promise<unknown>>()
    const after = (names: readonly string[]): Promise<unknown> =>
      Promise.all(names.map((name) => up.get(name)))
    for (const unit of units) {
      const run = async (): Promise<void> => {
        await after(unit.needs)
        boot.signal.throwIfAborted()
        if (skipReason(unit) !== undefined) return
        if (unit.kind === 'task') return await runTask(unit)
        const opened = after(unit.servesAfter ?? [])
        opened.catch(() => {}) // The unit that failed reports it.
        await runService(unit, opened)
      }
      const promise = run()
      promise.catch((thrown) => {
        if (!boot.signal.aborted) fail(toSupervisorError(thrown))
      })
      up.set(unit.name, promise)
    }
    void after(
      units.filter(({ kind, name }) => kind === 'task' || name === 'postgres').map(({ name }) => name),
    ).then(mayChange, () => {})
    await Promise.all(up.values()).catch(() => {})
    if (boot.signal.aborted) return
    if (deps.stopWhenUp) return void (await stop())
    phase = 'running'
    noteReady()
  }

  function noteReady(): void {
    if (phase !== 'running' || readyAfterMs !== null || !isReady()) return
    readyAfterMs = now() - deps.startedAt
    deps.onReady(status())
  }

  const isReady = (): boolean =>
    phase === 'running' &&
    [...services.values()].every(
      (service) => service.state.name === 'ready' || skipReason(service.unit) !== undefined,
    )

  /** Stops every service after those that depend on it. May be called in any phase, and again: then it hurries. */
  function stop(): Promise<void> {
    if (stopping) return stopping
    phase = 'stopping'
    boot.abort()
    const down = new Map<string, Promise<void>>()
    const reversed = [...units].reverse()
    for (const unit of reversed) {
      const dependents = reversed
        .filter((other) => dependsOn(other.name, unit.name))
        .map((other) => down.get(other.name))
      down.set(
        unit.name,
        Promise.all(dependents).then(() => services.get(unit.name)?.shutDown()),
      )
    }
    stopping = Promise.all(down.values()).then(() => end(failure ?? unclean()))
    return stopping
  }

  /** A service that never began had nothing to end. Of the others the exit code does not tell: Postgres has 0 for an immediate shutdown too. */
  const unclean = (): SupervisorError | undefined => {
    for (const { unit, generation, lastOutcome } of services.values()) {
      const why = generation > 0 && skipReason(unit) === undefined ? unit.whyUnclean?.(context) : undefined
      if (why !== undefined)
        return new SupervisorError(
          'STOP_NOT_CLEAN',
          `${unit.name} did not shut down cleanly: ${why}${lastOutcome ? ` (it ${inWords(lastOutcome)})` : ''}`,
        )
    }
    return undefined
  }

  const byName = new Map(units.map((unit) => [unit.name, unit]))
  const dependsOn = (name: string, on: string): boolean =>
    dependenciesOf(byName.get(name)!).some((dependency) => dependency === on || dependsOn(dependency, on))

  const hurry = (): void => {
    const running = [...services.values()].filter((service) => service.isRunning)
    const dependents = running.filter((service) => service.unit.name !== 'postgres')
    if (dependents.length > 0) for (const service of dependents) service.hurry()
    else for (const service of running) service.signal('SIGQUIT') // Immediate shutdown: Postgres recovers at its next start.
  }

  const serviceNamed = (name: string): Service<Context> => {
    const service = services.get(name)
    if (!service)
      throw new SupervisorError(
        'UNIT_UNKNOWN',
        `cannot find a service named ${name}: there is ${[...services.keys()].join(', ')}`,
      )
    return service
  }

  const unitStatus = (unit: Unit<Context>): UnitStatus => {
    const record = tasks.get(unit.name)!
    const service = services.get(unit.name)
    const timing = timings.get(unit.name)
    const pid = service?.pid ?? null
    const skipped = skipReason(unit)
    return {
      name: unit.name,
      kind: unit.kind,
      does: unit.does,
      state: skipped !== undefined && pid === null ? 'skipped' : (service?.state.name ?? record.state),
      since: new Date(service?.since ?? record.since).toISOString(),
      pid,
      restarts: service?.restarts ?? 0,
      generation: service?.generation ?? 0,
      memoryBytes: pid === null ? null : deps.memoryOf(pid),
      lastExit: service?.lastOutcome ? inWords(service.lastOutcome) : null,
      detail:
        skipped ??
        record.detail ??
        (service && service.state.name !== 'ready' && service.lastProbe ? service.lastProbe : null),
      tookMs: timing ? timing.endedMs - timing.startedMs : null,
    }
  }

  const problems = (list: readonly UnitStatus[]): Problem[] => [
    ...(failure
      ? [
          {
            unit: list.find((unit) => unit.state === 'failed')?.name ?? 'supervisor',
            code: failure.code,
            message: failure.message,
            hint: failure.hint,
          },
        ]
      : []),
    ...list
      .filter(
        (unit) =>
          unit.kind === 'service' &&
          (unit.state === 'unready' ||
            unit.state === 'backoff' ||
            (unit.state === 'stopped' && phase === 'running')),
      )
      .map((unit) => ({
        unit: unit.name,
        code: null,
        message: `is ${unit.state}${(unit.detail ?? unit.lastExit) ? `: ${unit.detail ?? unit.lastExit}` : ''}`,
        hint:
          unit.state === 'stopped'
            ? `Type \`supervisor start ${unit.name}\`.`
            : `Type \`supervisor logs ${unit.name}\`.`,
      })),
    ...deps.problems(),
  ]

  const status = (): Status => {
    const list = units.map(unitStatus)
    const path = readyAfterMs === null ? [] : criticalPath(units, (name) => timings.get(name))
    let previousEnd = deps.startedAt
    return presentable({
      version: 1,
      phase,
      ready: isReady(),
      ...deps.describe(),
      boot: {
        readyAfterMs,
        criticalPath: path.map((unit) => {
          const { endedMs } = timings.get(unit)!
          const tookMs = endedMs - previousEnd
          previousEnd = endedMs
          return { unit, tookMs }
        }),
      },
      units: list,
      problems: problems(list),
    })
  }

  return {
    start,
    stop,
    hurry,
    status,
    ended,
    fail,
    get isStopping() {
      return stopping !== undefined
    },
    get isReady() {
      return isReady()
    },
    get wasReady() {
      return readyAfterMs !== null
    },
    detail: (unit: string, text: string | null): void => {
      tasks.get(unit)!.detail = text
    },
    signalService: (name: string, signal: NodeJS.Signals): void => void services.get(name)?.signal(signal),
    /** What a change acts upon. It goes on only while nothing stops. */
    change: {
      /** Resolves once the boot has come so far that a service can be replaced, also one that never became ready. */
      possible: changeable,
      signal: boot.signal,
      service: serviceNamed,
      /** Runs a task again, with the settings that are to be. */
      runTask: async (name: string, next: Context): Promise<void> => {
        const unit = byName.get(name)!
        if (unit.kind !== 'task' || unit.skip?.(next) !== undefined) return
        try {
          await unit.run(next, boot.signal)
        } finally {
          tasks.get(name)!.detail = null // It told of this run.
        }
      },
      /** From now on these settings are in force. */
      adopt: (next: Context): void => {
        context = next
        for (const service of services.values()) service.adopt(next)
      },
    },
    /** Carries out a person's wish; resolves with the state that was reached. */
    control: async (action: 'start' | 'stop' | 'restart', name: string): Promise<UnitState> => {
      const service = serviceNamed(name)
      if (phase !== 'running')
        throw new SupervisorError('USAGE', `cannot ${action} ${name} while ${phase}`, {
          hint: 'Wait until `supervisor status` says ready.',
        })
      const skipped = skipReason(service.unit)
      if (skipped !== undefined && action !== 'stop')
        throw new SupervisorError('USAGE', `cannot ${action} ${name}: ${skipped}`, {
          hint: 'Type `supervisor status` for what runs.',
        })
      if (action === 'stop') await service.stop()
      else {
        const restarted = service.restarts
        service[action]()
        if (action === 'restart') await service.reached('starting', 'failed')
        if (action === 'restart' || service.restarts !== restarted)
          await service.reached('ready', 'failed', 'stopped')
      }
      return service.state.name
    },
  }
}

export type Supervisor<Context = never> = ReturnType<typeof createSupervisor<Context>>

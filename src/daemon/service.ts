import {
  initialState,
  nextStep,
  timerOf,
  type Effect,
  type ServiceEvent,
  type ServiceState,
} from '../core/lifecycle.ts'
import { inWords, type Outcome } from '../core/outcome.ts'
import type { Command, Policy, ServiceUnit } from '../core/unit.ts'
import type { Gate } from '../system/gate.ts'
import type { Output, RunningProcess } from '../system/process.ts'

const probeFastMs = 25
const probeSlowMs = 30_000
const failuresUntilUnready = 3
const candidateLimitMs = 120_000

type Deps<Context> = {
  readonly context: Context
  readonly start: (command: Command, output: Output) => RunningProcess
  readonly createGate: () => Gate
  /** Takes what one process of the service writes. */
  readonly output: () => Output
  readonly random: () => number
  readonly now: () => number
  readonly delay: (ms: number) => Promise<void>
  readonly log: (level: 'debug' | 'info' | 'warn' | 'error', message: string) => void
  readonly onChange: () => void
  readonly onGiveUp: (outcome: Outcome | undefined) => void
}

/** A process of the service with its gate. Several may run at a time: the one that serves, a candidate, and replaced ones that finish. */
type Generation = { readonly process: RunningProcess; readonly gate: Gate | undefined }

/** A new generation that does not serve yet. */
export type Candidate = {
  /** Has it check itself; throws when it is not fit to serve. */
  readonly check: (signal: AbortSignal) => Promise<void>
  /** Makes it the one that serves, and tells the one before to finish; resolves when that one is gone. */
  readonly promote: () => Promise<void>
  readonly discard: () => Promise<void>
}

const levels: Partial<Record<ServiceState['name'], 'debug' | 'warn'>> = {
  starting: 'debug',
  stopping: 'debug',
  unready: 'warn',
  backoff: 'warn',
  failed: 'warn',
}

/** What a timer belongs to: a further wish to stop must not put off the kill, but a shorter time may bring it forward. */
const keyOf = (state: ServiceState, { graceMs }: Policy, mayServe: boolean): string =>
  `${state.name} ${state.failures} ${state.name === 'stopping' && `${state.killed} ${graceMs}`} ${state.name === 'starting' && mayServe}`

/** One service kept up: it feeds events to the pure machine of `core/lifecycle.ts` and carries out the effects. */
export const createService = <Context>(unit: ServiceUnit<Context>, deps: Deps<Context>) => {
  const { now } = deps
  let { context } = deps
  let shuttingDown = false
  const policyFor = (next: Context): Policy => {
    const chosen = unit.policy(next)
    return shuttingDown ? { ...chosen, graceMs: chosen.shutdownMs ?? chosen.graceMs } : chosen
  }
  let policy = policyFor(context)
  let state: ServiceState = initialState
  let since = now()
  let current: Generation | undefined
  let timer: NodeJS.Timeout | undefined
  let timerKey = ''
  let probing = new AbortController()
  let opened = unit.servesAfter === undefined
  let starts = 0
  let generation = 0
  let lastOutcome: Outcome | undefined
  let lastProbe: string | undefined
  /** Candidates and replaced generations: they end with the service. */
  const others = new Set<Generation>()
  const waiters = new Set<() => void>()

  const send = (event: ServiceEvent): void => {
    const before = state
    const { state: after, effects } = nextStep(state, event, policy)
    state = after
    if (after.name !== before.name) since = now()
    arm()
    if (after.name !== before.name) {
      deps.log(levels[after.name] ?? 'info', `${unit.name} is ${after.name}${reasonFor(after)}`)
    }
    for (const effect of effects) carryOut(effect)
    if (after !== before) {
      deps.onChange()
      for (const wake of waiters) wake()
    }
  }

  const arm = (): void => {
    const key = keyOf(state, policy, opened)
    if (key === timerKey) return
    timerKey = key
    clearTimeout(timer)
    const next = timerOf(state, policy, { random: deps.random(), mayServe: opened })
    if (next) timer = setTimeout(() => send(next.event), next.afterMs)
  }

  const reasonFor = (next: ServiceState): string => {
    if (next.name === 'unready') return `: ${lastProbe}`
    if (next.name === 'backoff')
      return `: it ${lastOutcome ? inWords(lastOutcome) : 'could not be started'} (failure ${next.failures} of ${policy.giveUpAfter})`
    return ''
  }

  const carryOut = (effect: Effect): void => {
    switch (effect) {
      case 'spawn':
        return void start().catch((error: Error) => {
          deps.log('error', `cannot start ${unit.name}: ${error.message}`)
          send('exited')
        })
      case 'terminate':
        return current?.process.signal(policy.stopSignal)
      case 'kill':
        deps.log('warn', `${unit.name} did not end within ${policy.graceMs} ms: it is killed`)
        return current?.process.killGroup()
      case 'giveUp':
        return deps.onGiveUp(lastOutcome)
    }
  }

  const spawn = (command: Command): Generation => {
    const gate = unit.servesAfter === undefined ? undefined : deps.createGate()
    try {
      return {
        process: deps.start(
          gate ? { ...command, fds: [...(command.fds ?? []), ...gate.fds] } : command,
          deps.output(),
        ),
        gate,
      }
    } catch (error) {
      gate?.close()
      throw error
    } finally {
      gate?.release()
    }
  }

  const start = async (): Promise<void> => {
    starts++
    lastProbe = undefined
    const command = await unit.command(context)
    if (state.name === 'stopping') return send('exited')
    const started = spawn(command)
    if (opened) started.gate?.open()
    serve(started)
    void follow(started)
  }

  /** Makes a generation the one that counts, and probes it from now on. */
  const serve = (next: Generation): void => {
    probing.abort()
    probing = new AbortController()
    current = next
    generation++
    deps.onChange()
    void probeWhileUp(next, probing.signal)
  }

  /** To the end of a generation. Only that of the current one is an event of the service. */
  const follow = async (followed: Generation): Promise<void> => {
    const outcome = await followed.process.ended
    followed.gate?.close()
    followed.process.killGroup() // Whatever of the group outlived its leader. What has a group of its own, `unit.command` sees to.
    others.delete(followed)
    if (current !== followed) return
    probing.abort()
    lastOutcome = outcome
    current = undefined
    send('exited')
  }

  /** Probes fast until ready, then slowly; only several failures in a row make a ready service unready, and none restarts it. */
  const probeWhileUp = async (probed: Generation, signal: AbortSignal): Promise<void> => {
    for (let failures = 0; current === probed && !signal.aborted;) {
      const why = await unit.probe(context, signal).catch((error: Error) => error.message || 'no answer')
      if (signal.aborted) return
      lastProbe = why
      failures = why === undefined ? 0 : failures + 1
      if (why === undefined) {
        if (state.name !== 'ready' && state.name !== 'stopping') send('ready')
      } else if (state.name === 'ready' && failures >= failuresUntilUnready) send('unready')
      const pauseMs =
        state.name === 'ready' && failures === 0
          ? probeSlowMs
          : state.name === 'starting'
            ? probeFastMs
            : 1000
      await new Promise<void>((resolve) => {
        const pause = setTimeout(resolve, pauseMs)
        signal.addEventListener(
          'abort',
          () => {
            clearTimeout(pause)
            resolve()
          },
          { once: true },
        )
      })
    }
  }

  /** Resolves once the service is in one of the states. */
  const reached = (...names: readonly ServiceState['name'][]): Promise<ServiceState['name']> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!names.includes(state.name)) return
        waiters.delete(look)
        resolve(state.name)
      }
      waiters.add(look)
      look()
    })

  /** Stops the generation that serves; a candidate stays. */
  const drain = async (): Promise<void> => {
    send('stop')
    await reached('stopped', 'failed')
  }

  const endWithin = async ({ process }: Generation, limitMs: number): Promise<void> => {
    const limit = setTimeout(process.killGroup, limitMs)
    await process.ended
    clearTimeout(limit)
  }

  /** Starts a new generation beside the one that serves. It takes no request until it is promoted. */
  const prepare = async (next: Context): Promise<Candidate> => {
    // Changes in quick succession: the generation before the last one gets time to go first, for each takes its memory.
    if (others.size > 0)
      await Promise.race([
        Promise.all([...others].map(({ process }) => process.ended)),
        deps.delay(policy.graceMs),
      ])
    const candidate = spawn(await unit.command(next))
    others.add(candidate)
    void follow(candidate)
    return {
      check: async (signal) => {
        const answer = await candidate.gate?.check(
          AbortSignal.any([signal, AbortSignal.timeout(candidateLimitMs)]),
        )
        const why =
          answer === undefined ? `it ${inWords(await candidate.process.ended)}` : unit.readCheck?.(answer)
        if (why !== undefined) throw new Error(why)
      },
      promote: async () => {
        const replaced = current
        if (!others.delete(candidate)) throw new Error('it ended')
        opened = true
        candidate.gate?.open()
        serve(candidate)
        send('replaced')
        if (!replaced) return
        others.add(replaced)
        replaced.process.signalGroup(policy.stopSignal) // Each worker at once: its master would take a while, in which they still accept.
        await endWithin(replaced, policy.retireMs ?? policy.graceMs)
      },
      discard: async () => {
        candidate.process.killGroup()
        await candidate.process.ended
      },
    }
  }

  /** Stops in order, with all its generations; resolves when every process is gone. */
  const stop = async (): Promise<void> => {
    const finishing = [...others].map((other) => {
      other.process.signal(policy.stopSignal)
      return endWithin(other, policy.graceMs)
    })
    await Promise.all([drain(), ...finishing])
  }

  return {
    unit,
    get state() {
      return state
    },
    get since() {
      return since
    },
    get pid() {
      return current?.process.pid ?? null
    },
    /** Whether any process of it is left, also one that was replaced. */
    get isRunning() {
      return current !== undefined || others.size > 0
    },
    /** How often it was started again after its end. */
    get restarts() {
      return Math.max(0, starts - 1)
    },
    get generation() {
      return generation
    },
    get lastOutcome() {
      return lastOutcome
    },
    get lastProbe() {
      return lastProbe
    },
    start: () => send('start'),
    restart: () => send('restart'),
    /** Lets it serve: the units of `servesAfter` are done. */
    open: (): void => {
      opened = true
      current?.gate?.open()
      arm()
    },
    reached,
    prepare,
    /** What later starts, probes and limits go by. */
    adopt: (next: Context): void => {
      context = next
      policy = policyFor(next)
    },
    signal: (signal: NodeJS.Signals) => current?.process.signal(signal),
    hurry: (): void => {
      for (const { process } of [...(current ? [current] : []), ...others]) process.killGroup()
    },
    drain,
    stop,
    /** The same because everything stops, in the time that the platform gives for it. */
    shutDown: (): Promise<void> => {
      shuttingDown = true
      policy = policyFor(context)
      return stop()
    },
  }
}

export type Service<Context> = ReturnType<typeof createService<Context>>

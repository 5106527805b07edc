import { initialState, nextStep, timerOf, type Effect, type ServiceEvent, type ServiceState } from '../core/lifecycle.ts'
import { inWords, type Outcome } from '../core/outcome.ts'
import type { Policy, ServiceUnit } from '../core/unit.ts'
import type { Output, RunningProcess } from '../system/process.ts'

const probeFastMs = 25
const probeSlowMs = 15_000
const failuresUntilUnready = 3

type Deps<Context> = {
  readonly context: Context
  readonly start: (command: Awaited<ReturnType<ServiceUnit<Context>['command']>>, output: Output) => RunningProcess
  readonly lines: Output
  readonly random: () => number
  readonly now: () => number
  readonly log: (level: 'debug' | 'info' | 'warn' | 'error', message: string) => void
  readonly onChange: () => void
  readonly onGiveUp: (outcome: Outcome | undefined) => void
}

const levels: Partial<Record<ServiceState['name'], 'debug' | 'warn'>> = { starting: 'debug', stopping: 'debug', unready: 'warn', backoff: 'warn', failed: 'warn' }

/** What a timer belongs to: a further wish to stop must not put off the kill. */
const keyOf = (state: ServiceState): string => `${state.name} ${state.failures} ${state.name === 'stopping' && state.killed}`

/** One service kept up: it feeds events to the pure machine of `core/lifecycle.ts` and carries out the effects. */
export const createService = <Context>(unit: ServiceUnit<Context>, deps: Deps<Context>) => {
  const { context, now } = deps
  const policy: Policy = unit.policy(context)
  let state: ServiceState = initialState
  let since = now()
  let running: RunningProcess | undefined
  let timer: NodeJS.Timeout | undefined
  let probing = new AbortController()
  let restarts = -1
  let lastOutcome: Outcome | undefined
  let lastProbe: string | undefined
  const waiters = new Set<() => void>()

  const send = (event: ServiceEvent): void => {
    const before = state
    const { state: after, effects } = nextStep(state, event, policy)
    state = after
    if (after.name !== before.name) since = now()
    if (keyOf(after) !== keyOf(before)) {
      clearTimeout(timer)
      const next = timerOf(after, policy, deps.random())
      if (next) timer = setTimeout(() => send(next.event), next.afterMs)
    }
    if (after.name !== before.name) {
      deps.log(levels[after.name] ?? 'info', `${unit.name} is ${after.name}${reasonFor(after)}`)
    }
    for (const effect of effects) carryOut(effect)
    if (after !== before) {
      deps.onChange()
      for (const wake of waiters) wake()
    }
  }

  const reasonFor = (next: ServiceState): string => {
    if (next.name === 'unready') return `: ${lastProbe}`
    if (next.name === 'backoff') return `: it ${lastOutcome ? inWords(lastOutcome) : 'could not be started'} (failure ${next.failures} of ${policy.giveUpAfter})`
    return ''
  }

  const carryOut = (effect: Effect): void => {
    switch (effect) {
      case 'spawn':
        return void spawn().catch((error: Error) => {
          deps.log('error', `cannot start ${unit.name}: ${error.message}`)
          send('exited')
        })
      case 'terminate': return running?.signal(policy.stopSignal)
      case 'kill':
        deps.log('warn', `${unit.name} did not end within ${policy.graceMs} ms: it is killed`)
        return running?.killGroup()
      case 'giveUp': return deps.onGiveUp(lastOutcome)
    }
  }

  const spawn = async (): Promise<void> => {
    restarts++
    probing = new AbortController()
    lastProbe = undefined
    const command = await unit.command(context)
    if (state.name === 'stopping') return send('exited')
    const started = deps.start(command, deps.lines)
    running = started
    deps.onChange()
    void probeWhileUp(started, probing.signal)
    lastOutcome = await started.ended
    probing.abort()
    started.killGroup() // Whatever of the group outlived its leader.
    running = undefined
    deps.lines.flush()
    send('exited')
  }

  /** Probes fast until ready, then slowly; only several failures in a row make a ready service unready, and none restarts it. */
  const probeWhileUp = async (process: RunningProcess, signal: AbortSignal): Promise<void> => {
    for (let failures = 0; running === process && !signal.aborted;) {
      const why = await unit.probe(context, signal).catch((error: Error) => error.message || 'no answer')
      if (signal.aborted) return
      lastProbe = why
      failures = why === undefined ? 0 : failures + 1
      if (why === undefined) {
        if (state.name !== 'ready' && state.name !== 'stopping') send('ready')
      } else if (state.name === 'ready' && failures >= failuresUntilUnready) send('unready')
      const pauseMs = state.name === 'ready' && failures === 0 ? probeSlowMs : state.name === 'starting' ? probeFastMs : 1000
      await new Promise<void>((resolve) => {
        const pause = setTimeout(resolve, pauseMs)
        signal.addEventListener('abort', () => { clearTimeout(pause); resolve() }, { once: true })
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

  return {
    unit,
    get state() { return state },
    get since() { return since },
    get pid() { return running?.pid ?? null },
    get restarts() { return Math.max(0, restarts) },
    get lastOutcome() { return lastOutcome },
    get lastProbe() { return lastProbe },
    start: () => send('start'),
    restart: () => send('restart'),
    reached,
    signal: (signal: NodeJS.Signals) => running?.signal(signal),
    hurry: () => running?.killGroup(),
    /** Stops in order; resolves when the process is gone. */
    stop: async (): Promise<void> => {
      send('stop')
      await reached('stopped', 'failed')
    },
  }
}

export type Service<Context> = ReturnType<typeof createService<Context>>

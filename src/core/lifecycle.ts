import type { Effect, GenerationId, ServiceEvent, ServiceState, TimerEvent } from './service-state.ts'
import type { Policy } from './unit.ts'

type Step = { readonly state: ServiceState; readonly effects: readonly Effect[] }

/**
 * Failed probes in a row after which a ready service counts as unready. One alone may be a moment of load.
 */
export const probesUntilUnready = 3

type Common = Omit<ServiceState, 'name' | 'next' | 'isKilled'>

const common = ({
  failures,
  failedProbes,
  mayServe,
  current,
  candidate,
  retiring,
}: ServiceState): Common => ({
  failures,
  failedProbes,
  mayServe,
  current,
  candidate,
  retiring,
})

const stay = (state: ServiceState): Step => ({ state, effects: [] })

const enter = (
  state: ServiceState,
  name: Exclude<ServiceState['name'], 'stopping'>,
  failures = state.failures,
): ServiceState => ({
  ...common(state),
  name,
  failures,
  failedProbes: 0,
})

const spawn = (state: ServiceState, failures: number): Step => ({
  state: enter(state, 'starting', failures),
  effects: [{ type: 'spawn' }],
})

const effectOn = (
  type: Exclude<Effect['type'], 'spawn' | 'giveUp'>,
  id: GenerationId | undefined,
): Effect[] => (id === undefined ? [] : [{ type, id }])

/** On its way down: the one state that knows what comes `next`. */
const goDown = (
  state: ServiceState,
  next: 'stopped' | 'starting' | 'backoff',
  failures: number,
  isKilled: boolean,
): ServiceState => ({ ...common(state), name: 'stopping', failures, next, isKilled })

const stopThen = (
  state: ServiceState,
  next: 'stopped' | 'starting' | 'backoff',
  failures = state.failures,
): Step => ({
  state: goDown(state, next, failures, false),
  effects: effectOn('terminate', state.current),
})

const fail = (state: ServiceState, failures: number, policy: Policy): Step =>
  failures >= policy.giveUpAfter
    ? { state: enter(state, 'failed', failures), effects: [{ type: 'giveUp' }] }
    : { state: enter(state, 'backoff', failures), effects: [] }

/** What a request does in each state. */
const request = (state: ServiceState, type: 'start' | 'restart' | 'drain'): Step => {
  switch (state.name) {
    case 'waiting':
    case 'stopped':
    case 'failed':
    case 'backoff':
      return type === 'drain' ? stay(enter(state, 'stopped')) : spawn(state, 0)
    case 'starting':
    case 'ready':
    case 'unready':
      if (type === 'start') return stay(state)
      return type === 'drain' ? stopThen(state, 'stopped') : stopThen(state, 'starting', 0)
    case 'stopping':
      return stay({ ...state, next: type === 'drain' ? 'stopped' : 'starting' })
  }
}

const stop = (state: ServiceState): Step => {
  const { state: next, effects } = request(state, 'drain')
  return {
    state: next,
    effects: [...effects, ...[state.candidate, ...state.retiring].flatMap((id) => effectOn('finish', id))],
  }
}

/** The last process of the service is gone, or none could be started. */
const ended = (state: ServiceState, policy: Policy): Step => {
  const gone = { ...state, current: undefined }
  switch (state.name) {
    case 'starting':
    case 'ready':
    case 'unready':
      return fail(gone, state.failures + 1, policy)
    case 'stopping':
      if (state.next === 'starting') return spawn(gone, 0)
      return state.next === 'backoff' ? fail(gone, state.failures, policy) : stay(enter(gone, 'stopped'))
    case 'waiting':
    case 'backoff':
    case 'stopped':
    case 'failed':
      return stay(gone)
  }
}

const exited = (state: ServiceState, id: GenerationId, policy: Policy): Step => {
  if (id === state.current) return ended(state, policy)
  const candidate = id === state.candidate ? undefined : state.candidate
  return stay({ ...state, candidate, retiring: state.retiring.filter((other) => other !== id) })
}

/**
 * A process takes a moment to start. What has become of the service meanwhile decides: a stop ends it,
 * a promoted candidate makes it needless.
 */
const spawned = (state: ServiceState, id: GenerationId): Step => {
  if (state.current !== undefined || (state.name !== 'starting' && state.name !== 'stopping')) {
    return { state: { ...state, retiring: [...state.retiring, id] }, effects: effectOn('kill', id) }
  }
  const next = { ...state, current: id }
  if (state.name === 'stopping')
    return { state: next, effects: effectOn(state.isKilled ? 'kill' : 'terminate', id) }
  return {
    state: next,
    effects: [...(state.mayServe ? effectOn('openGate', id) : []), ...effectOn('probe', id)],
  }
}

/** One that comes once the service was told to stop ends at once: the stop did not reach it. */
const prepared = (state: ServiceState, id: GenerationId): Step => {
  const isOver = state.name === 'stopped' || (state.name === 'stopping' && state.next === 'stopped')
  return { state: { ...state, candidate: id }, effects: isOver ? effectOn('finish', id) : [] }
}

/**
 * A candidate that ended meanwhile changes nothing. A service that is stopping needs none:
 * what starts next has the new settings.
 */
const promoted = (state: ServiceState, id: GenerationId): Step => {
  if (id !== state.candidate) return stay(state)
  if (state.name === 'stopping') {
    const retiring = [...state.retiring, id]
    return { state: { ...state, candidate: undefined, retiring }, effects: effectOn('finish', id) }
  }
  const { current: before } = state
  return {
    state: {
      ...enter(state, 'ready', 0),
      mayServe: true,
      current: id,
      candidate: undefined,
      retiring: before === undefined ? state.retiring : [...state.retiring, before],
    },
    effects: [...effectOn('openGate', id), ...effectOn('probe', id), ...effectOn('retire', before)],
  }
}

const probed = (state: ServiceState, id: GenerationId, isUp: boolean): Step => {
  if (id !== state.current || !['starting', 'ready', 'unready'].includes(state.name)) return stay(state)
  if (isUp) return stay(state.name === 'ready' ? { ...state, failedProbes: 0 } : enter(state, 'ready'))
  const failedProbes = state.failedProbes + 1
  if (state.name === 'ready' && failedProbes >= probesUntilUnready)
    return stay({ ...enter(state, 'unready'), failedProbes })
  return stay({ ...state, failedProbes })
}

/** What hangs hears no signal that it could act on. */
const hung = (state: ServiceState, id: GenerationId): Step => {
  if (id !== state.current || (state.name !== 'ready' && state.name !== 'unready')) return stay(state)
  return {
    state: goDown(state, 'backoff', state.failures + 1, true),
    effects: effectOn('killHung', id),
  }
}

const timedOut = (state: ServiceState, type: TimerEvent): Step => {
  switch (type) {
    case 'startTimedOut':
      return state.name === 'starting' ? stopThen(state, 'backoff', state.failures + 1) : stay(state)
    case 'backedOff':
      return state.name === 'backoff' ? spawn(state, state.failures) : stay(state)
    case 'stayedUp':
      return state.name === 'ready' ? stay({ ...state, failures: 0 }) : stay(state)
    case 'graceElapsed':
      return state.name === 'stopping'
        ? { state: { ...state, isKilled: true }, effects: effectOn('kill', state.current) }
        : stay(state)
  }
}

/**
 * The next state, and what must be done to get there.
 * An event that means nothing in a state leaves it as it is.
 */
export const nextStep = (state: ServiceState, event: ServiceEvent, policy: Policy): Step => {
  switch (event.type) {
    case 'start':
    case 'restart':
    case 'drain':
      return request(state, event.type)
    case 'stop':
      return stop(state)
    case 'open':
      return {
        state: { ...state, mayServe: true },
        effects: state.name === 'stopping' ? [] : effectOn('openGate', state.current),
      }
    case 'close':
      return stay({ ...state, mayServe: false })
    case 'spawned':
      return spawned(state, event.id)
    case 'spawnFailed':
      return state.current === undefined ? ended(state, policy) : stay(state)
    case 'prepared':
      return prepared(state, event.id)
    case 'tried':
      return stay({ ...state, retiring: [...state.retiring, event.id] })
    case 'promoted':
      return promoted(state, event.id)
    case 'exited':
      return exited(state, event.id, policy)
    case 'probed':
      return probed(state, event.id, event.isUp)
    case 'hung':
      return hung(state, event.id)
    case 'startTimedOut':
    case 'backedOff':
    case 'stayedUp':
    case 'graceElapsed':
      return timedOut(state, event.type)
  }
}

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  backoffMs,
  initialState,
  nextStep,
  timerOf,
  type Effect,
  type ServiceEvent,
  type ServiceState,
} from '../../src/core/lifecycle.ts'
import type { Policy } from '../../src/core/unit.ts'

const policy: Policy = {
  startLimitMs: 300_000,
  graceMs: 4000,
  stableMs: 30_000,
  giveUpAfter: 4,
  backoff: { baseMs: 100, maxMs: 10_000 },
  stopSignal: 'SIGTERM',
}

const events = [
  'start',
  'ready',
  'unready',
  'exited',
  'startTimedOut',
  'backedOff',
  'stayedUp',
  'stop',
  'restart',
  'graceElapsed',
  'replaced',
] as const satisfies readonly ServiceEvent[]

/** "name failures", and for `stopping` what comes then, and whether it was killed. */
const states = [
  'waiting 2',
  'stopped 2',
  'failed 2',
  'starting 2',
  'ready 2',
  'unready 2',
  'backoff 2',
  'stopping 2 stopped',
  'stopping 2 starting',
  'stopping 2 backoff',
  'stopping 2 stopped killed',
  'stopping 2 starting killed',
  'stopping 2 backoff killed',
] as const

const parse = (text: string): ServiceState => {
  const [name, failures, then, killed] = text.split(' ')
  return {
    name,
    failures: Number(failures),
    ...(name === 'stopping' ? { then, killed: killed === 'killed' } : {}),
  } as ServiceState
}

type Row = readonly [
  state: (typeof states)[number],
  event: ServiceEvent,
  next: string,
  effects: readonly Effect[],
]

const transitions: readonly Row[] = [
  ['waiting 2', 'start', 'starting 0', ['spawn']],
  ['waiting 2', 'restart', 'starting 0', ['spawn']],
  ['waiting 2', 'stop', 'stopped 2', []],
  ['waiting 2', 'replaced', 'ready 0', []],

  ['stopped 2', 'start', 'starting 0', ['spawn']],
  ['stopped 2', 'restart', 'starting 0', ['spawn']],
  ['stopped 2', 'replaced', 'ready 0', []],

  ['failed 2', 'start', 'starting 0', ['spawn']],
  ['failed 2', 'restart', 'starting 0', ['spawn']],
  ['failed 2', 'stop', 'stopped 2', []],
  ['failed 2', 'replaced', 'ready 0', []],

  ['starting 2', 'ready', 'ready 2', []],
  ['starting 2', 'exited', 'backoff 3', []],
  ['starting 2', 'startTimedOut', 'stopping 3 backoff', ['terminate']],
  ['starting 2', 'stayedUp', 'starting 0', []],
  ['starting 2', 'stop', 'stopping 2 stopped', ['terminate']],
  ['starting 2', 'restart', 'stopping 0 starting', ['terminate']],
  ['starting 2', 'replaced', 'ready 0', []],

  ['ready 2', 'unready', 'unready 2', []],
  ['ready 2', 'exited', 'backoff 3', []],
  ['ready 2', 'stayedUp', 'ready 0', []],
  ['ready 2', 'stop', 'stopping 2 stopped', ['terminate']],
  ['ready 2', 'restart', 'stopping 0 starting', ['terminate']],
  ['ready 2', 'replaced', 'ready 0', []],

  ['unready 2', 'ready', 'ready 2', []],
  ['unready 2', 'exited', 'backoff 3', []],
  ['unready 2', 'stayedUp', 'unready 0', []],
  ['unready 2', 'stop', 'stopping 2 stopped', ['terminate']],
  ['unready 2', 'restart', 'stopping 0 starting', ['terminate']],
  ['unready 2', 'replaced', 'ready 0', []],

  ['backoff 2', 'backedOff', 'starting 2', ['spawn']],
  ['backoff 2', 'start', 'starting 0', ['spawn']],
  ['backoff 2', 'restart', 'starting 0', ['spawn']],
  ['backoff 2', 'stop', 'stopped 2', []],
  ['backoff 2', 'replaced', 'ready 0', []],

  ['stopping 2 stopped', 'exited', 'stopped 2', []],
  ['stopping 2 stopped', 'graceElapsed', 'stopping 2 stopped killed', ['kill']],
  ['stopping 2 stopped', 'start', 'stopping 2 starting', []],
  ['stopping 2 stopped', 'restart', 'stopping 2 starting', []],

  ['stopping 2 starting', 'exited', 'starting 0', ['spawn']],
  ['stopping 2 starting', 'graceElapsed', 'stopping 2 starting killed', ['kill']],
  ['stopping 2 starting', 'stop', 'stopping 2 stopped', []],

  ['stopping 2 backoff', 'exited', 'backoff 2', []],
  ['stopping 2 backoff', 'graceElapsed', 'stopping 2 backoff killed', ['kill']],
  ['stopping 2 backoff', 'stop', 'stopping 2 stopped', []],
  ['stopping 2 backoff', 'start', 'stopping 2 starting', []],
  ['stopping 2 backoff', 'restart', 'stopping 2 starting', []],

  ['stopping 2 stopped killed', 'exited', 'stopped 2', []],
  ['stopping 2 stopped killed', 'graceElapsed', 'stopping 2 stopped killed', ['kill']],
  ['stopping 2 stopped killed', 'start', 'stopping 2 starting killed', []],
  ['stopping 2 stopped killed', 'restart', 'stopping 2 starting killed', []],

  ['stopping 2 starting killed', 'exited', 'starting 0', ['spawn']],
  ['stopping 2 starting killed', 'graceElapsed', 'stopping 2 starting killed', ['kill']],
  ['stopping 2 starting killed', 'stop', 'stopping 2 stopped killed', []],

  ['stopping 2 backoff killed', 'exited', 'backoff 2', []],
  ['stopping 2 backoff killed', 'graceElapsed', 'stopping 2 backoff killed', ['kill']],
  ['stopping 2 backoff killed', 'stop', 'stopping 2 stopped killed', []],
  ['stopping 2 backoff killed', 'start', 'stopping 2 starting killed', []],
  ['stopping 2 backoff killed', 'restart', 'stopping 2 starting killed', []],
]

const ignored = states.flatMap((state) =>
  events
    .filter((event) => !transitions.some((row) => row[0] === state && row[1] === event))
    .map((event) => [state, event] as const),
)

/** Feeds events from the initial state; returns where it ends and all effects on the way. */
const after = (sequence: readonly ServiceEvent[], from = initialState, by = policy) =>
  sequence.reduce<{ state: ServiceState; effects: Effect[] }>(
    ({ state, effects }, event) => {
      const step = nextStep(state, event, by)
      return { state: step.state, effects: [...effects, ...step.effects] }
    },
    { state: from, effects: [] },
  )

describe('each event in each state', () => {
  test.each(transitions)('%s, %s → %s %j', (state, event, next, effects) => {
    expect(nextStep(parse(state), event, policy)).toEqual({ state: parse(next), effects })
  })

  test.each(ignored)('%s ignores %s', (state, event) => {
    expect(nextStep(parse(state), event, policy)).toEqual({ state: parse(state), effects: [] })
  })

  test('is listed or ignored, once', () => {
    expect(new Set([...transitions, ...ignored].map(([state, event]) => `${state}, ${event}`)).size).toBe(
      states.length * events.length,
    )
    expect(transitions.length + ignored.length).toBe(states.length * events.length)
  })
})

describe('a service that dies', () => {
  test('gives up at the failure number of the policy, and not before', () => {
    const once = ['exited', 'backedOff'] as const
    expect(after(['start', ...once, ...once, ...once]).state).toEqual({ name: 'starting', failures: 3 })
    expect(after(['start', ...once, ...once, ...once, 'exited'])).toEqual({
      state: { name: 'failed', failures: 4 },
      effects: ['spawn', 'spawn', 'spawn', 'spawn', 'giveUp'],
    })
  })

  test('gives up when it never becomes ready in time', () => {
    const once = ['startTimedOut', 'exited', 'backedOff'] as const
    const { state, effects } = after(['start', ...once, ...once, ...once, ...once])
    expect(state).toEqual({ name: 'failed', failures: 4 })
    expect(effects.filter((effect) => effect === 'giveUp')).toHaveLength(1)
  })

  test('counts from zero again once it stayed up', () => {
    expect(after(['start', 'exited', 'backedOff', 'exited', 'backedOff', 'ready']).state.failures).toBe(2)
    expect(
      after(['start', 'exited', 'backedOff', 'exited', 'backedOff', 'ready', 'stayedUp', 'exited']).state,
    ).toEqual({ name: 'backoff', failures: 1 })
  })

  test('keeps its count when it is ready only shortly', () => {
    expect(after(['start', 'exited', 'backedOff', 'ready', 'exited']).state).toEqual({
      name: 'backoff',
      failures: 2,
    })
  })

  test('counts from zero again when a new generation that proved itself replaces it, whatever it did before', () => {
    expect(after(['start', 'exited', 'backedOff', 'exited', 'replaced', 'exited']).state).toEqual({
      name: 'backoff',
      failures: 1,
    })
    expect(after(['start', 'exited', 'exited', 'replaced'])).toEqual({
      state: { name: 'ready', failures: 0 },
      effects: ['spawn'],
    })
  })

  test('counts from zero again when a person starts it', () => {
    expect(after(['start', 'exited', 'exited', 'start']).state).toEqual({ name: 'starting', failures: 0 })
  })
})

describe('the pause before a restart', () => {
  test('doubles up to its limit', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 8, 9].map((failures) => backoffMs(failures, policy, 0))).toEqual([
      100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000,
    ])
    expect(backoffMs(5000, policy, 0)).toBe(10_000)
  })

  test('is shorter by up to a tenth, never longer', () => {
    expect(backoffMs(1, policy, 0.5)).toBe(95)
    fc.assert(
      fc.property(
        fc.nat(2000),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (failures, random) => {
          const whole = backoffMs(failures, policy, 0)
          const pause = backoffMs(failures, policy, random)
          return Number.isInteger(pause) && pause <= whole && pause >= Math.round(whole * 0.9) && pause > 0
        },
      ),
    )
  })
})

describe('the timer of a state', () => {
  test.each([
    ['waiting 2', undefined],
    ['stopped 2', undefined],
    ['failed 2', undefined],
    ['unready 2', undefined],
    ['starting 2', { event: 'startTimedOut', afterMs: 300_000 }],
    ['ready 0', undefined],
    ['ready 2', { event: 'stayedUp', afterMs: 30_000 }],
    ['backoff 2', { event: 'backedOff', afterMs: 200 }],
    ['stopping 2 stopped', { event: 'graceElapsed', afterMs: 4000 }],
    ['stopping 2 starting', { event: 'graceElapsed', afterMs: 4000 }],
    ['stopping 2 stopped killed', undefined],
  ] as const)('%s arms %j', (state, timer) => {
    expect(timerOf(parse(state), policy, { random: 0, mayServe: true })).toEqual(timer)
  })

  test.each(states.map((state) => [state, state.startsWith('starting')] as const))(
    '%s, while it may not serve, is without the limit of a start: %s',
    (state, isStart) => {
      expect(timerOf(parse(state), policy, { random: 0, mayServe: false })).toEqual(
        isStart ? undefined : timerOf(parse(state), policy, { random: 0, mayServe: true }),
      )
    },
  )

  test('is none for a start without a limit', () => {
    const { startLimitMs: _, ...unlimited } = policy
    expect(timerOf(parse('starting 0'), unlimited, { random: 0, mayServe: true })).toBeUndefined()
  })
})

describe('whatever happens', () => {
  const anyEvents = fc.array(fc.constantFrom(...events), { maxLength: 60 })

  /**
   * Runs events against a process that exists from `spawn` to `exited`, which is fed only while it exists.
   */
  const simulate = (sequence: readonly ServiceEvent[]) => {
    let state = initialState
    let alive = false
    const feed = (event: ServiceEvent): void => {
      if (event === 'exited' && !alive) return
      if (event === 'exited') alive = false
      if (event === 'replaced') alive ||= state.name !== 'stopping' // It comes with a process of its own.
      const step = nextStep(state, event, policy)
      state = step.state
      for (const effect of step.effects) {
        if (effect === 'spawn') {
          expect(alive, 'a second process is spawned').toBe(false)
          alive = true
        } else if (effect !== 'giveUp') expect(alive, `${effect} without a process`).toBe(true)
      }
      expect(
        ['starting', 'ready', 'unready', 'stopping'].includes(state.name),
        `alive while ${state.name}`,
      ).toBe(alive)
    }
    sequence.forEach(feed)
    return {
      feed,
      get state() {
        return state
      },
    }
  }

  test('at most one process is alive, and a state that needs one has it', () => {
    fc.assert(
      fc.property(anyEvents, (sequence) => void simulate(sequence)),
      { numRuns: 500 },
    )
  })

  test('a stop ends in stopped as soon as the process is gone', () => {
    fc.assert(
      fc.property(anyEvents, (sequence) => {
        const service = simulate(sequence)
        service.feed('stop')
        service.feed('exited')
        expect(service.state.name).toBe('stopped')
      }),
      { numRuns: 500 },
    )
  })

  test('failures never exceed the limit', () => {
    fc.assert(fc.property(anyEvents, (sequence) => simulate(sequence).state.failures <= policy.giveUpAfter))
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nextStep, probesUntilUnready } from '../../src/core/lifecycle.ts'
import {
  type Effect,
  initialState,
  isRunning,
  type ServiceEvent,
  type ServiceState,
} from '../../src/core/service-state.ts'
import { backoffMs, pauseToPoll, probePauseMs, timerKeyOf, timerOf } from '../../src/core/timers.ts'
import type { Policy } from '../../src/core/unit.ts'
import { runs, runsTimeoutMs } from './runs.ts'

const policy: Policy = {
  startLimitMs: 300_000,
  graceMs: 4000,
  stableMs: 30_000,
  giveUpAfter: 4,
  backoff: { baseMs: 100, maxMs: 10_000 },
  stopSignal: 'SIGTERM',
}

/**
 * A state in words: "stopping 2 starting killed @1 +2 -3 ?1 gated" is a service that has failed twice and is
 * stopping, to start again, and was killed; its current generation is 1, its candidate 2, 3 is retiring; one
 * probe failed, and it may not serve yet.
 */
const stateOf = (words: string): ServiceState => {
  const [name = '', failures, ...marks] = words.split(' ')
  const marked = (sign: string): number[] =>
    marks.filter((mark) => mark.startsWith(sign)).map((mark) => Number(mark.slice(1)))
  const common = {
    failures: Number(failures),
    failedProbes: marked('?')[0] ?? 0,
    mayServe: !marks.includes('gated'),
    current: marked('@')[0],
    candidate: marked('+')[0],
    retiring: marked('-'),
  }
  const next = (['stopped', 'starting', 'backoff'] as const).find((mark) => marks.includes(mark))
  switch (name) {
    case 'waiting':
    case 'starting':
    case 'ready':
    case 'unready':
    case 'backoff':
    case 'stopped':
    case 'failed':
      return { ...common, name }
    case 'stopping':
      return { ...common, name, next: next!, isKilled: marks.includes('killed') }
    default:
      throw new Error(`${name} is not a state`)
  }
}

/** An event in words: "start", "exited 1", "up 1" and "down 1" for a probe. */
const eventOf = (words: string): ServiceEvent => {
  const [type = '', number] = words.split(' ')
  const id = Number(number)
  switch (type) {
    case 'start':
    case 'restart':
    case 'drain':
    case 'stop':
    case 'open':
    case 'spawnFailed':
    case 'startTimedOut':
    case 'backedOff':
    case 'stayedUp':
    case 'graceElapsed':
      return { type }
    case 'spawned':
    case 'prepared':
    case 'tried':
    case 'promoted':
    case 'exited':
    case 'hung':
      return { type, id }
    case 'up':
    case 'down':
      return { type: 'probed', id, isUp: type === 'up' }
    default:
      throw new Error(`${type} is not an event`)
  }
}

const inWords = (effect: Effect): string => ('id' in effect ? `${effect.type} ${effect.id}` : effect.type)
/** One step in words, from words. */
const step = (state: string, event: string) => {
  const { state: next, effects } = nextStep(stateOf(state), eventOf(event), policy)
  return { state: next, effects: effects.map(inWords) }
}
/** Feeds events from the state on; returns where it ends, and all effects on the way. */
const after = (events: readonly string[], from = 'waiting 0') =>
  events.reduce<{ state: ServiceState; effects: string[] }>(
    ({ state, effects }, event) => {
      const { state: next, effects: more } = nextStep(state, eventOf(event), policy)
      return { state: next, effects: [...effects, ...more.map(inWords)] }
    },
    { state: stateOf(from), effects: [] },
  )

/**
 * Each has all generations that it can have: 1 is current, 2 the candidate, 3 retiring. 9 is one that nobody
 * knows.
 */
const states = [
  'waiting 2 +2 -3',
  'stopped 2 +2 -3',
  'failed 2 +2 -3',
  'backoff 2 +2 -3',
  'starting 2 +2 -3',
  'starting 2 @1 +2 -3',
  'ready 2 @1 +2 -3',
  'unready 2 @1 +2 -3',
  'stopping 2 stopped +2 -3',
  'stopping 2 stopped @1 +2 -3',
  'stopping 2 starting @1 +2 -3',
  'stopping 2 backoff @1 +2 -3',
  'stopping 2 stopped killed +2 -3',
  'stopping 2 stopped killed @1 +2 -3',
  'stopping 2 starting killed @1 +2 -3',
  'stopping 2 backoff killed @1 +2 -3',
] as const

const events = [
  'start',
  'restart',
  'drain',
  'stop',
  'spawned 9',
  'spawnFailed',
  'promoted 2',
  'exited 1',
  'startTimedOut',
  'backedOff',
  'stayedUp',
  'graceElapsed',
  'up 1',
  'down 1',
  'hung 1',
] as const

type Row = readonly [
  state: (typeof states)[number],
  event: (typeof events)[number],
  next: string,
  effects: readonly string[],
]

const ends = ['finish 2', 'finish 3']
const promotes = ['openGate 2', 'probe 2']
const takesOver = [...promotes, 'retire 1']

// oxfmt-ignore
const transitions: readonly Row[] = [
  ['waiting 2 +2 -3', 'start', 'starting 0 +2 -3', ['spawn']],
  ['waiting 2 +2 -3', 'restart', 'starting 0 +2 -3', ['spawn']],
  ['waiting 2 +2 -3', 'drain', 'stopped 2 +2 -3', []],
  ['waiting 2 +2 -3', 'stop', 'stopped 2 +2 -3', ends],
  ['waiting 2 +2 -3', 'spawned 9', 'waiting 2 +2 -3 -9', ['kill 9']],
  ['waiting 2 +2 -3', 'promoted 2', 'ready 0 @2 -3', promotes],

  ['stopped 2 +2 -3', 'start', 'starting 0 +2 -3', ['spawn']],
  ['stopped 2 +2 -3', 'restart', 'starting 0 +2 -3', ['spawn']],
  ['stopped 2 +2 -3', 'stop', 'stopped 2 +2 -3', ends],
  ['stopped 2 +2 -3', 'spawned 9', 'stopped 2 +2 -3 -9', ['kill 9']],
  ['stopped 2 +2 -3', 'promoted 2', 'ready 0 @2 -3', promotes],

  ['failed 2 +2 -3', 'start', 'starting 0 +2 -3', ['spawn']],
  ['failed 2 +2 -3', 'restart', 'starting 0 +2 -3', ['spawn']],
  ['failed 2 +2 -3', 'drain', 'stopped 2 +2 -3', []],
  ['failed 2 +2 -3', 'stop', 'stopped 2 +2 -3', ends],
  ['failed 2 +2 -3', 'spawned 9', 'failed 2 +2 -3 -9', ['kill 9']],
  ['failed 2 +2 -3', 'promoted 2', 'ready 0 @2 -3', promotes],

  ['backoff 2 +2 -3', 'start', 'starting 0 +2 -3', ['spawn']],
  ['backoff 2 +2 -3', 'restart', 'starting 0 +2 -3', ['spawn']],
  ['backoff 2 +2 -3', 'drain', 'stopped 2 +2 -3', []],
  ['backoff 2 +2 -3', 'stop', 'stopped 2 +2 -3', ends],
  ['backoff 2 +2 -3', 'backedOff', 'starting 2 +2 -3', ['spawn']],
  ['backoff 2 +2 -3', 'spawned 9', 'backoff 2 +2 -3 -9', ['kill 9']],
  ['backoff 2 +2 -3', 'promoted 2', 'ready 0 @2 -3', promotes],

  ['starting 2 +2 -3', 'restart', 'stopping 0 starting +2 -3', []],
  ['starting 2 +2 -3', 'drain', 'stopping 2 stopped +2 -3', []],
  ['starting 2 +2 -3', 'stop', 'stopping 2 stopped +2 -3', ends],
  ['starting 2 +2 -3', 'spawned 9', 'starting 2 @9 +2 -3', ['openGate 9', 'probe 9']],
  ['starting 2 +2 -3', 'spawnFailed', 'backoff 3 +2 -3', []],
  ['starting 2 +2 -3', 'promoted 2', 'ready 0 @2 -3', promotes],
  ['starting 2 +2 -3', 'startTimedOut', 'stopping 3 backoff +2 -3', []],

  ['starting 2 @1 +2 -3', 'restart', 'stopping 0 starting @1 +2 -3', ['terminate 1']],
  ['starting 2 @1 +2 -3', 'drain', 'stopping 2 stopped @1 +2 -3', ['terminate 1']],
  ['starting 2 @1 +2 -3', 'stop', 'stopping 2 stopped @1 +2 -3', ['terminate 1', ...ends]],
  ['starting 2 @1 +2 -3', 'spawned 9', 'starting 2 @1 +2 -3 -9', ['kill 9']],
  ['starting 2 @1 +2 -3', 'promoted 2', 'ready 0 @2 -3 -1', takesOver],
  ['starting 2 @1 +2 -3', 'exited 1', 'backoff 3 +2 -3', []],
  ['starting 2 @1 +2 -3', 'startTimedOut', 'stopping 3 backoff @1 +2 -3', ['terminate 1']],
  ['starting 2 @1 +2 -3', 'up 1', 'ready 2 @1 +2 -3', []],
  ['starting 2 @1 +2 -3', 'down 1', 'starting 2 @1 +2 -3 ?1', []],

  ['ready 2 @1 +2 -3', 'restart', 'stopping 0 starting @1 +2 -3', ['terminate 1']],
  ['ready 2 @1 +2 -3', 'drain', 'stopping 2 stopped @1 +2 -3', ['terminate 1']],
  ['ready 2 @1 +2 -3', 'stop', 'stopping 2 stopped @1 +2 -3', ['terminate 1', ...ends]],
  ['ready 2 @1 +2 -3', 'spawned 9', 'ready 2 @1 +2 -3 -9', ['kill 9']],
  ['ready 2 @1 +2 -3', 'promoted 2', 'ready 0 @2 -3 -1', takesOver],
  ['ready 2 @1 +2 -3', 'exited 1', 'backoff 3 +2 -3', []],
  ['ready 2 @1 +2 -3', 'stayedUp', 'ready 0 @1 +2 -3', []],
  ['ready 2 @1 +2 -3', 'down 1', 'ready 2 @1 +2 -3 ?1', []],
  ['ready 2 @1 +2 -3', 'hung 1', 'stopping 3 backoff killed @1 +2 -3', ['killHung 1']],

  ['unready 2 @1 +2 -3', 'restart', 'stopping 0 starting @1 +2 -3', ['terminate 1']],
  ['unready 2 @1 +2 -3', 'drain', 'stopping 2 stopped @1 +2 -3', ['terminate 1']],
  ['unready 2 @1 +2 -3', 'stop', 'stopping 2 stopped @1 +2 -3', ['terminate 1', ...ends]],
  ['unready 2 @1 +2 -3', 'spawned 9', 'unready 2 @1 +2 -3 -9', ['kill 9']],
  ['unready 2 @1 +2 -3', 'promoted 2', 'ready 0 @2 -3 -1', takesOver],
  ['unready 2 @1 +2 -3', 'exited 1', 'backoff 3 +2 -3', []],
  ['unready 2 @1 +2 -3', 'up 1', 'ready 2 @1 +2 -3', []],
  ['unready 2 @1 +2 -3', 'down 1', 'unready 2 @1 +2 -3 ?1', []],
  ['unready 2 @1 +2 -3', 'hung 1', 'stopping 3 backoff killed @1 +2 -3', ['killHung 1']],

  ['stopping 2 stopped +2 -3', 'start', 'stopping 2 starting +2 -3', []],
  ['stopping 2 stopped +2 -3', 'restart', 'stopping 2 starting +2 -3', []],
  ['stopping 2 stopped +2 -3', 'stop', 'stopping 2 stopped +2 -3', ends],
  ['stopping 2 stopped +2 -3', 'spawned 9', 'stopping 2 stopped @9 +2 -3', ['terminate 9']],
  ['stopping 2 stopped +2 -3', 'promoted 2', 'stopping 2 stopped -3 -2', ['finish 2']],
  ['stopping 2 stopped +2 -3', 'spawnFailed', 'stopped 2 +2 -3', []],
  ['stopping 2 stopped +2 -3', 'graceElapsed', 'stopping 2 stopped killed +2 -3', []],

  ['stopping 2 stopped @1 +2 -3', 'start', 'stopping 2 starting @1 +2 -3', []],
  ['stopping 2 stopped @1 +2 -3', 'restart', 'stopping 2 starting @1 +2 -3', []],
  ['stopping 2 stopped @1 +2 -3', 'stop', 'stopping 2 stopped @1 +2 -3', ends],
  ['stopping 2 stopped @1 +2 -3', 'spawned 9', 'stopping 2 stopped @1 +2 -3 -9', ['kill 9']],
  ['stopping 2 stopped @1 +2 -3', 'promoted 2', 'stopping 2 stopped @1 -3 -2', ['finish 2']],
  ['stopping 2 stopped @1 +2 -3', 'exited 1', 'stopped 2 +2 -3', []],
  ['stopping 2 stopped @1 +2 -3', 'graceElapsed', 'stopping 2 stopped killed @1 +2 -3', ['kill 1']],

  ['stopping 2 starting @1 +2 -3', 'drain', 'stopping 2 stopped @1 +2 -3', []],
  ['stopping 2 starting @1 +2 -3', 'stop', 'stopping 2 stopped @1 +2 -3', ends],
  ['stopping 2 starting @1 +2 -3', 'spawned 9', 'stopping 2 starting @1 +2 -3 -9', ['kill 9']],
  ['stopping 2 starting @1 +2 -3', 'promoted 2', 'stopping 2 starting @1 -3 -2', ['finish 2']],
  ['stopping 2 starting @1 +2 -3', 'exited 1', 'starting 0 +2 -3', ['spawn']],
  ['stopping 2 starting @1 +2 -3', 'graceElapsed', 'stopping 2 starting killed @1 +2 -3', ['kill 1']],

  ['stopping 2 backoff @1 +2 -3', 'start', 'stopping 2 starting @1 +2 -3', []],
  ['stopping 2 backoff @1 +2 -3', 'restart', 'stopping 2 starting @1 +2 -3', []],
  ['stopping 2 backoff @1 +2 -3', 'drain', 'stopping 2 stopped @1 +2 -3', []],
  ['stopping 2 backoff @1 +2 -3', 'stop', 'stopping 2 stopped @1 +2 -3', ends],
  ['stopping 2 backoff @1 +2 -3', 'spawned 9', 'stopping 2 backoff @1 +2 -3 -9', ['kill 9']],
  ['stopping 2 backoff @1 +2 -3', 'promoted 2', 'stopping 2 backoff @1 -3 -2', ['finish 2']],
  ['stopping 2 backoff @1 +2 -3', 'exited 1', 'backoff 2 +2 -3', []],
  ['stopping 2 backoff @1 +2 -3', 'graceElapsed', 'stopping 2 backoff killed @1 +2 -3', ['kill 1']],

  ['stopping 2 stopped killed +2 -3', 'start', 'stopping 2 starting killed +2 -3', []],
  ['stopping 2 stopped killed +2 -3', 'restart', 'stopping 2 starting killed +2 -3', []],
  ['stopping 2 stopped killed +2 -3', 'stop', 'stopping 2 stopped killed +2 -3', ends],
  ['stopping 2 stopped killed +2 -3', 'spawned 9', 'stopping 2 stopped killed @9 +2 -3', ['kill 9']],
  ['stopping 2 stopped killed +2 -3', 'promoted 2', 'stopping 2 stopped killed -3 -2', ['finish 2']],
  ['stopping 2 stopped killed +2 -3', 'spawnFailed', 'stopped 2 +2 -3', []],

  ['stopping 2 stopped killed @1 +2 -3', 'start', 'stopping 2 starting killed @1 +2 -3', []],
  ['stopping 2 stopped killed @1 +2 -3', 'restart', 'stopping 2 starting killed @1 +2 -3', []],
  ['stopping 2 stopped killed @1 +2 -3', 'stop', 'stopping 2 stopped killed @1 +2 -3', ends],
  ['stopping 2 stopped killed @1 +2 -3', 'spawned 9', 'stopping 2 stopped killed @1 +2 -3 -9', ['kill 9']],
  ['stopping 2 stopped killed @1 +2 -3', 'promoted 2', 'stopping 2 stopped killed @1 -3 -2', ['finish 2']],
  ['stopping 2 stopped killed @1 +2 -3', 'exited 1', 'stopped 2 +2 -3', []],
  ['stopping 2 stopped killed @1 +2 -3', 'graceElapsed', 'stopping 2 stopped killed @1 +2 -3', ['kill 1']],

  ['stopping 2 starting killed @1 +2 -3', 'drain', 'stopping 2 stopped killed @1 +2 -3', []],
  ['stopping 2 starting killed @1 +2 -3', 'stop', 'stopping 2 stopped killed @1 +2 -3', ends],
  ['stopping 2 starting killed @1 +2 -3', 'spawned 9', 'stopping 2 starting killed @1 +2 -3 -9', ['kill 9']],
  ['stopping 2 starting killed @1 +2 -3', 'promoted 2', 'stopping 2 starting killed @1 -3 -2', ['finish 2']],
  ['stopping 2 starting killed @1 +2 -3', 'exited 1', 'starting 0 +2 -3', ['spawn']],
  ['stopping 2 starting killed @1 +2 -3', 'graceElapsed', 'stopping 2 starting killed @1 +2 -3', ['kill 1']],

  ['stopping 2 backoff killed @1 +2 -3', 'start', 'stopping 2 starting killed @1 +2 -3', []],
  ['stopping 2 backoff killed @1 +2 -3', 'restart', 'stopping 2 starting killed @1 +2 -3', []],
  ['stopping 2 backoff killed @1 +2 -3', 'drain', 'stopping 2 stopped killed @1 +2 -3', []],
  ['stopping 2 backoff killed @1 +2 -3', 'stop', 'stopping 2 stopped killed @1 +2 -3', ends],
  ['stopping 2 backoff killed @1 +2 -3', 'spawned 9', 'stopping 2 backoff killed @1 +2 -3 -9', ['kill 9']],
  ['stopping 2 backoff killed @1 +2 -3', 'promoted 2', 'stopping 2 backoff killed @1 -3 -2', ['finish 2']],
  ['stopping 2 backoff killed @1 +2 -3', 'exited 1', 'backoff 2 +2 -3', []],
  ['stopping 2 backoff killed @1 +2 -3', 'graceElapsed', 'stopping 2 backoff killed @1 +2 -3', ['kill 1']],
]

describe('each event in each state', () => {
  test.each(transitions)('%s, %s → %s %j', (state, event, next, effects) => {
    expect(step(state, event)).toEqual({ state: stateOf(next), effects })
  })

  test('is listed, or leaves the state as it is', () => {
    const listed = new Set(transitions.map(([state, event]) => `${state}, ${event}`))
    expect(listed.size).toBe(transitions.length)
    for (const state of states)
      for (const event of events.filter((each) => !listed.has(`${state}, ${each}`)))
        expect(step(state, event), `${state}, ${event}`).toEqual({ state: stateOf(state), effects: [] })
  })

  test.each(states)('%s hears of the end of the other generations, and of one that nobody knows', (state) => {
    expect(step(state, 'exited 2')).toEqual({ state: stateOf(state.replace(' +2', '')), effects: [] })
    expect(step(state, 'exited 3')).toEqual({ state: stateOf(state.replace(' -3', '')), effects: [] })
    for (const event of ['exited 9', 'up 9', 'down 9', 'up 2', 'down 3', 'promoted 3', 'promoted 9'])
      expect(step(state, event), event).toEqual({ state: stateOf(state), effects: [] })
  })

  test.each(states)('%s may serve from `open` on: the current generation goes through its gate', (state) => {
    const opens = state.includes('@1') && !state.startsWith('stopping')
    expect(step(`${state} gated`, 'open')).toEqual({
      state: stateOf(state),
      effects: opens ? ['openGate 1'] : [],
    })
  })
})

describe('a gate', () => {
  test('stays closed until the service may serve, and is open for a process that comes later', () => {
    expect(step('starting 0 gated', 'spawned 1').effects).toEqual(['probe 1'])
    expect(step('starting 0', 'spawned 1').effects).toEqual(['openGate 1', 'probe 1'])
  })

  test('opens for a candidate that is promoted: it has proved itself', () => {
    expect(step('starting 0 @1 +2 gated', 'promoted 2')).toEqual({
      state: stateOf('ready 0 @2 -1'),
      effects: takesOver,
    })
  })
})

describe('a candidate', () => {
  test.each(['waiting 0', 'starting 0 @1', 'ready 0 @1', 'unready 0 @1', 'backoff 1', 'failed 4'])(
    'of a service that is %s waits beside it',
    (state) => {
      expect(step(state, 'prepared 2')).toEqual({ state: stateOf(`${state} +2`), effects: [] })
    },
  )

  test('that is only tried leaves the service as it is, and a stop waits for its end', () => {
    expect(step('stopped 0', 'tried 2')).toEqual({ state: stateOf('stopped 0 -2'), effects: [] })
    expect(step('stopped 0 -2', 'stop')).toEqual({ state: stateOf('stopped 0 -2'), effects: ['finish 2'] })
    expect(step('stopped 0 -2', 'exited 2').state).toEqual(stateOf('stopped 0'))
  })

  test('ends when it is promoted while the service stops: nobody else would end it', () => {
    // It counts as retiring: the next candidate must not take its place.
    for (const next of ['stopped', 'starting', 'backoff'])
      expect(step(`stopping 0 ${next} @1 +2`, 'promoted 2')).toEqual({
        // Kept in mind: the next candidate must not take its place.
        state: stateOf(`stopping 0 ${next} @1 -2`),
        effects: ['finish 2'],
      })
  })

  test.each(['stopped 0', 'stopping 0 stopped', 'stopping 0 stopped @1', 'stopping 0 stopped killed @1'])(
    'that comes when the service is %s ends at once: nobody else would end it',
    (state) => {
      expect(step(state, 'prepared 2')).toEqual({ state: stateOf(`${state} +2`), effects: ['finish 2'] })
    },
  )
})

describe('a service that dies', () => {
  const dies = (id: number): string[] => [`spawned ${id}`, `exited ${id}`, 'backedOff']

  test('gives up at the failure number of the policy, and not before', () => {
    const thrice = ['start', ...dies(1), ...dies(2), ...dies(3)]
    expect(after(thrice).state).toEqual(stateOf('starting 3'))
    const { state, effects } = after([...thrice, 'spawned 4', 'exited 4'])
    expect(state).toEqual(stateOf('failed 4'))
    expect(effects.filter((effect) => effect === 'giveUp')).toHaveLength(1)
    expect(effects.at(-1)).toBe('giveUp')
  })

  test('gives up when it cannot be started', () => {
    const { state, effects } = after([
      'start',
      ...Array<string[]>(3).fill(['spawnFailed', 'backedOff']).flat(),
      'spawnFailed',
    ])
    expect([state, effects.at(-1)]).toEqual([stateOf('failed 4'), 'giveUp'])
  })

  test('gives up when it never becomes ready in time', () => {
    const once = (id: number) => [`spawned ${id}`, 'startTimedOut', `exited ${id}`, 'backedOff']
    const { state, effects } = after(['start', ...once(1), ...once(2), ...once(3), ...once(4)])
    expect(state).toEqual(stateOf('failed 4'))
    expect(effects.filter((effect) => effect === 'giveUp')).toHaveLength(1)
  })

  test('counts from zero again once it stayed up', () => {
    const twice = ['start', ...dies(1), ...dies(2), 'spawned 3', 'up 3']
    expect(after(twice).state.failures).toBe(2)
    expect(after([...twice, 'stayedUp', 'exited 3']).state).toEqual(stateOf('backoff 1'))
  })

  test('keeps its count when it is ready only shortly', () => {
    expect(after(['start', ...dies(1), 'spawned 2', 'up 2', 'exited 2']).state).toEqual(stateOf('backoff 2'))
  })

  test('counts from zero again when a generation that proved itself takes over', () => {
    const twice = ['start', ...dies(1), 'spawned 2', 'exited 2', 'prepared 3', 'promoted 3']
    expect(after(twice).state).toEqual(stateOf('ready 0 @3'))
    expect(after([...twice, 'exited 3']).state).toEqual(stateOf('backoff 1'))
  })

  test('counts from zero again when a person starts it', () => {
    expect(after(['start', ...dies(1), 'spawned 2', 'exited 2', 'start']).state).toEqual(
      stateOf('starting 0'),
    )
  })
})

describe('a ready service', () => {
  const down = (times: number): string[] => Array<string>(times).fill('down 1')

  test('is unready after three failed probes in a row, and not before', () => {
    expect(probesUntilUnready).toBe(3)
    expect(after(down(2), 'ready 0 @1').state).toEqual(stateOf('ready 0 @1 ?2'))
    expect(after(down(3), 'ready 0 @1').state).toEqual(stateOf('unready 0 @1 ?3'))
    expect(after([...down(2), 'up 1', ...down(2)], 'ready 0 @1').state.name).toBe('ready')
  })

  test('is not held to the probes of the generation before', () => {
    expect(after([...down(2), 'prepared 2', 'promoted 2', 'down 1', 'down 2'], 'ready 0 @1').state).toEqual(
      stateOf('ready 0 @2 -1 ?1'),
    )
  })

  test.each([
    ['starting 0 @1', 25],
    ['starting 0 @1 ?79', 25],
    ['starting 0 @1 ?80', 50],
    ['starting 0 @1 ?9000', 1000],
    ['ready 0 @1', 15_000],
    ['ready 0 @1 ?1', 1000],
    ['unready 0 @1 ?3', 1000],
  ])('that is %s is probed again after %d ms', (state, pauseMs) => {
    expect(probePauseMs(stateOf(state))).toBe(pauseMs)
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
    ['unready 2 @1', undefined],
    ['starting 2 @1', { event: 'startTimedOut', afterMs: 300_000 }],
    ['starting 2 @1 gated', undefined],
    ['ready 0 @1', undefined],
    ['ready 2 @1', { event: 'stayedUp', afterMs: 30_000 }],
    ['backoff 2', { event: 'backedOff', afterMs: 200 }],
    ['backoff 2 gated', { event: 'backedOff', afterMs: 200 }],
    ['stopping 2 stopped @1', { event: 'graceElapsed', afterMs: 4000 }],
    ['stopping 2 starting @1 gated', { event: 'graceElapsed', afterMs: 4000 }],
    ['stopping 2 stopped killed @1', undefined],
  ] as const)('%s arms %j', (state, timer) => {
    expect(timerOf(stateOf(state), policy, 0)).toEqual(timer)
  })

  test('is none for a start without a limit', () => {
    const { startLimitMs: _, ...unlimited } = policy
    expect(timerOf(stateOf('starting 0'), unlimited, 0)).toBeUndefined()
  })

  test.each([
    ['a second stop', 'stopping 0 stopped @1', 'stopping 0 starting @1', true],
    ['what comes after the stop', 'stopping 0 starting @1', 'stopping 0 backoff @1', true],
    ['a candidate', 'starting 0 @1', 'starting 0 @1 +2', true],
    ['a failed probe', 'ready 2 @1', 'ready 2 @1 ?1', true],
    ['the kill', 'stopping 0 stopped @1', 'stopping 0 stopped killed @1', false],
    ['the moment from which it may serve', 'starting 0 @1 gated', 'starting 0 @1', false],
    ['one more failure', 'backoff 1', 'backoff 2', false],
    ['a moment of being unready', 'ready 2 @1', 'unready 2 @1', false],
  ])('is left alone by %s: from %s to %s, %s', (_, before, next, isSame) => {
    expect(timerKeyOf(stateOf(before), policy) === timerKeyOf(stateOf(next), policy)).toBe(isSame)
  })

  test('is brought forward by a shorter time to stop', () => {
    const stopping = stateOf('stopping 0 stopped @1')
    expect(timerKeyOf(stopping, policy)).not.toBe(timerKeyOf(stopping, { ...policy, graceMs: 1000 }))
  })
})

/** Unlike `expect`, it costs nothing: the worlds below ask it a million times. */
const insist = (isSo: boolean, fault: string): void => {
  if (!isSo) throw new Error(fault)
}
const mustHaveOne: ReadonlySet<string> = new Set(['ready', 'unready'])
const hasOne: ReadonlySet<string> = new Set([...mustHaveOne, 'starting', 'stopping'])

const timers = ['stayedUp', 'backedOff', 'graceElapsed'] as const

type Told = ReadonlyMap<number, ReadonlySet<string>>

const isToldToEnd = (told: Told, id: number): boolean =>
  [...(told.get(id) ?? [])].some((what) => /terminate|retire|finish|kill/.test(what))

/** What must be so at any time. */
const hold = (state: ServiceState, told: Told, underWay: number): void => {
  const { current, candidate, retiring, name } = state
  const known = [current, candidate, ...retiring].filter((id) => id !== undefined)
  insist(new Set(known).size === known.length, 'one process has two parts')
  insist(known.length === told.size && known.every((id) => told.has(id)), 'a process is not known')
  insist(hasOne.has(name) || current === undefined, `${name} with a process`)
  insist(!mustHaveOne.has(name) || current !== undefined, `${name} without a process`)
  insist(!hasOne.has(name) || current !== undefined || underWay > 0, `${name} with nothing to come`)
  insist(
    retiring.every((id) => isToldToEnd(told, id)),
    'one retires that was not told to',
  )
  insist(state.failures <= policy.giveUpAfter, 'too many failures')
}

/**
 * A world in which the machine acts: processes that are alive, starts that are under way, and what each
 * process was told. It feeds the machine what can happen in it, and holds after each event what must be so at
 * any time.
 */
const createWorld = (mayServe: boolean) => {
  const told = new Map<number, Set<string>>()
  let state = initialState(mayServe)
  let underWay = 0
  let ids = 0
  let isOpen = mayServe

  const tell = (effect: Effect): void => {
    if (effect.type === 'spawn') underWay++
    if (!('id' in effect)) return
    const heard = told.get(effect.id)
    if (!heard) throw new Error(`${effect.type} of a process that is gone`)
    heard.add(effect.type)
    insist(effect.type !== 'openGate' || isOpen, 'a gate is opened too early')
  }
  const feed = (event: ServiceEvent): void => {
    const next = nextStep(state, event, policy)
    state = next.state
    next.effects.forEach(tell)
    hold(state, told, underWay)
  }
  const begin = (...heard: string[]): number => {
    told.set(++ids, new Set(heard))
    return ids
  }
  const nth = (at: number): number => [...told.keys()][at % Math.max(1, told.size)] ?? 99
  const acts = {
    start: () => feed({ type: 'start' }),
    restart: () => feed({ type: 'restart' }),
    drain: () => feed({ type: 'drain' }),
    stop: () => feed({ type: 'stop' }),
    open: () => {
      isOpen = true
      feed({ type: 'open' })
    },
    /** A start that was under way has a process now, or has failed. */
    spawn: (at: number) => {
      if (underWay === 0) return
      underWay--
      feed(at % 4 === 0 ? { type: 'spawnFailed' } : { type: 'spawned', id: begin() })
    },
    prepare: () => {
      if (state.candidate === undefined) feed({ type: 'prepared', id: begin() })
    },
    /** Whoever tries it out ends it. */
    tryOut: () => feed({ type: 'tried', id: begin('kill') }),
    promote: () => {
      isOpen = isOpen || (state.candidate !== undefined && state.name !== 'stopping')
      if (state.candidate !== undefined) feed({ type: 'promoted', id: state.candidate })
    },
    exit: (at: number) => {
      const id = nth(at)
      if (told.delete(id)) feed({ type: 'exited', id })
    },
    up: (at: number) => feed({ type: 'probed', id: nth(at), isUp: true }),
    down: (at: number) => feed({ type: 'probed', id: nth(at), isUp: false }),
    /** The timer of the state, or one that should have been cancelled. */
    timer: (at: number) => feed({ type: timerOf(state, policy, 0)?.event ?? timers[at % 3]! }),
  }
  return {
    acts,
    told,
    get state() {
      return state
    },
    get underWay() {
      return underWay
    },
  }
}

describe('whatever happens', () => {
  type Act = keyof ReturnType<typeof createWorld>['acts']
  const { acts } = createWorld(true)
  const names = Object.keys(acts).filter((name): name is Act => name in acts)
  const anyStory = fc.tuple(
    fc.boolean(),
    fc.array(fc.tuple(fc.constantFrom(...names), fc.nat(11)), { maxLength: 60 }),
  )
  const play = ([mayServe, story]: readonly [boolean, readonly (readonly [Act, number])[]]) => {
    const world = createWorld(mayServe)
    for (const [act, at] of story) world.acts[act](at)
    return world
  }

  test(
    'every process that is alive is known, a gate opens in time, and a state that needs a process has one',
    () => {
      fc.assert(
        fc.property(anyStory, (story) => void play(story)),
        runs(500),
      )
    },
    runsTimeoutMs,
  )

  test(
    'a stop tells every process to end, also those that come after it, and ends in `stopped` with none left',
    () => {
      fc.assert(
        fc.property(anyStory, fc.nat(3), (story, late) => {
          const world = play(story)
          world.acts.stop()
          if (late === 0) world.acts.prepare()
          while (world.underWay > 0) world.acts.spawn(late)
          for (const id of world.told.keys()) insist(isToldToEnd(world.told, id), `${id} was not told to end`)
          while (world.told.size > 0) world.acts.exit(0)
          expect([world.state.name, isRunning(world.state)]).toEqual(['stopped', false])
        }),
        runs(500),
      )
    },
    runsTimeoutMs,
  )
})

describe('looks that go on for ever', () => {
  test.each([
    [13_004, 1000, 996],
    [13_499, 1000, 501],
    [13_500, 1000, 1500],
    [10_250, 3000, 2750],
    [20_004, 5000, 4996],
    [19_996, 5000, 5004],
    [23_000, 10_000, 7000],
    [24_499, 10_000, 5501],
    [24_500, 10_000, 10_500],
    [23_000, 15_000, 12_000],
  ])('at %i ms, each %i ms, the next one is due in %i ms, with the others', (nowMs, everyMs, pauseMs) => {
    expect(pauseToPoll(nowMs, everyMs)).toBe(pauseMs)
  })

  test('are not put off where they are frequent', () => {
    expect(pauseToPoll(10_250, 20)).toBe(20)
  })
})

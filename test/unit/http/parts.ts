import type { Status, UnitStatus } from '../../../src/core/status.ts'
import { Console } from '../../../src/http/console/console.ts'
import { Entrance } from '../../../src/http/console/entrance.ts'
import { SignIn, setupPurposes } from '../../../src/http/door/sign-in.ts'
import type { Parts } from '../../../src/http/parts.ts'
import type { ConsolePlace } from '../../../src/settings/console.ts'
import { readFile } from '../configurations.ts'

export const current = readFile('DEBUG=true\nSSO_CONFIG_DICT={"secret":"hunter2"}\n')

export const unitOf = (name: string, kind: 'task' | 'service', pid: number | null): UnitStatus => ({
  name,
  kind,
  description: 'x',
  state: kind === 'task' ? 'done' : 'ready',
  since: '2026-01-01T00:00:00.000Z',
  pid,
  restarts: 0,
  generation: 0,
  memoryBytes: null,
  lastExit: null,
  detail: null,
  tookMs: null,
  startedAfterMs: null,
})

export const status: Status = {
  version: 1,
  phase: 'running',
  ready: true,
  url: 'http://localhost:8000',
  supervisor: {
    version: '0.1.0',
    pid: 1,
    startedAt: '2026-01-01T00:00:00.000Z',
    memoryBytes: 1,
    reaped: 0,
    droppedLogLines: 0,
  },
  database: 'embedded',
  config: { version: current.version, changing: false, pendingRestart: [] },
  backup: { running: null, nextAt: null, last: null, proved: null },
  undo: null,
  update: null,
  boot: { readyAfterMs: 1, criticalPath: [] },
  units: [unitOf('listener', 'task', null), unitOf('mathesar', 'service', 7)],
  problems: [],
}

/** Of one letter alone, but for keys that sign: each is another one. */
const createText = (letter: string) => {
  let made = 0
  return (length: number): string => (length === 40 ? `key ${++made}` : letter.repeat(length))
}

/** Its codes are of k alone. */
export const createSignIn = () =>
  new SignIn({
    purposes: setupPurposes,
    now: () => 0,
    randomText: createText('k'),
    given: undefined,
    tell: () => {},
  })

/** Its codes are of c alone. */
export const createEntrance = (place: () => ConsolePlace, now = (): number => 0, elapsed = now) =>
  new Entrance({
    clock: { now, elapsed },
    randomText: createText('c'),
    given: undefined,
    place,
    hosts: () => ['nas.local', '127.0.0.1'],
    urlOf: () => 'http://localhost:8000',
  })

const readyInstance: Parts['instance'] = {
  isReady: true,
  wasReady: true,
  isServing: true,
  isBackSoon: false,
  isStopping: false,
  results: {},
  subscribe: () => () => {},
  control: async () => 'ready',
  timeInState: () => 0,
  sleeper: { isAsleep: false, wake: async () => {}, stayAwake: (act) => act() },
}

/** What the handlers act on: a Mathesar that is ready and does not change, but for what is given. */
export const createParts = (given: Partial<Parts> = {}): Parts => {
  const parts: Parts = {
    clock: { now: () => 0, elapsed: () => 0, after: () => () => {} },
    instance: readyInstance,
    container: {
      isKept: () => false,
      isRestoring: () => false,
      startOver: () => {},
      rest: async (act) => await act(),
    },
    visitors: { waiting: 0, feed: { follow: () => () => {} } },
    setup: {
      signIn: createSignIn(),
      isDone: async () => false,
      expect: () => {},
      linkOf: (key) => `http://localhost:8000/complete_installation/#${key}`,
    },
    administrators: { prove: async () => ({ is: 'wrong' }) },
    entrance: createEntrance(() => 'on'),
    console: async () => new Console(parts),
    past: { serve: async () => {}, end: async () => {} },
    restoring: {
      work: undefined,
      begin: () => {},
      fetch: () => {},
      take: async () => {},
      end: () => {},
      undo: () => {},
      keptSince: () => undefined,
    },
    archives: { list: async () => [], begin: () => {}, work: undefined },
    config: {
      seeRefused: () => {},
      isNew: false,
      inForce: current,
      tryDatabase: async () => {},
      store: { readHistory: () => [], revision: () => undefined },
      changes: {
        current,
        isChanging: false,
        problem: undefined,
        propose: async () => ({
          result: 'unchanged',
          version: current.version,
          changes: [],
          warnings: [],
        }),
      },
    },
    log: { say: () => {}, tail: () => ['a line\n'], follow: () => () => {} },
    report: {
      status: () => status,
      memoryOf: async (pid) => pid * 1024,
      measures: () => ({
        process: { cpuSeconds: 1, openFds: 9 },
        changes: { applied: 0, 'left to boot': 0, rejected: 0, 'rolled back': 0 },
        waiting: {},
        freeBytes: 1,
        certificateEndMs: undefined,
      }),
      signsOf: () => undefined,
      backupProblems: () => [],
    },
    ...given,
  }
  return parts
}

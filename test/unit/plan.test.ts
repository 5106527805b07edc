import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Configuration } from '../../src/settings/configuration.ts'
import {
  actionInWords,
  type Change,
  changesBetween,
  inForce,
  type Plan,
  planOf,
} from '../../src/settings/plan.ts'
import { type Action, settingNames, settingOf } from '../../src/settings/table.ts'
import { anyConfiguration, filesOf, type Given, read, readFile } from './configurations.ts'
import { runs, runsTimeoutMs } from './runs.ts'

const url = 'postgres://u:p@db/m'
const between = (before: Given, after: Given): readonly string[] =>
  changesBetween(readFile(before), readFile(after)).map(({ name, action }) => `${name} ${action}`)
const planned = (before: Given, after: Given): Omit<Plan, 'changes'> => {
  const { changes: _, ...plan } = planOf(changesBetween(readFile(before), readFile(after)))
  return plan
}
const nothing = { database: false, postgres: undefined, generation: false }
const actions = Object.keys(actionInWords) as Action[]
const anyChanges: fc.Arbitrary<readonly Change[]> = fc.array(
  fc.record({ name: fc.constantFrom(...settingNames), action: fc.constantFrom(...actions) }),
  { maxLength: 6 },
)

describe('what differs', () => {
  test.each<[Given, Given, string[]]>([
    [{}, {}, []],
    [{}, { ALLOWED_HOSTS: 'a.org' }, ['ALLOWED_HOSTS generation']],
    [{}, { ALLOWED_HOSTS: '.localhost,127.0.0.1,[::1]' }, []], // The default, written down.
    [{ PUBLIC_URL: 'http://a.org' }, {}, ['PUBLIC_URL nothing']],
    [{}, { PORT: '9000', DEBUG: 'true' }, ['PORT container', 'DEBUG generation']],
    [{}, { EMBEDDED_POSTGRES_WORK_MEM: '8' }, ['EMBEDDED_POSTGRES_WORK_MEM postgres-reload']],
    [
      { DATABASE_URL: url },
      { DATABASE_URL: url, EMBEDDED_POSTGRES_WORK_MEM: '8', EMBEDDED_POSTGRES_MAX_CONNECTIONS: '50' },
      ['EMBEDDED_POSTGRES_WORK_MEM nothing', 'EMBEDDED_POSTGRES_MAX_CONNECTIONS nothing'],
    ],
    [{}, { DATABASE_URL: url }, ['DATABASE_URL database']],
    // Another spelling of the same database.
    [{ DATABASE_URL: url }, { DATABASE_URL: `${url}?` }, ['DATABASE_URL nothing']],
    [{}, { POSTGRES_SSLMODE: 'require' }, ['POSTGRES_SSLMODE nothing']], // There is no other Postgres.
    [{}, { POSTGRES_SSLROOTCERT: '/ca.pem' }, ['POSTGRES_SSLROOTCERT nothing']],
    [
      { DATABASE_URL: url },
      { DATABASE_URL: url, POSTGRES_SSLROOTCERT: '/ca.pem' },
      ['POSTGRES_SSLROOTCERT database'],
    ],
    [
      { DATABASE_URL: url, POSTGRES_SSLROOTCERT: '/ca.pem' },
      { DATABASE_URL: `${url}?sslrootcert=/ca.pem`, POSTGRES_SSLROOTCERT: '/ca.pem' },
      ['DATABASE_URL nothing'],
    ],
    [
      { DATABASE_URL: url },
      { POSTGRES_HOST: 'db', POSTGRES_DB: 'm', POSTGRES_USER: 'u', POSTGRES_PASSWORD: 'p' },
      [
        'POSTGRES_HOST nothing',
        'POSTGRES_DB nothing',
        'POSTGRES_USER nothing',
        'POSTGRES_PASSWORD nothing',
        'DATABASE_URL nothing',
      ],
    ],
  ])('from %j to %j: %j', (before, after, changes) => {
    expect(between(before, after)).toEqual(changes)
  })

  test('is each of the YAML files as a whole', () => {
    const before = read(filesOf(undefined, { 'sso.yml': 'version: 2' }))
    const after = read(filesOf('# a comment', { 'file_storage.yml': '{}' }))
    expect(changesBetween(before, after)).toEqual([
      { name: 'sso.yml', action: 'generation' },
      { name: 'file_storage.yml', action: 'nothing' },
    ])
  })

  test(
    'is nothing between a configuration and itself, and the same names in both directions',
    () => {
      const names = (before: Configuration, after: Configuration): string[] =>
        changesBetween(before, after).map(({ name }) => name)
      fc.assert(
        fc.property(anyConfiguration, anyConfiguration, (a, b) => {
          expect(changesBetween(a, a)).toEqual([])
          expect(names(a, b)).toEqual(names(b, a))
          if (a.database.kind === b.database.kind) expect(changesBetween(a, b)).toEqual(changesBetween(b, a))
          expect(planOf(changesBetween(a, b)).database).toBe(
            JSON.stringify(a.database) !== JSON.stringify(b.database),
          )
        }),
        runs(100),
      )
    },
    runsTimeoutMs,
  )

  test(
    'names every setting whose value differs, with what its line of the table says or less',
    () => {
      fc.assert(
        fc.property(anyConfiguration, anyConfiguration, (a, b) => {
          const changes = new Map(changesBetween(a, b).map(({ name, action }) => [name, action]))
          for (const name of settingNames) {
            expect(changes.has(name)).toBe(a.settings[name].value !== b.settings[name].value)
            expect([undefined, 'nothing', settingOf(name).change]).toContain(changes.get(name))
          }
        }),
        runs(100),
      )
    },
    runsTimeoutMs,
  )
})

describe('the plan', () => {
  test.each<[Given, Given, Omit<Plan, 'changes'>]>([
    [{}, {}, nothing],
    [{}, { PUBLIC_URL: 'http://a.org', STOP_GRACE_PERIOD: '20' }, nothing],
    [{}, { PORT: '9000' }, nothing],
    [{}, { DEBUG: 'true' }, { ...nothing, generation: true }],
    [{}, { EMBEDDED_POSTGRES_LOG_SLOW: '100' }, { ...nothing, postgres: 'reload' }],
    [
      {},
      { EMBEDDED_POSTGRES_LOG_SLOW: '100', DEBUG: 'true' },
      { ...nothing, postgres: 'reload', generation: true },
    ],
    [
      {},
      { EMBEDDED_POSTGRES_LOG_SLOW: '100', EMBEDDED_POSTGRES_SHARED_BUFFERS: '64' },
      { database: false, postgres: 'restart', generation: true },
    ],
    [{}, { DATABASE_URL: url }, { database: true, postgres: undefined, generation: true }],
    [
      { DATABASE_URL: url },
      { EMBEDDED_POSTGRES_SHARED_BUFFERS: '64' },
      { database: true, postgres: undefined, generation: true },
    ],
  ])('from %j to %j: %j', (before, after, plan) => {
    expect(planned(before, after)).toEqual(plan)
  })

  test('of a reload makes a new generation, and nothing else', () => {
    expect(planOf([], true)).toEqual({ changes: [], ...nothing, generation: true })
  })

  test(
    'does the least: no order of changes matters, and one change more never takes an action away',
    () => {
      fc.assert(
        fc.property(anyChanges, anyChanges, fc.boolean(), (some, more, reload) => {
          const [one, both] = [planOf(some, reload), planOf([...some, ...more], reload)]
          const { changes: _, ...reversed } = planOf([...some].reverse(), reload)
          expect(one).toEqual({ ...reversed, changes: some })
          if (one.generation) expect(both.generation).toBe(true)
          if (one.database) expect(both.database).toBe(true)
          if (one.postgres)
            expect(both.postgres === one.postgres || both.postgres === 'restart' || both.database).toBe(true)
          const acts = some.filter(({ action }) => action !== 'nothing' && action !== 'container')
          if (acts.length === 0) expect(one).toEqual({ changes: some, ...nothing, generation: reload })
          if (acts.every(({ action }) => action === 'postgres-reload')) expect(one.generation).toBe(reload)
        }),
        runs(200),
      )
    },
    runsTimeoutMs,
  )
})

describe('what is in force', () => {
  test(
    'keeps what waits for the next start of the container, and takes all else',
    () => {
      fc.assert(
        fc.property(anyConfiguration, anyConfiguration, anyConfiguration, (boot, next, later) => {
          const now = inForce(boot.settings, next.settings)
          for (const name of settingNames)
            expect(now[name]).toBe(
              settingOf(name).change === 'container' ? boot.settings[name] : next.settings[name],
            )
          expect(inForce(boot.settings, inForce(boot.settings, later.settings))).toEqual(
            inForce(boot.settings, later.settings),
          )
          expect(inForce(now, later.settings)).toEqual(inForce(boot.settings, later.settings))
        }),
        runs(100),
      )
    },
    runsTimeoutMs,
  )

  test('every action has its words', () => {
    expect(settingNames.filter((name) => !(settingOf(name).change in actionInWords))).toEqual([])
  })
})

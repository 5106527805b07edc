import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Configuration } from '../../src/settings/configuration.ts'
import {
  actionInWords,
  type Change,
  changesBetween,
  inForceOf,
  type Plan,
  planOf,
} from '../../src/settings/plan.ts'
import { typeSettings } from '../../src/settings/typed.ts'
import {
  type Action,
  type SettingName,
  settingNames,
  settingOf,
  type Value,
} from '../../src/settings/table.ts'
import { anyConfiguration, filesOf, type Given, read, readFile } from './configurations.ts'
import { runs, runsTimeoutMs } from './runs.ts'

const url = 'postgres://u:p@db/m'
const between = (before: Given, after: Given): readonly string[] =>
  changesBetween(readFile(before), readFile(after)).map(({ name, action }) => `${name} ${action}`)
const planned = (before: Given, after: Given): Omit<Plan, 'changes'> => {
  const { changes: _, ...plan } = planOf(changesBetween(readFile(before), readFile(after)))
  return plan
}
const nothing = { database: false, postgres: undefined, door: false, generation: false }
const actions = Object.keys(actionInWords) as Action[]
const anyChanges: fc.Arbitrary<readonly Change[]> = fc.array(
  fc.record({ name: fc.constantFrom(...settingNames), action: fc.constantFrom(...actions) }),
  { maxLength: 6 },
)

describe('what differs', () => {
  test.each<[Given, Given, string[]]>([
    [{}, {}, []],
    [{}, { ALLOWED_HOSTS: 'a.org' }, ['ALLOWED_HOSTS door']],
    [{}, { ALLOWED_HOSTS: '.localhost,127.0.0.1,[::1],private' }, []], // The default, written down.
    [{ PUBLIC_URL: 'http://a.org' }, {}, ['PUBLIC_URL generation']],
    [{}, { STOP_GRACE_PERIOD: '20' }, ['STOP_GRACE_PERIOD none']],
    [{}, { PORT: '9000', DEBUG: 'true' }, ['PORT container', 'DEBUG generation']],
    [{}, { EMBEDDED_POSTGRES_WORK_MEM: '8' }, ['EMBEDDED_POSTGRES_WORK_MEM postgres-reload']],
    [
      { DATABASE_URL: url },
      { DATABASE_URL: url, EMBEDDED_POSTGRES_WORK_MEM: '8', EMBEDDED_POSTGRES_MAX_CONNECTIONS: '50' },
      ['EMBEDDED_POSTGRES_WORK_MEM none', 'EMBEDDED_POSTGRES_MAX_CONNECTIONS none'],
    ],
    [{}, { DATABASE_URL: url }, ['DATABASE_URL database']],
    // Another spelling of the same database.
    [{ DATABASE_URL: url }, { DATABASE_URL: `${url}?` }, ['DATABASE_URL none']],
    [{}, { POSTGRES_SSLMODE: 'require' }, ['POSTGRES_SSLMODE none']], // There is no other Postgres.
    [{}, { POSTGRES_SSLROOTCERT: '/ca.pem' }, ['POSTGRES_SSLROOTCERT none']],
    [
      { DATABASE_URL: url },
      { DATABASE_URL: url, POSTGRES_SSLROOTCERT: '/ca.pem' },
      ['POSTGRES_SSLROOTCERT database'],
    ],
    [
      { DATABASE_URL: url, POSTGRES_SSLROOTCERT: '/ca.pem' },
      { DATABASE_URL: `${url}?sslrootcert=/ca.pem`, POSTGRES_SSLROOTCERT: '/ca.pem' },
      ['DATABASE_URL none'],
    ],
    [
      { DATABASE_URL: url },
      { POSTGRES_HOST: 'db', POSTGRES_DB: 'm', POSTGRES_USER: 'u', POSTGRES_PASSWORD: 'p' },
      [
        'POSTGRES_HOST none',
        'POSTGRES_DB none',
        'POSTGRES_USER none',
        'POSTGRES_PASSWORD none',
        'DATABASE_URL none',
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
      { name: 'file_storage.yml', action: 'none' },
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
        runs(40),
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
          const differing = settingNames.filter((name) => a.values[name].value !== b.values[name].value)
          expect(settingNames.filter((name) => changes.has(name))).toEqual(differing)
          for (const name of differing)
            expect(['none', settingOf(name).appliesBy]).toContain(changes.get(name))
        }),
        runs(40),
      )
    },
    runsTimeoutMs,
  )
})

describe('the plan', () => {
  test.each<[Given, Given, Omit<Plan, 'changes'>]>([
    [{}, {}, nothing],
    [{}, { DATABASE_WAIT_TIMEOUT: '9', STOP_GRACE_PERIOD: '20' }, nothing],
    [{}, { PORT: '9000' }, nothing],
    [{}, { DEBUG: 'true' }, { ...nothing, generation: true }],
    [{}, { ALLOWED_HOSTS: 'a.org' }, { ...nothing, door: true }],
    [{}, { PUBLIC_URL: 'http://a.org' }, { ...nothing, door: true, generation: true }],
    [{}, { EMBEDDED_POSTGRES_LOG_SLOW: '100' }, { ...nothing, postgres: 'reload' }],
    [
      {},
      { EMBEDDED_POSTGRES_LOG_SLOW: '100', DEBUG: 'true' },
      { ...nothing, postgres: 'reload', generation: true },
    ],
    [
      {},
      { EMBEDDED_POSTGRES_LOG_SLOW: '100', EMBEDDED_POSTGRES_SHARED_BUFFERS: '64' },
      { ...nothing, postgres: 'restart', generation: true },
    ],
    [{}, { DATABASE_URL: url }, { ...nothing, database: true, generation: true }],
    [
      { DATABASE_URL: url },
      { EMBEDDED_POSTGRES_SHARED_BUFFERS: '64' },
      { ...nothing, database: true, generation: true },
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
          const acts = some.filter(({ action }) => action !== 'none' && action !== 'container')
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
          const now = inForceOf(boot.values, next)
          const wanted = (name: SettingName): Value =>
            settingOf(name).appliesBy === 'container' ? boot.values[name] : next.values[name]
          expect(settingNames.filter((name) => now.values[name] !== wanted(name))).toEqual([])
          expect([now.database, now.files]).toEqual([next.database, next.files])
          expect(now.settings).toEqual(typeSettings(now.values))
          expect(inForceOf(now.values, later)).toEqual(inForceOf(boot.values, later))
        }),
        runs(40),
      )
    },
    runsTimeoutMs,
  )

  test('every action has its words', () => {
    expect(settingNames.filter((name) => !(settingOf(name).appliesBy in actionInWords))).toEqual([])
  })
})

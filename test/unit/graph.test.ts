import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { criticalPath, dependenciesOf, inStartOrder } from '../../src/core/graph.ts'
import { units, unitsUpTo } from '../../src/units/index.ts'
import { sources } from './sources.ts'

const unit = (name: string, needs: readonly string[] = [], servesAfter?: readonly string[]) => ({
  name,
  needs,
  ...(servesAfter ? { servesAfter } : {}),
})
const names = (list: readonly { readonly name: string }[]): string[] => list.map(({ name }) => name)

describe('the start order', () => {
  test('puts each unit after what it needs and serves after', () => {
    expect(
      names(
        inStartOrder([
          unit('app', ['socket'], ['tables']),
          unit('tables', ['server']),
          unit('server'),
          unit('socket'),
        ]),
      ),
    ).toEqual(['socket', 'server', 'tables', 'app'])
  })

  test('keeps the given order where nothing demands another', () => {
    expect(names(inStartOrder([unit('b'), unit('a'), unit('c')]))).toEqual(['b', 'a', 'c'])
  })

  test('names both ends of a need that does not exist', () => {
    expect(() => inStartOrder([unit('app', ['sever'])])).toThrow(
      'unit app depends on sever, which does not exist',
    )
  })

  test('names the whole cycle', () => {
    expect(() => inStartOrder([unit('a', ['b']), unit('b', [], ['c']), unit('c', ['a'])])).toThrow(
      'units depend on each other: a → b → c → a',
    )
    expect(() => inStartOrder([unit('a', ['a'])])).toThrow('a → a')
  })

  test('holds for every graph without cycles', () => {
    const graph = fc
      .integer({ min: 1, max: 12 })
      .chain((size) =>
        fc
          .tuple(
            ...Array.from({ length: size }, (_, index) =>
              fc
                .subarray(Array.from({ length: index }, (_, at) => `u${at}`))
                .map((needs) => unit(`u${index}`, needs)),
            ),
          )
          .chain((list) => fc.shuffledSubarray(list, { minLength: size, maxLength: size })),
      )
    fc.assert(
      fc.property(graph, (list) => {
        const order = names(inStartOrder(list))
        expect([...order].sort()).toEqual(names(list).sort())
        for (const { name, needs } of list)
          for (const need of needs) expect(order.indexOf(need)).toBeLessThan(order.indexOf(name))
      }),
    )
  })
})

describe('the critical path', () => {
  const graph = [unit('fast'), unit('slow'), unit('app', ['fast'], ['slow'])]
  const timings = new Map([
    ['fast', { startedMs: 0, endedMs: 10 }],
    ['slow', { startedMs: 0, endedMs: 50 }],
    ['app', { startedMs: 10, endedMs: 60 }],
  ])

  test('is the chain that ended last, first unit first', () => {
    expect(criticalPath(graph, (name) => timings.get(name))).toEqual(['slow', 'app'])
  })

  test('leaves out units that did not run', () => {
    expect(criticalPath(graph, (name) => (name === 'slow' ? undefined : timings.get(name)))).toEqual([
      'fast',
      'app',
    ])
  })

  test('is empty before anything ended', () => {
    expect(criticalPath(graph, () => undefined)).toEqual([])
  })
})

describe('the units of the image', () => {
  test('have names of their own', () => {
    expect(new Set(names(units)).size).toBe(units.length)
  })

  test('start after what they depend on', () => {
    units.forEach((each, index) => {
      for (const dependency of dependenciesOf(each))
        expect(names(units).indexOf(dependency), `${each.name} after ${dependency}`).toBeLessThan(index)
    })
    expect(names(units)).toEqual([
      'listener',
      'volume',
      'config',
      'secrets',
      'upstream',
      'certificate',
      'door-config',
      'door',
      'cluster',
      'server-config',
      'sync',
      'postgres',
      'proof',
      'database',
      'collations',
      'key',
      'migrations',
      'user-databases',
      'manifest',
      'administrator',
      'mathesar',
    ])
  })

  test('are all that the modules define', async () => {
    const paths = [...sources.keys()].filter((path) => /^src\/units\/(?!index)/.test(path))
    const modules: Record<string, unknown>[] = await Promise.all(
      paths.map((path) => import(new URL(`../../${path}`, import.meta.url).href)),
    )
    const defined = modules
      .flatMap((module) => Object.values(module))
      .filter(
        (value): value is (typeof units)[number] =>
          typeof value === 'object' && value !== null && 'needs' in value,
      )
    expect(names(defined).sort()).toEqual(names(units).sort())
  })

  test('up to one are those that it depends on, in their order', () => {
    const ofDoor = ['certificate', 'door-config', 'door']
    expect(names(unitsUpTo('sync'))).toEqual(['volume', 'secrets', 'cluster', 'sync'])
    expect(names(unitsUpTo('migrations'))).toEqual(
      names(units).filter(
        (name) =>
          ![
            'listener',
            'config',
            'sync',
            'manifest',
            'administrator',
            'user-databases',
            'upstream',
            'mathesar',
            ...ofDoor,
          ].includes(name),
      ),
    )
    expect(names(unitsUpTo('mathesar'))).toEqual(names(units).filter((name) => !ofDoor.includes(name)))
  })

  test('say in a sentence what they do', () => {
    for (const { description } of units) expect(description).toMatch(/^\S.{10,}[^.]$/)
  })
})

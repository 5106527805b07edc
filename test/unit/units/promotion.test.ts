import { describe, expect, test } from 'vitest'
import { createCarrying, requireCarriable } from '../../../src/daemon/carrying.ts'
import { SupervisorError } from '../../../src/errors.ts'
import { letGo, readPromotion, writePromotion } from '../../../src/units/promotion.ts'
import { database } from '../../../src/units/postgres/roles.ts'
import { readFile } from '../configurations.ts'
import { createScope, externalDatabase, never } from '../fakes/scope.ts'

const begun = { mark: 'a mark', host: 'db', port: 5432 }

describe('what was begun on another server', () => {
  test('is known to the volume until it is let go, which can be taken back', () => {
    const { scope } = createScope()
    writePromotion(scope, begun)
    expect(readPromotion(scope)).toEqual(begun)
    const takeBack = letGo(scope)
    expect(readPromotion(scope)).toBeUndefined()
    takeBack()
    expect(readPromotion(scope)).toEqual(begun)
  })
  test.each(['', '{', '[]', '{"mark":1}', 'null'])('is nothing where the file says %j', (text) => {
    const { scope, disk } = createScope()
    disk.put('/data/promotion.json', text)
    expect(readPromotion(scope)).toBeUndefined()
    expect(() => letGo(scope)()).not.toThrow()
  })
  test('is let go by a boot on an external database, and not by a change that tries one', async () => {
    for (const isBoot of [true, false]) {
      const { scope } = createScope({ config: externalDatabase, isBoot })
      writePromotion(scope, begun)
      await database.run(scope, never)
      expect(readPromotion(scope) === undefined).toBe(isBoot)
    }
  })
})

describe('the copy of a change', () => {
  test('is of the embedded databases alone, to an external one', () => {
    const [embedded, external] = [readFile(''), readFile(externalDatabase)]
    expect(() => requireCarriable(embedded, external)).not.toThrow()
    for (const [before, after] of [
      [embedded, embedded],
      [external, external],
      [external, embedded],
    ] as const)
      expect(() => requireCarriable(before, after)).toThrow(SupervisorError)
  })
  test('is a process of its own, which has the URL in its environment alone', async () => {
    const { scope, programs } = createScope({ config: externalDatabase })
    const { carry } = createCarrying({ ...scope, program: ['supervisor'] })
    await carry(scope.inForce, 20, never)
    expect(programs).toMatchObject([
      {
        unit: 'promote',
        command: {
          argv: ['nice', '-n', '0', 'supervisor', 'promote', '--copy', '--within', '20'],
          env: { DATABASE_URL: 'postgres://joe:hunter2@db.example.org:5432/app' },
        },
      },
    ])
  })
})

import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { createCarrying, requireCarriable } from '../../../src/daemon/carrying.ts'
import { Finishing } from '../../../src/daemon/finishing.ts'
import { SupervisorError } from '../../../src/errors.ts'
import { forgetLeft, type Left, leftOf, readLeft, rememberLeft } from '../../../src/units/left.ts'
import { copyIn, forgetPromotion, readPromotion, writePromotion } from '../../../src/units/promotion.ts'
import { database } from '../../../src/units/postgres/roles.ts'
import { readFile } from '../configurations.ts'
import { failureOf } from '../failure.ts'
import { errorWith } from '../fakes/files.ts'
import { serverError } from '../fakes/postgres.ts'
import { createScope, externalDatabase, never } from '../fakes/scope.ts'

const begun = { mark: 'a mark', host: 'db', port: 5432 }

describe('what was begun on another server', () => {
  test('is known to the volume until it is let go, which can be taken back', () => {
    const { scope } = createScope()
    writePromotion(scope, begun)
    expect(readPromotion(scope)).toEqual(begun)
    const takeBack = forgetPromotion(scope)
    expect(readPromotion(scope)).toBeUndefined()
    takeBack()
    expect(readPromotion(scope)).toEqual(begun)
  })
  test('is not let go where another copy has begun', () => {
    const { scope } = createScope()
    writePromotion(scope, { ...begun, copies: [] })
    const carried = copyIn(scope)
    const snapshot = {
      name: 'x',
      snapshot: '1',
      pid: 1,
      oldest: '1',
      shape: '',
      keysAt: 0,
      restAt: 0,
      files: {},
    }
    writePromotion(scope, { ...begun, copies: [snapshot] })
    expect(() => forgetPromotion(scope, carried)).toThrow('another promotion has begun')
    expect(readPromotion(scope)?.mark).toBe(begun.mark)
    expect(() => forgetPromotion(scope, copyIn(scope))).not.toThrow()
  })
  test.each(['', '{', '[]', '{"mark":1}', 'null'])('is nothing where the file says %j', (text) => {
    const { scope, disk } = createScope()
    disk.put('/data/promotion.json', text)
    expect(readPromotion(scope)).toBeUndefined()
    expect(() => forgetPromotion(scope)()).not.toThrow()
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

describe('what is left for another server', () => {
  const url = 'postgres://joe:hunter2@db.example.org/app'
  const left: Left = { url, closed: ['app', 'odd "name'], toFinish: [] }
  const embedded: Left = { url: null, closed: ['shop'], toFinish: [] }

  test('is known to the volume, the last at the end, until it is forgotten', () => {
    const { scope } = createScope()
    rememberLeft(scope, left)
    rememberLeft(scope, embedded)
    rememberLeft(scope, { ...left, closed: ['app'] })
    expect(readLeft(scope)).toEqual([embedded, { ...left, closed: ['app'] }])
    expect(leftOf(scope, { kind: 'embedded' })).toEqual(embedded)
    forgetLeft(scope, embedded)
    expect(leftOf(scope, { kind: 'embedded' })).toBeUndefined()
    expect(readLeft(scope)).toEqual([{ ...left, closed: ['app'] }])
  })
  test('is read as earlier versions wrote it, and written so that they read it', () => {
    const { scope, disk } = createScope()
    const commands = ['ALTER …']
    disk.put('/data/left.json', JSON.stringify([{ url, closed: [], toProve: [{ name: 'app', commands }] }]))
    const [read] = readLeft(scope)
    expect(read?.toFinish).toEqual([{ name: 'app', commands }])
    rememberLeft(scope, read!)
    expect(JSON.parse(disk.text('/data/left.json')!)).toEqual([
      { url, closed: [], toProve: [{ name: 'app', commands }] },
    ])
  })
  test.each(['', '{', '{}', '[1]', '[{"url":1}]', '[{"url":"nothing","closed":[],"toProve":[]}]'])(
    'is nothing where the file says %j',
    (text) => {
      const { scope, disk } = createScope()
      disk.put('/data/left.json', text)
      expect(readLeft(scope)).toEqual([])
    },
  )
  test('takes writes again where it is in force, and is forgotten by a boot alone', async () => {
    for (const isBoot of [true, false]) {
      const { scope, database: server } = createScope({ config: externalDatabase, isBoot })
      server.answerWith((text) => (text.includes('app') && !isBoot ? serverError('3D000') : []))
      rememberLeft(scope, left)
      await database.run(scope, never)
      expect(server.queries.slice(0, 2)).toEqual([
        'ALTER DATABASE "app" RESET default_transaction_read_only',
        'ALTER DATABASE "odd ""name" RESET default_transaction_read_only',
      ])
      expect(server.logins[0]).toMatchObject({ options: '-c default_transaction_read_only=off' })
      expect(readLeft(scope)).toEqual(isBoot ? [] : [{ ...left, closed: [] }])
    }
  })
  test('is asked for again where the disk fails: what is closed must not stay so', async () => {
    const { scope, disk } = createScope({ config: externalDatabase })
    rememberLeft(scope, left)
    disk.failOn((act, path) =>
      act === 'readIfThere' && path === '/data/left.json' ? errorWith('EIO') : undefined,
    )
    const error = await failureOf(() => database.run(scope, never))
    expect(error).toMatchObject({ code: 'DATABASE_LOST', isPassing: true })
  })
  test('takes none while the other one is in force', async () => {
    const { scope, database: server } = createScope({ config: externalDatabase })
    rememberLeft(scope, embedded)
    await database.run(scope, never)
    expect(server.queries.join()).not.toContain('ALTER')
    expect(readLeft(scope)).toEqual([embedded])
  })
  test('is not what a boot on it lets go of', async () => {
    const { scope } = createScope({ config: externalDatabase })
    const from = { host: 'db.example.org', port: 5432, name: 'app' }
    writePromotion(scope, { ...begun, from })
    await database.run(scope, never)
    expect(readPromotion(scope)).toEqual({ ...begun, from })
  })
  test('that the disk does not give keeps nothing else from its start', async () => {
    const { scope, disk, failures } = createScope({ config: externalDatabase })
    disk.failOn((act) => (act === 'readIfThere' ? errorWith('EIO') : undefined))
    new Finishing({ ...scope, program: ['supervisor'], instance: scope }).start()
    await nextTurn()
    expect(failures).toEqual([expect.objectContaining({ code: 'EIO' })])
  })
  test.each<[string, string, Left, number]>([
    ['by a start on the other server', externalDatabase, embedded, 1],
    ['by none on the embedded one', '', left, 0],
    ['by none on the same', externalDatabase, left, 0],
  ])('is finished there %s', async (_, config, last, count) => {
    const { scope, programs } = createScope({ config })
    rememberLeft(scope, { ...last, toFinish: [{ name: 'shop', commands: ['ALTER …'] }] })
    const finishing = new Finishing({ ...scope, program: ['supervisor'], instance: scope })
    finishing.start()
    await nextTurn()
    expect(programs.map(({ command }) => command.argv.slice(-2))).toEqual(
      Array.from({ length: count }, () => ['promote', '--finish']),
    )
    finishing.stop()
  })
})

describe('the copy of a change', () => {
  test('is to another external server', () => {
    const [embedded, external] = [readFile(''), readFile(externalDatabase)]
    const other = readFile(externalDatabase.replace('db.', 'other.'))
    expect(() => requireCarriable(embedded, external)).not.toThrow()
    expect(() => requireCarriable(other, external)).not.toThrow()
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
    await carry(readFile(''), scope.inForce, 20, never)
    expect(programs).toMatchObject([
      {
        unit: 'promote',
        command: {
          argv: ['nice', '-n', '0', 'supervisor', 'promote', '--copy', '--within', '20'],
          env: { DATABASE_URL: 'postgres://joe:hunter2@db.example.org:5432/app?sslmode=prefer' },
        },
      },
    ])
    expect(programs[0]?.command.env).not.toHaveProperty('SUPERVISOR_LEAVES')
    await carry(readFile(externalDatabase.replace('db.', 'other.')), scope.inForce, 20, never)
    expect(programs[1]?.command.env).toMatchObject({
      SUPERVISOR_LEAVES: 'postgres://joe:hunter2@other.example.org:5432/app?sslmode=prefer',
    })
  })
})

import { describe, expect, test } from 'vitest'
import { mathesar } from '../../../src/units/mathesar/server.ts'
import { inDoor } from '../../../src/units/place.ts'
import { readFile } from '../configurations.ts'
import { errorWith } from '../fakes/files.ts'
import { serverError } from '../fakes/postgres.ts'
import { createScope, externalDatabase, never, placeOf, singleUser } from '../fakes/scope.ts'

describe('what a new generation answers when it is asked to check itself', () => {
  test.each(['200 ', '200 /x', '302 /complete_installation/', '302 /complete_installation/?a=b'])(
    '%j says that it is fit to serve',
    (answer) => {
      expect(mathesar.readCheck!(answer)).toBeUndefined()
    },
  )

  test.each([
    ['500 ', 500],
    ['404 /x', 404],
    ['302 /elsewhere/', 302],
    ['302 ', 302],
  ])('%j is told by its status', (answer, status) => {
    expect(mathesar.readCheck!(answer)).toBe(`GET /auth/login/ answers ${status}`)
  })

  test('says why no provider of single sign-on would be left', () => {
    expect(mathesar.readCheck!('! single sign-on: Mathesar uses 0 of 1 providers')).toBe(
      'single sign-on: Mathesar uses 0 of 1 providers',
    )
  })

  test.each([
    '',
    ' ',
    '! a\u001b[31m',
    `! ${'a'.repeat(301)}`,
    'a',
    'aaaa',
    '200',
    '2000 ',
    '20 /',
    '099 /',
    'NaN /',
    '-200 /',
    '200\t/',
    '200  /',
    '200 / /',
    '\x1b[2J 200 /',
    '2e2 /',
    '0x0 /',
  ])('%j is not a status, and is told as that', (answer) => {
    expect(mathesar.readCheck!(answer)).toBe(
      'the new generation cannot be checked: its answer is not an HTTP status',
    )
  })
})

describe('a socket that code in Mathesar has shut', () => {
  const shut = () => {
    const at = createScope({ place: { paths: { ...placeOf().paths, nginx: '/usr/sbin/nginx' } } })
    at.replies.isShut = () => !at.disk.files.isThere(inDoor(at.scope.place.paths).mathesar)
    return at
  }

  test('makes it count as hung, and is opened again for the next generation', async () => {
    const { scope, disk, said } = shut()
    const look = { state: 'S', sleeps: 2, children: [] }
    expect(mathesar.whyHung!(scope, look, undefined)).toBe('its socket is shut')
    expect((await mathesar.command(scope)).fds).toEqual([11])
    expect(disk.modeOf(inDoor(scope.place.paths).mathesar)).toMatch(/^0666 /)
    expect(said).toEqual(['warn the socket of Mathesar was shut from within Mathesar: it is opened again'])
    expect(mathesar.whyHung!(scope, look, undefined)).toBeUndefined()
  })
})

describe('the command of Mathesar', () => {
  test('runs gunicorn on the socket that the supervisor holds, with the gate behind it', async () => {
    const { scope } = createScope({ config: 'ALLOWED_HOSTS=.example.org\n' })
    const { argv, env, user, cwd, fds } = await mathesar.command(scope)
    expect(argv.join(' ')).toBe(
      '/usr/bin/python3 -m gunicorn config.wsgi --chdir /code --config /etc/gunicorn.conf.py',
    )
    expect([user, cwd, fds]).toEqual([scope.place.identities.mathesar, '/code', [11]])
    expect(env).toMatchObject({
      MATHESAR_GATE_FD: '4',
      MATHESAR_ANSWER_FD: '5',
      MATHESAR_CHECK_HOST: 'supervisor.invalid',
      SECRET_KEY: 'the secret key',
    })
  })

  test.each([
    ['nothing', undefined, undefined],
    ['the door', '/usr/sbin/nginx', 'door'],
  ])('tells who serves the static files in its place: %s', async (_, nginx, expected) => {
    const { scope } = createScope({ place: { paths: { ...placeOf().paths, nginx } } })
    expect((await mathesar.command(scope)).env?.MATHESAR_STATIC_FILES).toBe(expected)
  })

  test('changes to no user where there is one', async () => {
    const { scope } = createScope({ place: { identities: singleUser } })
    expect((await mathesar.command(scope)).user).toBeUndefined()
  })
})

describe('the probe of Mathesar', () => {
  test('asks for the page of the login, by a name that Django permits', async () => {
    const { scope, gets } = createScope({ config: 'ALLOWED_HOSTS=a.org,b.org\n' })
    expect(await mathesar.probe(scope, never)).toBeUndefined()
    expect(gets).toEqual([
      {
        target: { socketPath: '/run/m/door/mathesar.sock' },
        request: { path: '/auth/login/', hostHeader: 'supervisor.invalid', timeoutMs: 10_000 },
      },
    ])
  })

  test('asks where Mathesar listens', async () => {
    const target = { host: '10.0.0.7', port: 8001 }
    const { scope, gets } = createScope({ results: { upstream: { fd: 9, target, page: 12 } } })
    await mathesar.probe(scope, never)
    expect(gets[0]!.target).toEqual(target)
  })

  test.each([
    [200, undefined, undefined],
    [302, '/complete_installation/', undefined],
    [302, '/elsewhere/', 'GET /auth/login/ answers 302'],
    [500, undefined, 'GET /auth/login/ answers 500'],
  ])('counts the answer %d %s as %s', async (status, location, why) => {
    const { scope, replies } = createScope()
    replies.get = async () => ({ status, location })
    expect(await mathesar.probe(scope, never)).toBe(why)
  })
})

describe('the probe of Mathesar with an external database', () => {
  const where = 'db.example.org:5432, database app, user joe'
  const writable = [{ isReplica: false, isReadOnly: false }]
  const stage = (status: number) => {
    const at = createScope({ config: externalDatabase })
    at.replies.get = async () => ({ status, location: undefined })
    at.database.answerWith(() => writable)
    return at
  }

  test('is content where the page is there and the database can be written', async () => {
    expect(await mathesar.probe(stage(200).scope, never)).toBeUndefined()
  })

  test('names the database as the cause, and then asks it alone until it is back', async () => {
    const { scope, database, gets } = stage(500)
    database.refuseWith(() => errorWith('ECONNREFUSED'))
    const why = `the database does not serve (${where}): ECONNREFUSED`
    const found = { code: 'DATABASE_UNREACHABLE', message: why }
    expect(await mathesar.probe(scope, never)).toMatchObject(found)
    expect(await mathesar.probe(scope, never, why)).toMatchObject(found)
    expect(gets).toHaveLength(1)
    database.refuseWith(() => undefined)
    expect(await mathesar.probe(scope, never, why)).toBe('GET /auth/login/ answers 500')
    expect(gets).toHaveLength(2)
  })

  test('is not content with a database that has become a replica, though the page is there', async () => {
    const { scope, database } = stage(200)
    database.answerWith(() => [{ isReplica: true, isReadOnly: true }])
    expect(await mathesar.probe(scope, never)).toMatchObject({
      code: 'DATABASE_REFUSED',
      message: expect.stringContaining(`(${where}): it is a replica, which takes no writes`) as string,
    })
  })

  test('lets pass that the database turns its own question away while the page is there', async () => {
    const { scope, database } = stage(200)
    database.refuseWith(() => serverError('53300'))
    expect(await mathesar.probe(scope, never)).toBeUndefined()
  })
})

test('the policy of Mathesar gives requests under way the time that one may take', () => {
  const policy = mathesar.policy(readFile('GUNICORN_TIMEOUT=60\nSTOP_GRACE_PERIOD=20\n'))
  expect(policy).toMatchObject({
    retireMs: 60_000,
    graceMs: 8000,
    startLimitMs: 300_000,
    stopSignal: 'SIGTERM',
  })
})

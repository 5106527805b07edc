import { describe, expect, test } from 'vitest'
import { mathesar } from '../../../src/units/mathesar/server.ts'
import { readFile } from '../configurations.ts'
import { createScope, never, singleUser } from '../fakes/scope.ts'

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

describe('the command of Mathesar', () => {
  test('runs gunicorn on the socket that the supervisor holds, with the gate behind it', async () => {
    const { scope } = createScope({ config: 'ALLOWED_HOSTS=.example.org\n' })
    const { argv, env, user, cwd, fds } = await mathesar.command(scope)
    expect(argv.join(' ')).toBe(
      '/usr/bin/python3 -m gunicorn config.wsgi --bind fd://3 --chdir /code --config /etc/gunicorn.conf.py',
    )
    expect([user, cwd, fds]).toEqual([scope.place.identities.mathesar, '/code', [10]])
    expect(env).toMatchObject({
      MATHESAR_GATE_FD: '4',
      MATHESAR_ANSWER_FD: '5',
      MATHESAR_CHECK_HOST: 'example.org',
      SECRET_KEY: 'the secret key',
    })
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
        target: { host: '127.0.0.1', port: 8000 },
        request: { path: '/auth/login/', hostHeader: 'a.org', timeoutMs: 10_000 },
      },
    ])
  })

  test('asks at the address that Mathesar listens on', async () => {
    const { scope, gets } = createScope({
      results: { listener: { fd: 9, address: '10.0.0.7', port: 8001 } },
    })
    await mathesar.probe(scope, never)
    expect(gets[0]!.target).toEqual({ host: '10.0.0.7', port: 8001 })
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

test('the policy of Mathesar gives requests under way the time that one may take', () => {
  const policy = mathesar.policy(readFile('GUNICORN_TIMEOUT=60\nSTOP_GRACE_PERIOD=20\n'))
  expect(policy).toMatchObject({
    retireMs: 60_000,
    graceMs: 8000,
    startLimitMs: 300_000,
    stopSignal: 'SIGTERM',
  })
})

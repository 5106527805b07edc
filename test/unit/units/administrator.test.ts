import { describe, expect, test } from 'vitest'
import { administrator, hasAdministrator } from '../../../src/units/mathesar/administrator.ts'
import { failureOf } from '../failure.ts'
import { createScope, never } from '../fakes/scope.ts'
import { readFile } from '../configurations.ts'

const named = { ADMIN_USERNAME: 'ada', ADMIN_EMAIL: 'ada@example.org', ADMIN_PASSWORD: 'hunter2 hunter2' }

/** A database with or without an administrator, or without Mathesar's tables. */
const stage = (found: 'one' | 'none' | 'no table', environment: Readonly<Record<string, string>> = named) => {
  const at = createScope({ config: readFile('', environment), place: { environment } })
  at.database.answerWith((text) => {
    if (text.includes('to_regclass')) return [{ isThere: found !== 'no table' }]
    return text.includes('FROM mathesar_user') && found === 'one' ? [{}] : []
  })
  return at
}

describe('the task `administrator`', () => {
  test('is left out where the settings name nobody', () => {
    expect(administrator.skip?.(readFile(''), createScope().scope.place)).toBe('ADMIN_USERNAME is not given')
    expect(administrator.skip?.(readFile('', named), createScope().scope.place)).toBeUndefined()
  })

  test('creates the one that the settings name, with the password in no argument', async () => {
    const { scope, programs, said } = stage('none')
    await administrator.run(scope, never)
    const [program, ...more] = programs
    expect([more, program?.unit]).toEqual([[], 'administrator'])
    const { argv, env, user } = program!.command
    expect(argv).toEqual(['/usr/bin/python3', '/etc/administrator.py'])
    expect(user).toBe(scope.place.identities.mathesar)
    expect(JSON.parse(env.ADMINISTRATOR!)).toEqual({
      action: 'create first',
      username: 'ada',
      email: 'ada@example.org',
      password: 'hunter2 hunter2',
    })
    expect(env).not.toHaveProperty('ADMIN_PASSWORD')
    expect(said).toEqual(['info created the administrator ada, as ADMIN_USERNAME says'])
  })

  test('runs nothing where there is an administrator, whatever the settings say by now', async () => {
    for (const environment of [named, { ADMIN_USERNAME: 'ada' }, { ADMIN_PASSWORD: '1' }]) {
      const { scope, programs } = stage('one', environment)
      await administrator.run(scope, never)
      expect(programs).toEqual([])
    }
  })

  test.each([
    [{ ADMIN_USERNAME: 'ada' }, 'ADMIN_PASSWORD: it is not given, but ADMIN_USERNAME is'],
    [{ ADMIN_PASSWORD: 'hunter2 hunter2' }, 'ADMIN_USERNAME: it is not given, but ADMIN_PASSWORD is'],
  ])('never creates an account of %j alone', async (environment, why) => {
    const { scope, programs } = stage('none', environment)
    expect(await failureOf(() => administrator.run(scope, never))).toMatchObject({
      code: 'SETTING_INVALID',
      message: `cannot create the administrator: ${why}`,
    })
    expect(programs).toEqual([])
  })

  test.each([
    [
      13,
      'ERROR [redacted]: This [redacted] is too common.',
      'SETTING_INVALID',
      'cannot create the administrator: ADMIN_PASSWORD: This [redacted] is too common.',
    ],
    [
      12,
      'ERROR email: Enter a valid email address.',
      'SETTING_INVALID',
      'cannot create the administrator: ADMIN_EMAIL: Enter a valid email address.',
    ],
    [
      1,
      'django.db.utils.OperationalError: server closed the connection',
      'ADMINISTRATOR_NOT_CREATED',
      'cannot create the administrator: Django failed with exit code 1: django.db.utils.OperationalError: ' +
        'server closed the connection',
    ],
  ])('says why Django refuses, with exit code %i: %s', async (exitCode, line, code, message) => {
    const at = stage('none')
    at.replies.program = async () => ({ outcome: { code: exitCode, signal: null }, lines: ['a line', line] })
    expect(await failureOf(() => administrator.run(at.scope, never))).toMatchObject({ code, message })
  })
})

test.each([
  ['one', true],
  ['none', false],
  ['no table', false],
] as const)('a database with %s of them has an administrator: %s', async (found, isThere) => {
  expect(await hasAdministrator(stage(found).scope)).toBe(isThere)
})

import { describe, expect, test } from 'vitest'
import { findServiceUsers } from '../../src/system/users.ts'
import { failureOf } from './failure.ts'

const user = (name: string, uid: number) => ({ name, uid, gid: uid })
const [root, nobody] = [user('root', 0), user('nobody', 65_534)]
const [postgres, mathesar] = [user('postgres', 5432), user('mathesar', 8000)]
const door = user('door', 8001)

describe('the users of the services in an image', () => {
  test('are its own, by their numbers', () => {
    const found = findServiceUsers([root, postgres, mathesar, door, nobody], true)
    expect(found).toEqual({ postgres, mathesar, door })
  })

  test.each([
    ['lacks both', [root, nobody]],
    ['lacks one', [root, postgres, mathesar, nobody]],
    ['has a postgres of the host', [root, user('postgres', 114), mathesar, door]],
    ['has their numbers under other names', [root, user('joe', 5432), postgres, mathesar, door]],
    ['has one number for both', [root, postgres, user('mathesar', 5432), door]],
  ])('are refused by name where /etc/passwd %s: both would run as one user', async (_, users) => {
    expect(await failureOf(() => findServiceUsers(users, true))).toMatchObject({
      code: 'PRIVILEGES_INSUFFICIENT',
      message: expect.stringContaining('/etc/passwd does not have the users postgres (5432)'),
      hint: expect.stringContaining('without the mount at /etc/passwd'),
    })
  })
})

describe('the users of the services outside of an image', () => {
  test('are found by name, and Mathesar and the door may run as nobody', () => {
    const ours = user('postgres', 101)
    expect(findServiceUsers([root, ours, nobody], false)).toEqual({
      postgres: ours,
      mathesar: nobody,
      door: nobody,
    })
  })

  test('are never one and the same', async () => {
    const failure = await failureOf(() => findServiceUsers([root, nobody], false))
    expect(failure.code).toBe('PRIVILEGES_INSUFFICIENT')
  })
})

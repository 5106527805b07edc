import { describe, expect, test } from 'vitest'
import { RefusedHosts } from '../../src/daemon/config/refused-hosts.ts'

const lineOf = (host: string): string =>
  `ERROR django.security.DisallowedHost: Invalid HTTP_HOST header: '${host}'. ` +
  `You may need to add '${host}' to ALLOWED_HOSTS.`

const stage = (isPinned = false) => {
  const said: string[] = []
  const permitted = { hosts: ['a.org'], isPinned }
  const refused = new RefusedHosts(
    () => permitted,
    (message) => void said.push(message),
  )
  return { said, permitted, refused, see: (host: string) => refused.see('mathesar', lineOf(host)) }
}

describe('a host that Django refused', () => {
  test('is said once, with the command that permits it, and shown in the status', () => {
    const { said, refused, see } = stage()
    for (const host of ['nas.local', 'nas.local', 'a.org']) see(host)
    expect(said).toEqual([
      'somebody opened Mathesar as nas.local, which is not permitted. ' +
        "To permit it, type: supervisor config set ALLOWED_HOSTS='a.org,nas.local'",
    ])
    expect(refused.problems()).toEqual([
      expect.objectContaining({
        unit: 'mathesar',
        message: 'refused the host nas.local: it is not in ALLOWED_HOSTS',
      }),
    ])
  })

  test('is no problem any more once it is permitted', () => {
    const { permitted, refused, see } = stage()
    see('nas.local')
    permitted.hosts = ['a.org', 'nas.local']
    expect(refused.problems()).toEqual([])
  })

  test('cannot be permitted by a command where the environment has the setting', () => {
    const { said, see } = stage(true)
    see('nas.local')
    expect(said[0]).toContain("start a new container with -e ALLOWED_HOSTS='a.org,nas.local'")
  })

  test('is one of five at most: whoever sends requests chooses them', () => {
    const { refused, see } = stage()
    for (let index = 0; index < 100; index++) see(`h${index}.org`)
    expect(refused.problems().map(({ message }) => message.split(' ')[3])).toEqual(
      [95, 96, 97, 98, 99].map((index) => `h${index}.org:`),
    )
  })

  test('is looked for in lines of Django alone', () => {
    const { said, refused } = stage()
    refused.see('mathesar', 'GET /evil.org')
    expect(said).toEqual([])
  })
})

import { describe, expect, test } from 'vitest'
import { RefusedRequests } from '../../src/daemon/config/refused-requests.ts'

const lineOf = (host: string): string =>
  `ERROR django.security.DisallowedHost: Invalid HTTP_HOST header: '${host}'. ` +
  `You may need to add '${host}' to ALLOWED_HOSTS.`

const stage = (isPinned = false) => {
  const said: string[] = []
  const at = { ms: 5000 }
  const permitted = { hosts: ['a.org'], origins: ['https://a.org'], isPinned: () => isPinned }
  const refused = new RefusedRequests(() => permitted, {
    log: { say: (_, message) => void said.push(message) },
    clock: { elapsed: () => at.ms },
  })
  return { said, permitted, refused, at, see: (host: string) => refused.see('mathesar', lineOf(host)) }
}

describe('what Django refused', () => {
  const originLine = (origin: string): string =>
    `WARNING django.security.csrf: Forbidden (Origin checking failed - ${origin} ` +
    'does not match any trusted origins.): /auth/login/'
  const malformedLine = (host: string): string =>
    `ERROR django.security.DisallowedHost: Invalid HTTP_HOST header: '${host}'. ` +
    'The domain name provided is not valid according to RFC 1034/1035.'

  test('for an origin is said with the command that trusts it, and with what else it may be', () => {
    const { said, refused, permitted } = stage()
    for (const origin of ['https://a.org', 'https://b.org:8443']) refused.see('mathesar', originLine(origin))
    expect(said).toEqual([
      'a form from https://b.org:8443 was refused: its origin is not trusted. If that is the address of ' +
        'this ' +
        'Mathesar, have the proxy send X-Forwarded-Proto, or type: supervisor config set ' +
        'CSRF_TRUSTED_ORIGINS=https://a.org,https://b.org:8443. Else a page of somebody else tried to send ' +
        'a form here',
    ])
    expect(refused.problems().map(({ message }) => message)).toEqual([
      'refused a form from https://b.org:8443: its origin is not trusted',
    ])
    permitted.origins = ['https://b.org:8443']
    expect(refused.problems()).toEqual([])
  })

  test.each([
    'null',
    'https://a b',
    'https://a.org/$(id)',
    'file://',
    "https://a'b",
    'https://-a',
    'javascript:x',
  ])('for the origin %s is not repeated', (origin) => {
    const { said, refused } = stage()
    refused.see('mathesar', originLine(origin))
    expect(said).toEqual([])
  })

  test('for an underscore in the host is said with what helps', () => {
    const { said, refused } = stage()
    for (const host of ['my_app:8000', 'MY_app']) refused.see('mathesar', malformedLine(host))
    expect(said).toEqual([
      expect.stringMatching(
        /^somebody opened Mathesar as my_app, and a host name has no underscore\. Use a name/,
      ),
    ])
    expect(refused.problems()).toMatchObject([
      { hint: expect.stringContaining('proxy_set_header Host $http_host') },
    ])
  })

  test.each(['a b', '-_', 'a;_', '$(id)_', 'a..b_', 'a-'])(
    'for the malformed host %s is not repeated',
    (host) => {
      const { said, refused } = stage()
      refused.see('mathesar', malformedLine(host))
      expect(said).toEqual([])
    },
  )
})

describe('a host that Django refused', () => {
  test('is said once, with the command that permits it, and shown in the status', () => {
    const { said, refused, see } = stage()
    for (const host of ['nas.local', 'nas.local', 'a.org']) see(host)
    expect(said).toEqual([
      'somebody opened Mathesar as nas.local, which is not permitted. ' +
        'To permit it, type: supervisor permit nas.local',
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

  test('is said at most ten times at once, and then once a minute', () => {
    const { said, refused, see, at } = stage()
    for (let index = 0; index < 100; index++) see(`h${index}.org`)
    expect(said).toHaveLength(10)
    expect(refused.problems()[4]!.message).toContain('h99.org')
    at.ms += 60_000
    for (let index = 100; index < 200; index++) see(`h${index}.org`)
    expect(said).toHaveLength(11)
    expect(said[10]).toContain('as h100.org,')
  })

  test('is looked for in lines of Django alone', () => {
    const { said, refused } = stage()
    refused.see('mathesar', 'GET /evil.org')
    expect(said).toEqual([])
  })
})

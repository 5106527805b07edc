import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  isPermitted,
  permitCommand,
  hostRefusal,
  permittedHosts,
  probeHost,
  refusalIn,
  trustedOrigins,
  hostMapLines,
} from '../../src/settings/hosts.ts'
import { itemsOf } from '../../src/settings/kinds.ts'
import { anyCharacter } from './characters.ts'
import { runs, runsTimeoutMs } from './runs.ts'

const lineOf = (header: string, host: string): string =>
  `ERROR django.security.DisallowedHost: Invalid HTTP_HOST header: '${header}'. ` +
  `You may need to add '${host}' to ALLOWED_HOSTS.`
/** The host of a refusal for it. */
const refusedHost = (line: string): string | undefined => {
  const refusal = refusalIn(line)
  return refusal?.kind === 'host' ? refusal.host : undefined
}
const disallowed = 'ERROR django.security.DisallowedHost: Invalid HTTP_HOST header:'
const malformed = 'The domain name provided is not valid according to RFC 1034/1035.'
const defaults = ['.localhost', '127.0.0.1', '[::1]']

describe('a refused host', () => {
  test.each([
    ['192.168.1.5:8000', '192.168.1.5'],
    ['192.168.1.5', '192.168.1.5'],
    ['mybox.local:8000', 'mybox.local'],
    ['MyBox.local', 'mybox.local'],
    ['nas', 'nas'],
    ['mathesar.example.org.', 'mathesar.example.org'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['[fd00::7]:8000', '[fd00::7]'],
    ['[2001:db8::1]', '[2001:db8::1]'],
    ['a-1.b2', 'a-1.b2'],
    ['1.example', '1.example'],
  ])('%s is read as %s', (header, host) => {
    expect(refusedHost(lineOf(header, host))).toBe(host)
    expect(refusedHost(`${lineOf(header, host)}\nTraceback (most recent call last):\n  File "x"`)).toBe(host)
  })

  test.each([
    '',
    '.',
    '-',
    '-a',
    'a-',
    'a..b',
    '.example.org',
    'a b',
    'a_b',
    '*',
    "a'b",
    'a;b',
    '$(id)',
    'a\nb',
    'é.org',
    '%41',
    'a/b',
    '1.2.3',
    '999.1.1.1',
    '01.2.3.4',
    '1.2.3.4.5',
    '7',
    'a.7',
    '[]',
    '[:]',
    '[::1',
    '::1',
    '[::1%eth0]',
    '[fffff::1]',
    '[::1]]',
    '[1:2:3]',
    '[::ffff:1.2.3.4]',
    `${'a'.repeat(64)}.org`,
    `${'a.'.repeat(127)}org`,
  ])('%j is not taken', (host) => {
    expect(refusedHost(lineOf(host, host))).toBeUndefined()
    expect(refusedHost(lineOf('a.org', host))).toBeUndefined()
  })

  test.each([
    `${disallowed} 'a_b'. ${malformed}`,
    `${disallowed} "x'. You may need to add 'evil.org' to ALLOWED_HOSTS.". ${malformed}`,
    `INFO ${lineOf('evil.org', 'evil.org')}`,
    `ERROR app: ${lineOf('evil.org', 'evil.org')}`,
    `${lineOf('evil.org', 'evil.org')} x`,
    lineOf('a.org', 'a.org').replace('ERROR django.security.', 'django.core.exceptions.'),
    'INFO plain words',
  ])('is not in the line %s', (line) => {
    expect(refusedHost(line)).toBeUndefined()
  })

  test(
    'is never anything but letters, digits, dots and dashes, or an address in brackets',
    () => {
      const hostile = fc.oneof(
        fc.string({ unit: anyCharacter }),
        fc.stringMatching(/^[[\]a-f0-9:.'-]{0,30}$/),
        fc.domain(),
        fc.ipV4(),
        fc.ipV6().map((address) => `[${address}]`),
        fc.constantFrom("'; id; '", "'. You may need to add 'a' to ALLOWED_HOSTS."),
      )
      fc.assert(
        fc.property(hostile, hostile, (header, host) => {
          const found = refusedHost(lineOf(header, host))
          if (found !== undefined) {
            expect(found).toMatch(/^(?:[a-z0-9][a-z0-9.-]*|\[[0-9a-f:]+\])$/)
            expect(found.length).toBeLessThanOrEqual(253)
          }
        }),
        runs(200),
      )
    },
    runsTimeoutMs,
  )
})

describe('the command', () => {
  test('permits one host, and tells nobody which others are', () => {
    expect(permitCommand('192.168.1.5')).toBe('supervisor permit 192.168.1.5')
  })
})

test.each(['default', 'hostnames', 'Include', 'volatile'])(
  'a host with the name %s is no word of nginx, which would not start',
  (host) => {
    expect(hostMapLines([host, 'a.example'])).toEqual([`"~^${host.toLowerCase()}$" 1;`, '"a.example" 1;'])
  },
)

describe('the private addresses', () => {
  const inNginx = (host: string, allowed: readonly string[]): boolean => {
    for (const line of hostMapLines(allowed)) {
      const [, isPattern, text = ''] = /^"(~?)(.*)" 1;$/.exec(line) ?? []
      if (line === 'default 1;') return true
      if (isPattern === '~' ? new RegExp(text).test(host) : text === host) return true
    }
    return false
  }

  test.each([
    ['192.168.1.5', true],
    ['10.0.0.1', true],
    ['172.16.0.1', true],
    ['172.31.255.255', true],
    ['127.0.0.1', true],
    ['100.64.0.1', true],
    ['169.254.1.1', true],
    ['[::1]', true],
    ['[fd00::1]', true],
    ['[fe80::1]', true],
    ['172.32.0.1', false],
    ['172.15.0.1', false],
    ['8.8.8.8', false],
    ['100.128.0.1', false],
    ['192.169.0.1', false],
    ['10.0.0.1.example', false],
    ['10.example', false],
    ['[2001:db8::1]', false],
    ['fd00.example', false],
    ['localhost', false],
  ])('%s: %s, for Mathesar and for nginx alike', (host, expected) => {
    expect(isPermitted(host, ['private'])).toBe(expected)
    expect(inNginx(host, ['private'])).toBe(expected)
  })

  test(
    'nginx permits what Django does',
    () => {
      const item = fc.constantFrom('a.org', '.b.org', '10.0.0.1', '[::1]', 'private', 'c_1.org', 'A.org')
      const host = fc.constantFrom(
        'a.org',
        'x.b.org',
        'b.org',
        'xb.org',
        '10.0.0.1',
        '8.8.8.8',
        '[::1]',
        'aXorg',
      )
      fc.assert(
        fc.property(fc.array(item), host, (allowed, asked) => {
          expect(inNginx(asked.toLowerCase(), allowed)).toBe(isPermitted(asked, allowed))
        }),
        runs(300),
      )
    },
    runsTimeoutMs,
  )
})

describe('a host', () => {
  test.each<[string, string | string[], boolean]>([
    ['localhost', defaults, true],
    ['x.localhost', defaults, true],
    ['x.y.LOCALHOST', defaults, true],
    ['127.0.0.1', defaults, true],
    ['[::1]', defaults, true],
    ['localhost.', defaults, true],
    ['notlocalhost', defaults, false],
    ['0.0.0.0', defaults, false],
    ['127.0.0.2', defaults, false],
    ['', defaults, false],
    ['a.org', 'A.org', true],
    ['x.a.org', 'a.org', false],
    ['x.a.org', '.a.org', true],
    ['a.org', ' .a.org ', true],
    ['xa.org', '.a.org', false],
    ['a.org', '*', true],
    ['a.org', 'b.org, *', true],
    ['a.org', '*.org', false],
    ['a.org', '', false],
    ['', ',', false],
    ['', '.', false],
  ])('%j with ALLOWED_HOSTS=%s: %s', (host, allowed, expected) => {
    expect(isPermitted(host, typeof allowed === 'string' ? itemsOf(allowed) : allowed)).toBe(expected)
  })
})

test('the name by which the supervisor asks is a host that no setting permits by itself', () => {
  expect(hostRefusal(probeHost)).toEqual({ kind: 'host', host: probeHost })
  expect(isPermitted(probeHost, itemsOf('.localhost,127.0.0.1,[::1],private'))).toBe(false)
})

describe('PUBLIC_URL', () => {
  const addresses = { ALLOWED_HOSTS: ['a.org', '.b.org'], CSRF_TRUSTED_ORIGINS: ['https://a.org'] }

  test.each([
    [undefined, ['a.org', '.b.org'], ['https://a.org']],
    ['https://a.org/', ['a.org', '.b.org'], ['https://a.org']],
    ['http://x.b.org', ['a.org', '.b.org'], ['https://a.org', 'http://x.b.org']],
    ['https://c.org:8443/x', ['a.org', '.b.org', 'c.org'], ['https://a.org', 'https://c.org:8443']],
  ])('%s is permitted and trusted beside what the settings name', (PUBLIC_URL, hosts, origins) => {
    expect(permittedHosts({ ...addresses, PUBLIC_URL })).toEqual(hosts)
    expect(trustedOrigins({ ...addresses, PUBLIC_URL })).toEqual(origins)
  })

  test('is trusted where no other origin is', () => {
    const none = { ...addresses, CSRF_TRUSTED_ORIGINS: undefined }
    expect(trustedOrigins({ ...none, PUBLIC_URL: 'https://c.org' })).toEqual(['https://c.org'])
    expect(trustedOrigins({ ...none, PUBLIC_URL: undefined })).toEqual([])
  })
})

import { describe, expect, test } from 'vitest'
import { lockedTo } from '../../../src/operations/rescue/stored.ts'
import { foundInWords, warningsOf } from '../../../src/operations/rescue/words.ts'
import type { Holder } from '../../../src/units/holder.ts'

/** What Mathesar's field makes of a password under "the secret key". */
const token =
  'gAAAAABrCFPjavd_4IzmCH7Vj5ESNMlbXh--ecoPDF4MI7K2SRbUKC3PEOGcSygAQmjsBZfqX8wNnIjepGkZuXPJLSo3EFRtog=='

describe('a secret key', () => {
  const passwords = [
    { name: 'ann', token },
    { name: 'cut', token: token.slice(0, 40) },
    { name: 'changed', token: token.replace('avd', 'avD') },
    { name: 'empty', token: 'gAAAA' },
  ]
  test('is proved by the signatures of what it has encrypted', () => {
    expect(lockedTo('the secret key', passwords)).toEqual(['cut', 'changed', 'empty'])
    expect(lockedTo('the secret key\n', passwords.slice(0, 1))).toEqual(['ann'])
    expect(lockedTo('another', passwords)).toHaveLength(4)
  })

  test('need not be proved where nothing is encrypted', () => {
    expect(lockedTo('another', [])).toEqual([])
  })
})

const own = {
  folder: '/data',
  cluster: { folder: '/data/postgres', major: '17', isShutDown: false, bytes: 3 * 1024 * 1024 },
  manifest: {
    instance: 'a',
    servedBy: { mathesar: '0.11.0', postgres: '17.9' },
    lastBoot: { at: '2026-11-26T00:00:00Z', after: 'unclean stop' },
  },
  holder: undefined,
  archives: 2,
  restored: 'kept',
} as const

describe('what is in a volume, in words', () => {
  test('says versions, sizes, the last stop, and what is missing', () => {
    expect(foundInWords({ own: { ...own, key: 'missing' }, foreign: [] })).toBe(
      [
        '/data: an installation of this image',
        '  Mathesar 0.11.0, Postgres 17.9; last start 2026-11-26T00:00:00Z, after an unclean stop',
        '  its cluster: 3 MiB, not shut down cleanly: it recovers at its next start',
        '  the secret key is MISSING: without it nobody can decrypt the passwords that Mathesar stores',
        '  files in backups: 2 (`supervisor backup list`)',
        '  the state before a restore is kept (`supervisor restore --undo`)',
      ].join('\n'),
    )
    expect(foundInWords({ own: { ...own, key: 'there', restored: 'waits' }, foreign: [] })).toContain(
      'a restore takes the place of all this at the next start (`supervisor restore --undo` takes it back)',
    )
    const holder = { host: 'box', since: '2026-11-26T08:30:00Z' } as Holder
    expect(foundInWords({ own: { ...own, key: 'there', holder }, foreign: [] })).toMatch(
      /its cluster: 3 MiB, running\n {2}in use: container box uses it, since 2026-11-26 08:30 UTC\n/,
    )
    const gone = { ...own, key: 'another', cluster: undefined, manifest: {} } as const
    expect(foundInWords({ own: gone, foreign: [] })).toMatch(
      /Mathesar \(unknown\)[^]*it has not served yet\n {2}its cluster is GONE[^]*ANOTHER/,
    )
  })

  test('says how to take over a cluster of another image, and nothing where there is nothing', () => {
    const cluster = { folder: '/old', major: undefined, isShutDown: undefined, bytes: 1 }
    const text = foundInWords({
      own: undefined,
      foreign: [{ ...cluster, isMathesars: false, key: undefined, media: '/code/.media' }],
    })
    const running = { ...cluster, isShutDown: false, isMathesars: true, key: '/key', media: undefined }
    expect(foundInWords({ own: undefined, foreign: [running] })).toContain(
      'not shut down cleanly: it runs, or recovers at its next start',
    )
    expect(text).toMatch(
      /^\/old: a cluster of another image\n {2}Postgres \(unknown\), 1 MiB, its control file/,
    )
    expect(text).toMatch(/docker cp CONTAINER:[^]*media: \/code\/.media[^]*`rescue --adopt`/)
    expect(foundInWords({ own: undefined, foreign: [] })).toBe('nothing of Mathesar or Postgres is here')
  })

  test('says after an adoption what somebody has to do', () => {
    const roles = {
      superuser: 'postgres',
      renamed: { mathesar: 'mathesar_1' },
      kept: ['boss'],
      outdated: ['old'],
    }
    const stored = { otherHosts: ['db'], version: undefined, passwords: [] }
    const told = warningsOf({ roles, databases: [], stored }, ['ann'], undefined).join('\n')
    for (const word of ['ann', 'boss', 'old', 'mathesar_1', '--host NAME', 'no media'])
      expect(told).toContain(word)
    const quiet = { roles: { ...roles, renamed: {}, kept: [], outdated: [] }, databases: [] }
    expect(warningsOf({ ...quiet, stored: { ...stored, otherHosts: [] } }, [], '/m')).toEqual([])
  })
})

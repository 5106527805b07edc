import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  filesWanted,
  isPinned,
  type Proposal,
  refuseLostDatabase,
  refusePinnedEdits,
} from '../../src/settings/proposal.ts'
import { settingNames, settingOf } from '../../src/settings/table.ts'
import { SupervisorError } from '../../src/errors.ts'
import { anyCharacter } from './characters.ts'
import { anyEnvironment, anyFile, anyValueOf, fileOf, filesOf, readFile } from './configurations.ts'
import { runs, runsTimeoutMs } from './runs.ts'

const current = readFile('# mine\nDEBUG=true\nGUNICORN_TIMEOUT=5\n', { GUNICORN_TIMEOUT: '7' })
const onDisk = filesOf('DEBUG=false')
type Wish = Proposal extends infer P ? (P extends Proposal ? Omit<P, 'from'> : never) : never
const wanted = (proposal: Wish) => filesWanted({ from: 'api', ...proposal }, current, onDisk)
const codeOf = (act: () => unknown): string => {
  try {
    act()
    return 'none'
  } catch (error) {
    return error instanceof SupervisorError ? error.code : String(error)
  }
}

describe('the files that a proposal wants', () => {
  test('are those on disk, edited ones, whole ones, or those of an earlier version', () => {
    expect(wanted({ kind: 'reread' })).toBe(onDisk)
    expect(wanted({ kind: 'reread', reload: true })).toBe(onDisk)
    expect(wanted({ kind: 'set', set: { DEBUG: 'false', WEB_CONCURRENCY: '2' } })['mathesar.env']).toBe(
      '# mine\nDEBUG=false\nGUNICORN_TIMEOUT=5\nWEB_CONCURRENCY=2\n',
    )
    expect(wanted({ kind: 'set', set: { DEBUG: null } })['mathesar.env']).toBe('# mine\nGUNICORN_TIMEOUT=5\n')
    expect(wanted({ kind: 'replace', files: { 'mathesar.env': 'x' } })).toEqual(filesOf('x'))
    expect(wanted({ kind: 'replace', files: { 'sso.yml': 'x' } })).toEqual({
      ...current.files,
      'sso.yml': 'x',
    })
    expect(wanted({ kind: 'restore', files: filesOf('y', { 'sso.yml': 'z' }) })).toEqual(
      filesOf('y', { 'sso.yml': 'z' }),
    )
  })

  test('are made from the file with every setting as a comment where there is none yet', () => {
    const files = filesWanted(
      { from: 'command', kind: 'set', set: { DEBUG: 'true' } },
      readFile(''),
      filesOf(undefined),
    )
    expect(files['mathesar.env']).toBe('DEBUG=true\n')
    const first = filesWanted(
      { from: 'command', kind: 'set', set: { DEBUG: 'true' } },
      { ...readFile(''), files: filesOf(undefined) },
      filesOf(undefined),
    )
    expect(first['mathesar.env']).toMatch(/\n# DEBUG=false\nDEBUG=true\n/)
  })

  test(
    'hold the edit, and leave every other setting as it was',
    () => {
      const edit = fc
        .constantFrom(...settingNames.filter((name) => settingOf(name).appliesBy !== 'database'))
        .chain((name) => fc.tuple(fc.constant(name), fc.option(anyValueOf(name))))
      fc.assert(
        fc.property(anyFile, anyEnvironment, edit, (file, environment, [name, value]) => {
          const before = readFile(fileOf(file), environment)
          const act = () =>
            filesWanted({ from: 'api', kind: 'set', set: { [name]: value } }, before, before.files)
          if (isPinned(name, before)) {
            expect(codeOf(act)).toBe('SETTING_PINNED')
            return
          }
          const after = readFile(act()['mathesar.env']!, environment)
          expect(after.values[name].value).toBe(value ?? settingOf(name).default)
          expect({ ...after.values, [name]: undefined }).toEqual({ ...before.values, [name]: undefined })
        }),
        runs(50),
      )
    },
    runsTimeoutMs,
  )
})

describe('a proposal is refused', () => {
  test.each<[string, Wish, string]>([
    [
      'when it was made from another version',
      { base: 'abc', kind: 'set', set: { DEBUG: 'true' } },
      'CONFIG_CONFLICT',
    ],
    [
      'when it was made from another version, whole files too',
      { base: 'abc', kind: 'replace', files: { 'mathesar.env': '' } },
      'CONFIG_CONFLICT',
    ],
    [
      'when it was made from another version, a rollback too',
      { base: 'abc', kind: 'restore', files: onDisk },
      'CONFIG_CONFLICT',
    ],
    [
      'when it was made from another version, a reload too',
      { base: 'abc', kind: 'reread', reload: true },
      'CONFIG_CONFLICT',
    ],
    [
      'when the environment has the setting',
      { kind: 'set', set: { GUNICORN_TIMEOUT: '9' } },
      'SETTING_PINNED',
    ],
    [
      'when the environment has the setting, to unset it too',
      { kind: 'set', set: { GUNICORN_TIMEOUT: null } },
      'SETTING_PINNED',
    ],
    [
      'when only the environment may have the setting',
      { kind: 'set', set: { SECRET_KEY: 'x' } },
      'SETTING_PINNED',
    ],
    [
      'when only the environment may allow it',
      { kind: 'set', set: { UI_MAY_EDIT_CONFIG: 'true' } },
      'SETTING_PINNED',
    ],
    ['when there is no such setting', { kind: 'set', set: { PORTT: '1' } }, 'CONFIG_INVALID'],
    ['when the name is one of JavaScript', { kind: 'set', set: { constructor: 'x' } }, 'CONFIG_INVALID'],
    ['when one of several is bad', { kind: 'set', set: { DEBUG: 'false', nonsense: 'x' } }, 'CONFIG_INVALID'],
    ['not from the current version', { base: current.version, kind: 'set', set: { DEBUG: 'false' } }, 'none'],
  ])('%s: %j', (_, proposal, code) => {
    expect(codeOf(() => wanted(proposal))).toBe(code)
  })

  test('with words that name what is meant, and no value', () => {
    expect(() => wanted({ kind: 'set', set: { PORTT: 'hunter2' } })).toThrow(
      /^cannot change PORTT: unknown setting PORTT: did you mean PORT\?$/,
    )
    expect(() => wanted({ kind: 'set', set: { GUNICORN_TIMEOUT: 'hunter2' } })).toThrow(
      /^cannot change GUNICORN_TIMEOUT: the container was started with it in its environment, which wins$/,
    )
  })

  test(
    'for any names and values as an error of the table',
    () => {
      fc.assert(
        fc.property(
          fc.dictionary(
            fc.oneof(
              fc.string({ unit: anyCharacter }),
              fc.constantFrom(...settingNames, '__proto__', 'toString'),
            ),
            fc.option(fc.string({ unit: anyCharacter })),
          ),
          (set) => {
            expect(['none', 'CONFIG_INVALID', 'SETTING_PINNED']).toContain(
              codeOf(() => wanted({ kind: 'set', set })),
            )
          },
        ),
        runs(100),
      )
    },
    runsTimeoutMs,
  )
})

test.each<[string, string]>([
  ['GUNICORN_TIMEOUT=9', 'SETTING_PINNED'],
  ['\n\nGUNICORN_TIMEOUT=9', 'SETTING_PINNED'],
  ['GUNICORN_TIMEOUT=5', 'none'], // As it was.
  ['GUNICORN_TIMEOUT=7', 'none'], // What is in force.
  ['', 'none'], // Without effect, and without harm.
  ['DEBUG=false\nWEB_CONCURRENCY=2', 'none'],
])('a file that is edited to %j: %s', (text, code) => {
  expect(codeOf(() => refusePinnedEdits(filesOf(text), current))).toBe(code)
  if (code !== 'none')
    expect(() => refusePinnedEdits(filesOf(text), current)).toThrow(`line ${text.split('\n').length}`)
})

const parts = 'POSTGRES_HOST=db\nPOSTGRES_DB=m\nPOSTGRES_USER=u\n'
const url = 'DATABASE_URL=postgres://u@db/m\n'

describe('an edit that no longer names the database', () => {
  const lose = (after: string, before: string, environment = {}) =>
    codeOf(() => refuseLostDatabase(readFile(after, environment), filesOf(before)))

  test.each([
    ['DEBUG=true\n', parts],
    ['DEBUG=true\n', url],
    ['# POSTGRES_HOST=db\n', url],
    ['POSTGRES_SSLMODE=require\n', url],
    ['POSTGRES_HOST=', parts],
    ['DEBUG=true\nexport DATABASE_URL=', url],
  ])('may be half-written, and is refused: %j', (after, before) => {
    expect(lose(after, before)).toBe('CONFIG_INVALID')
  })

  test.each([
    ['POSTGRES_HOST=\n', parts],
    ['DATABASE_URL=""\nDEBUG=true', url],
    ['POSTGRES_HOST=\nPOSTGRES_DB=\nPOSTGRES_USER=\n', parts],
    [url, parts],
    ['DEBUG=true\n', 'DEBUG=false\n'],
    ['DEBUG=true\n', 'POSTGRES_HOST=\n'],
  ])('is taken where it says so in a whole line, or there was none: %j', (after, before) => {
    expect(lose(after, before)).toBe('none')
  })

  test('is taken where the environment gives one', () => {
    expect(lose('DEBUG=true\n', parts, { DATABASE_URL: 'postgres://u@db/m' })).toBe('none')
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ChangeResult } from '../../src/daemon/config/change.ts'
import { Changes } from '../../src/daemon/config/changes.ts'
import { Store } from '../../src/daemon/config/store.ts'
import { SupervisorError } from '../../src/errors.ts'
import {
  configFiles,
  type ConfigFiles,
  type Configuration,
  versionOf,
} from '../../src/settings/configuration.ts'
import { type HistoryEntry, lastGood } from '../../src/settings/history.ts'
import type { Plan } from '../../src/settings/plan.ts'
import type { Proposal } from '../../src/settings/proposal.ts'
import type { Environment, SettingName } from '../../src/settings/table.ts'
import { filesOf, read } from './configurations.ts'
import { failureOf } from './failure.ts'
import { settle as tick } from './fakes/clock.ts'
import { createFiles, errorWith } from './fakes/files.ts'
import { runs, runsTimeoutMs } from './runs.ts'

type Options = {
  readonly text?: string
  readonly environment?: Environment
  readonly history?: readonly HistoryEntry[]
  readonly readOnly?: boolean
  readonly rejected?: { readonly files: ConfigFiles; readonly error: SupervisorError }
}

/** A proposal of somebody: by the interface, unless it says otherwise. */
type Wish = Proposal extends infer P
  ? P extends Proposal
    ? Omit<P, 'from'> & { readonly from?: P['from'] }
    : never
  : never

const historyPath = '/history/history.json'

/** The real store on files in memory. */
const openDisk = ({ history = [], readOnly = false }: Pick<Options, 'history' | 'readOnly'>) => {
  const disk = createFiles()
  let isReadOnly = readOnly
  let recordFails: Error | undefined
  for (const folder of ['/config', '/history']) disk.files.makeFolder(folder, 0o700)
  if (history.length > 0) disk.put(historyPath, JSON.stringify(history))
  disk.failOn((act, path) => {
    if (path === historyPath && act === 'writeWhole') return recordFails
    return isReadOnly && path.startsWith('/config') && /^(write|remove|requireW)/.test(act)
      ? errorWith('EROFS')
      : undefined
  })
  const store = new Store({ files: disk.files, folder: '/config', history: '/history', setOwner: () => {} })
  return {
    disk,
    store,
    /** What the config folder holds. */
    read: (): ConfigFiles =>
      filesOf(disk.text('/config/mathesar.env'), {
        'sso.yml': disk.text('/config/sso.yml'),
        'file_storage.yml': disk.text('/config/file_storage.yml'),
      }),
    put: (files: ConfigFiles): void => {
      for (const name of configFiles) {
        const text = files[name]
        if (text !== undefined) disk.put(`/config/${name}`, text)
      }
    },
    failRecord: (error: Error | undefined): void => {
      recordFails = error
    },
    mayWrite: (may: boolean): void => {
      isReadOnly = !may
    },
  }
}

/** What a Mathesar of which nothing is real does, and what it was asked to do. */
const createPlay = () => ({
  atOnce: 0,
  breaks: (_next: Configuration): boolean => false,
  onCheck: (_files: ConfigFiles): void => {},
  isStopping: false,
  isProven: true,
  isAtRest: false,
  held: Promise.resolve(),
  applied: [] as Plan[],
  logged: [] as string[],
  checked: [] as string[],
})
type Play = ReturnType<typeof createPlay>
type Volume = ReturnType<typeof openDisk>

const createChanges = (boot: Configuration, at: Volume, play: Play, options: Options): Changes => {
  const { environment = {}, rejected } = options
  const check = async (files: ConfigFiles): Promise<Configuration> => {
    await tick()
    play.checked.push(versionOf(files))
    play.onCheck(files)
    return read(files, environment)
  }
  return new Changes({
    boot,
    rejected,
    environment,
    store: at.store,
    now: () => 0,
    say: (_, message) => void play.logged.push(message),
    readSettled: async () => {
      await tick()
      return at.read()
    },
    read: at.read,
    isStopping: () => play.isStopping,
    isProven: () => play.isProven,
    check,
    checkProposed: check,
    isLeftToBoot: () => play.isAtRest,
    startOver: () => void play.logged.push('starts over'),
    apply: async (plan, next, report, commit) => {
      expect(++play.atOnce, 'two changes at once').toBe(1)
      try {
        report('applying')
        await tick()
        await play.held
        if (play.breaks(next))
          throw new SupervisorError('CONFIG_ROLLED_BACK', 'cannot apply the change: it does not serve')
        commit()
        play.applied.push(plan)
      } finally {
        play.atOnce -= 1
      }
    },
  })
}

/** What a test has it do. */
const controlsOf = (at: Volume, play: Play) => ({
  writeUnseen: (next: string) => at.put(filesOf(next)),
  breakOn: (when: (next: Configuration) => boolean) => {
    play.breaks = when
  },
  onCheck: (act: (files: ConfigFiles) => void) => {
    play.onCheck = act
  },
  failRecord: (code: string | undefined) =>
    at.failRecord(code === undefined ? undefined : Object.assign(new Error(code), { code })),
  /** Everything begins to stop in the midst of the next change. */
  stopAt: (when: (next: Configuration) => boolean) => {
    play.breaks = (next) => (play.isStopping = when(next))
  },
  /** What is applied takes until the function is called that this returns. */
  hold: () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    play.held = promise
    return resolve
  },
  neverReady: () => {
    play.isProven = false
  },
  rest: () => {
    play.isAtRest = true
  },
  mayWrite: at.mayWrite,
})

/** `breakOn` says which configurations fail when they are applied. */
const stage = (options: Options = {}) => {
  const { text = 'DEBUG=false\n', environment = {}, rejected } = options
  const at = openDisk(options)
  const { disk, store } = at
  at.put(rejected?.files ?? filesOf(text))
  const boot = read(filesOf(text), environment)
  const play = createPlay()
  const { applied, logged, checked } = play
  const changes = createChanges(boot, at, play, options)
  const propose = (wish: Wish, report?: (step: string) => void): Promise<ChangeResult> =>
    changes.propose({ from: 'api', ...wish }, report)
  disk.acts.length = 0
  return {
    changes,
    applied,
    logged,
    checked,
    boot,
    propose,
    set: (set: Readonly<Record<string, string | null>>) => propose({ kind: 'set', set }),
    replace: (next: string) => propose({ kind: 'replace', files: { 'mathesar.env': next } }),
    /** Somebody says that the files may be others now. */
    reread: () => propose({ from: 'file', kind: 'reread' }),
    reload: () => propose({ from: 'signal', kind: 'reread', reload: true }),
    /** Somebody writes the file, and the watcher tells of it. */
    edit: (next: string) => {
      at.put(filesOf(next))
      return propose({ from: 'file', kind: 'reread' })
    },
    ...controlsOf(at, play),
    get text() {
      return disk.text('/config/mathesar.env')
    },
    /** What was written, removed or moved. */
    get writes() {
      return disk.acts.filter((act) => /^(write|remove|rename)/.test(act))
    },
    /** What the disk was made to keep. */
    get synced() {
      return disk.acts.flatMap((act) => (act.startsWith('syncFile ') ? act.slice('syncFile '.length) : []))
    },
    /** Versions that can be gone back to. */
    get kept() {
      return disk.files
        .listFolder('/history')
        .flatMap((name) => /^([0-9a-f]{12})\.json$/.exec(name)?.[1] ?? [])
    },
    get results() {
      return store.readHistory().map(({ from, result }) => `${from} ${result}`)
    },
    get history() {
      return store.readHistory()
    },
    get recorded() {
      return store.recorded
    },
    get refused() {
      return disk.text('/config/mathesar.env.rejected')
    },
    value: (name: SettingName) => changes.current.values[name].value,
  }
}

const outcome = (change: Promise<ChangeResult>): Promise<string> =>
  change.then(
    ({ result }) => result,
    (error: SupervisorError) => error.code,
  )
const outcomes = (changes: readonly Promise<ChangeResult>[]): Promise<string[]> =>
  Promise.all(changes.map(outcome))

describe('a change', () => {
  test('is checked, applied, written and recorded, and then in force', async () => {
    const at = stage()
    const { propose, changes, applied } = at
    const steps: string[] = []
    const result = await propose({ kind: 'set', set: { DEBUG: 'true' } }, (step) => steps.push(step))
    expect(result).toMatchObject({
      result: 'applied',
      version: changes.current.version,
      changes: [{ name: 'DEBUG', action: 'generation' }],
      warnings: [],
    })
    expect(steps).toEqual(['checking', 'applying'])
    expect(applied).toEqual([
      { changes: result.changes, database: false, postgres: undefined, door: false, generation: true },
    ])
    expect(at.kept).toEqual([result.version])
    expect(changes.problem).toBeUndefined()
  })

  test('from the file, from an edit, of whole files and back ends in the same', async () => {
    const at = stage()
    const first = at.changes.current
    expect(await outcome(at.edit('DEBUG=true\n'))).toBe('applied')
    expect(await outcome(at.set({ WEB_CONCURRENCY: '2' }))).toBe('applied')
    expect(at.text).toBe('DEBUG=true\nWEB_CONCURRENCY=2\n')
    expect(await outcome(at.replace('GUNICORN_TIMEOUT=9\n'))).toBe('applied')
    expect(await outcome(at.propose({ from: 'rollback', kind: 'restore', files: first.files }))).toBe(
      'applied',
    )
    expect([at.text, at.changes.current.version]).toEqual(['DEBUG=false\n', first.version])
    expect(at.results).toEqual(['file applied', 'api applied', 'api applied', 'rollback applied'])
  })

  test('that changes nothing is no change: nothing is applied, written or recorded', async () => {
    const at = stage()
    expect(
      await outcomes([at.set({ DEBUG: 'false' }), at.set({ GUNICORN_CMD_ARGS: null }), at.reread()]),
    ).toEqual(['unchanged', 'unchanged', 'unchanged'])
    expect([at.applied, at.writes, at.results]).toEqual([[], [], []])
  })

  test('of a comment alone is in force without an action', async () => {
    const at = stage()
    expect(await at.edit('# mine\nDEBUG=false\n')).toMatchObject({ result: 'applied', changes: [] })
    expect(at.applied).toEqual([
      { changes: [], database: false, postgres: undefined, door: false, generation: false },
    ])
  })

  test('that is only tried leaves no trace, whether it is good or bad', async () => {
    const at = stage()
    expect(await at.propose({ kind: 'set', set: { DEBUG: 'true' }, isDryRun: true })).toMatchObject({
      result: 'planned',
      changes: [{ name: 'DEBUG', action: 'generation' }],
    })
    expect(await outcome(at.propose({ kind: 'set', set: { DEBUG: 'maybe' }, isDryRun: true }))).toBe(
      'CONFIG_INVALID',
    )
    expect([at.applied, at.writes, at.results, at.logged, at.text, at.changes.problem]).toEqual([
      [],
      [],
      [],
      [],
      'DEBUG=false\n',
      undefined,
    ])
  })

  test('of a file is left to the next boot when everything stops; one by the API is refused', async () => {
    const at = stage()
    at.stopAt(() => true)
    expect(await outcome(at.edit('DEBUG=true\n'))).toBe('CONFIG_ROLLED_BACK')
    expect([at.text, at.refused, at.results]).toEqual(['DEBUG=true\n', undefined, []])
    expect(await outcome(at.set({ WEB_CONCURRENCY: '2' }))).toBe('CONFIG_ROLLED_BACK')
    expect(at.text).toBe('DEBUG=true\n')
  })

  test('makes a new generation whatever it changes while nothing has proved itself', async () => {
    const at = stage()
    at.neverReady()
    expect(await outcome(at.edit('DEBUG=false\nPUBLIC_URL=https://b.org\n'))).toBe('applied')
    expect(at.applied).toMatchObject([{ generation: true }])
  })

  test('from another version than the current one is refused, also before an edit is seen', async () => {
    const at = stage()
    const base = at.changes.current.version
    expect(await outcome(at.propose({ kind: 'set', set: { DEBUG: 'true' }, base }))).toBe('applied')
    expect(await outcome(at.propose({ kind: 'set', set: { DEBUG: 'false' }, base }))).toBe('CONFIG_CONFLICT')
    const newBase = at.changes.current.version
    at.writeUnseen('DEBUG=true\nWEB_CONCURRENCY=3\n')
    expect(await outcome(at.propose({ kind: 'set', set: { DEBUG: 'false' }, base: newBase }))).toBe(
      'CONFIG_CONFLICT',
    )
    expect([at.value('DEBUG'), at.value('WEB_CONCURRENCY'), at.text]).toEqual([
      'true',
      '3',
      'DEBUG=true\nWEB_CONCURRENCY=3\n',
    ])
  })

  test('comes on top of an edit of the file that nobody saw yet', async () => {
    const at = stage()
    at.writeUnseen('# mine\nWEB_CONCURRENCY=3\n')
    expect(await outcome(at.set({ DEBUG: 'true' }))).toBe('applied')
    expect(at.text).toBe('# mine\nWEB_CONCURRENCY=3\nDEBUG=true\n')
    expect(at.results).toEqual(['file applied', 'api applied'])
  })

  test.each(['', ' \n\n'])(
    'is not what an emptied file (%j) means: it is put back, and said',
    async (text) => {
      const at = stage()
      expect(await outcome(at.edit(text))).toBe('unchanged')
      expect([at.text, at.results]).toEqual(['DEBUG=false\n', []])
      expect(at.logged).toEqual([expect.stringContaining('put back')])
      at.writeUnseen(text)
      expect(await outcome(at.set({ WEB_CONCURRENCY: '2' }))).toBe('applied')
      expect(at.text).toBe('DEBUG=false\nWEB_CONCURRENCY=2\n')
    },
  )

  test('has the disk keep the files that it does not write itself, too', async () => {
    const at = stage()
    expect(await outcome(at.edit('DEBUG=true\n'))).toBe('applied')
    expect(await outcome(at.propose({ kind: 'replace', files: { 'sso.yml': 'version: 2\n' } }))).toBe(
      'applied',
    )
    expect(at.synced.filter((path) => path === '/config/mathesar.env')).toHaveLength(2)
    expect(at.synced).toContain('/config/sso.yml')
  })

  test('of a file that has lost the external database is refused; a command may leave it', async () => {
    const text = 'DATABASE_URL=postgres://u@db/m\n'
    const at = stage({ text })
    expect(await outcome(at.edit('DEBUG=true\n'))).toBe('CONFIG_INVALID')
    expect([at.text, at.refused]).toEqual([text, 'DEBUG=true\n'])
    expect(await outcome(at.set({ DATABASE_URL: null }))).toBe('applied')
    expect([at.text, at.changes.current.database.kind]).toEqual(['', 'embedded'])
  })

  test('that nothing runs for is written for another boot, which proves and records it', async () => {
    const at = stage()
    at.rest()
    expect(await outcome(at.set({ DEBUG: 'maybe' }))).toContain('CONFIG_INVALID')
    expect(at.logged).not.toContain('starts over')
    const { result, version } = await at.set({ DEBUG: 'true' })
    expect([result, version, at.text]).toEqual(['left to boot', expect.any(String), 'DEBUG=true\n'])
    expect([at.applied, at.results, at.kept, at.logged.at(-1)]).toEqual([
      [],
      ['api rejected', 'api left to boot'],
      [version],
      'starts over',
    ])
  })

  test('that was left to another boot is the last one before it', async () => {
    const at = stage({ text: 'DATABASE_URL=postgres://u@db/m\n' })
    at.rest()
    const left = await at.set({ DATABASE_URL: null, DEBUG: 'true' })
    expect(await outcome(at.set({ WEB_CONCURRENCY: '2' }))).toBe('CONFIG_CONFLICT')
    expect(await at.reload()).toEqual(left)
    await at.changes.settle()
    expect([at.text, at.refused, at.results]).toEqual(['DEBUG=true\n', undefined, ['api left to boot']])
  })

  test('is not left to another boot over an edit that came meanwhile', async () => {
    const at = stage()
    at.rest()
    at.onCheck(() => at.writeUnseen('DEBUG=maybe\n'))
    expect(await outcome(at.set({ DEBUG: 'true' }))).toBe('CONFIG_CONFLICT')
    expect([at.text, at.results, at.logged, at.changes.isLeftToBoot]).toEqual([
      'DEBUG=maybe\n',
      [],
      [],
      false,
    ])
  })

  test('that is left to another boot keeps files that were refused at this one', async () => {
    const files = filesOf('DEBUG=maybe\n')
    const at = stage({ rejected: { files, error: new SupervisorError('CONFIG_INVALID', 'DEBUG is wrong') } })
    at.rest()
    expect(await outcome(at.set({ DEBUG: 'true' }))).toBe('left to boot')
    expect([at.text, at.refused]).toEqual(['DEBUG=true\n', 'DEBUG=maybe\n'])
  })

  test('is not left to another boot where the history cannot be written', async () => {
    const at = stage()
    at.rest()
    at.failRecord('ENOSPC')
    expect(await outcome(at.set({ DEBUG: 'true' }))).toBe('VOLUME_FULL')
    expect([at.text, at.results, at.logged]).toEqual(['DEBUG=false\n', [], []])
  })

  test('of a pinned setting is refused, by whatever way', async () => {
    const at = stage({ environment: { DEBUG: 'false' } })
    expect(await outcomes([at.set({ DEBUG: 'true' }), at.replace('DEBUG=true\n')])).toEqual([
      'SETTING_PINNED',
      'SETTING_PINNED',
    ])
    expect(await outcome(at.edit('DEBUG=true\n'))).toBe('SETTING_PINNED')
    expect([at.text, at.refused, at.applied]).toEqual(['DEBUG=false\n', 'DEBUG=true\n', []])
  })
})

describe('changes at once', () => {
  test('are carried out one after the other', async () => {
    const at = stage()
    const bases = Array.from({ length: 5 }, (_, index) => at.replace(`GUNICORN_TIMEOUT=${index + 1}\n`))
    expect(at.changes.isChanging).toBe(true)
    expect(await outcomes(bases)).toEqual(Array<string>(5).fill('applied'))
    await tick()
    expect([at.applied.length, at.value('GUNICORN_TIMEOUT'), at.changes.isChanging]).toEqual([5, '5', false])
  })

  test('that are edits are merged into one; of two of the same setting the later one wins', async () => {
    const at = stage()
    const first = at.set({ DEBUG: 'true' })
    const steps: string[] = []
    const rest = [
      at.set({ WEB_CONCURRENCY: '2' }),
      at.propose({ kind: 'set', set: { GUNICORN_TIMEOUT: '9' } }, (step) => steps.push(step)),
      at.set({ WEB_CONCURRENCY: '3' }),
    ]
    expect(await outcomes([first, ...rest])).toEqual(Array<string>(4).fill('applied'))
    expect(at.applied.map(({ changes }) => changes.map(({ name }) => name))).toEqual([
      ['DEBUG'],
      ['WEB_CONCURRENCY', 'GUNICORN_TIMEOUT'],
    ])
    expect([at.value('WEB_CONCURRENCY'), steps]).toEqual(['3', ['checking', 'applying']])
  })

  test('that fail together are tried one by one: only the bad ones are refused', async () => {
    const at = stage()
    at.breakOn(({ settings }) => settings.WEB_CONCURRENCY === 2)
    const first = at.set({ DEBUG: 'true' })
    const rest = [
      at.set({ GUNICORN_TIMEOUT: '9' }),
      at.set({ WEB_CONCURRENCY: '2' }),
      at.set({ nonsense: 'x' }),
      at.set({ GUNICORN_CMD_ARGS: '-q' }),
    ]
    expect(await outcomes([first, ...rest])).toEqual([
      'applied',
      'applied',
      'CONFIG_ROLLED_BACK',
      'CONFIG_INVALID',
      'applied',
    ])
    expect(at.text).toBe('DEBUG=true\nGUNICORN_TIMEOUT=9\nGUNICORN_CMD_ARGS=-q\n')
  })

  test('that name what they were made from, or are only tried, are never merged', async () => {
    const at = stage()
    const { version: base } = at.changes.current
    const all = [
      at.set({ DEBUG: 'true' }),
      at.propose({ kind: 'set', set: { WEB_CONCURRENCY: '2' }, base }),
      at.propose({ kind: 'set', set: { WEB_CONCURRENCY: '3' }, isDryRun: true }),
      at.set({ GUNICORN_TIMEOUT: '9' }),
    ]
    expect(await outcomes(all)).toEqual(['applied', 'CONFIG_CONFLICT', 'planned', 'applied'])
    expect(at.value('WEB_CONCURRENCY')).toBeUndefined()
  })

  test('are refused when too many of one origin wait: others have their turn', async () => {
    const at = stage()
    const flood = Array.from({ length: 50 }, (_, index) => at.replace(`GUNICORN_TIMEOUT=${index + 1}\n`))
    const command = at.propose({ from: 'command', kind: 'set', set: { DEBUG: 'true' } })
    const refused = await flood.at(-1)!.catch((error: SupervisorError) => error)
    expect(refused).toMatchObject({
      code: 'CONFIG_CONFLICT',
      message: 'cannot take one more change: 16 wait already',
    })
    expect(await outcomes(flood)).toEqual([
      ...Array<string>(17).fill('applied'),
      ...Array<string>(33).fill('CONFIG_CONFLICT'),
    ])
    expect(await outcome(command)).toBe('applied')
    expect(await outcome(at.set({ WEB_CONCURRENCY: '2' })), 'later').toBe('applied')
  })

  test('of the file alone, however many tell of it, end with its last edit in force', async () => {
    const at = stage()
    const first = at.set({ DEBUG: 'true' })
    const edits = Array.from({ length: 40 }, (_, index) => at.edit(`WEB_CONCURRENCY=${index + 1}\n`))
    await Promise.all([outcome(first), outcomes(edits)])
    expect([at.value('WEB_CONCURRENCY'), at.text]).toEqual(['40', 'WEB_CONCURRENCY=40\nDEBUG=true\n'])
  })

  test(
    'in any mixture end each with an answer, and the file, the history and what is in force agree',
    async () => {
      const anyChange = fc.oneof(
        fc
          .dictionary(
            fc.constantFrom('DEBUG', 'GUNICORN_TIMEOUT', 'PORTT', 'WEB_CONCURRENCY'),
            fc.constantFrom('true', '5', '13', null),
            { minKeys: 1 },
          )
          .map((set): Wish => ({ kind: 'set', set })),
        fc.constantFrom<Wish>(
          { kind: 'replace', files: { 'mathesar.env': 'DEBUG=true\n' } },
          { kind: 'replace', files: { 'mathesar.env': 'no\n' } },
          { kind: 'reread', reload: true },
          { from: 'file', kind: 'reread' },
          { base: 'x', kind: 'set', set: { DEBUG: 'true' } },
          { kind: 'set', set: { DEBUG: 'true' }, isDryRun: true },
        ),
        fc.constantFrom('# a\n', 'GUNICORN_TIMEOUT=13\n', 'broken', 'DEBUG=true\nGUNICORN_TIMEOUT=3\n'),
      )
      await fc.assert(
        fc.asyncProperty(fc.array(anyChange, { maxLength: 8 }), fc.boolean(), async (list, readOnly) => {
          const at = stage()
          at.breakOn(({ settings }) => settings.GUNICORN_TIMEOUT === 13)
          at.mayWrite(!readOnly)
          const answers = list.map((change) =>
            outcome(typeof change === 'string' ? at.edit(change) : at.propose(change)),
          )
          for (const answer of await Promise.all(answers))
            expect([
              'applied',
              'unchanged',
              'planned',
              'CONFIG_INVALID',
              'CONFIG_CONFLICT',
              'CONFIG_ROLLED_BACK',
              'VOLUME_NOT_WRITABLE',
            ]).toContain(answer)
          await outcome(at.reread())
          expect(at.value('GUNICORN_TIMEOUT')).not.toBe('13')
          if (!readOnly) expect(at.text).toBe(at.changes.current.files['mathesar.env'])
          const last = lastGood(at.history)
          if (last !== undefined) expect(last).toBe(at.changes.current.version)
          else expect(at.changes.current).toBe(at.boot)
        }),
        runs(60),
      )
    },
    runsTimeoutMs,
  )
})

describe('a change that fails', () => {
  test('when it is checked leaves everything as it was; an edited file is moved aside', async () => {
    const at = stage()
    expect(await outcome(at.set({ DEBUG: 'maybe' }))).toBe('CONFIG_INVALID')
    expect([at.refused, at.changes.problem]).toEqual([undefined, undefined]) // The answer says it.
    expect(await outcome(at.edit('DEBUG=maybe\n'))).toBe('CONFIG_INVALID')
    expect([at.refused, at.text, at.applied, at.changes.current]).toEqual([
      'DEBUG=maybe\n',
      'DEBUG=false\n',
      [],
      at.boot,
    ])
    expect(at.changes.problem).toMatchObject({
      unit: 'config',
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('mathesar.env, line 1: DEBUG'),
    })
    expect(at.results).toEqual(['api rejected', 'file rejected'])
    expect(at.history[1]).toMatchObject({ changes: [], why: expect.stringContaining('line 1') })
    expect(at.logged).toHaveLength(2)
  })

  test('names what was typed, and no line of a file that nobody has edited', async () => {
    const at = stage()
    expect(await failureOf(() => at.set({ DEBUG: 'maybe', PORT: 'x', LOG_LEVEL: '' }))).toMatchObject({
      code: 'CONFIG_INVALID',
      message:
        'cannot change DEBUG: "maybe" is neither true nor false; ' +
        'PORT: "x" is not a whole number from 1 to 65535',
      hint: 'Give another value; what was in force stays in force.',
    })
    expect([at.results, at.text]).toEqual([['api rejected'], 'DEBUG=false\n'])
  })

  test('when it is applied is rolled back: what was in force stays, and the file comes back', async () => {
    const at = stage()
    at.breakOn(() => true)
    expect(await outcomes([at.set({ DEBUG: 'true' })])).toEqual(['CONFIG_ROLLED_BACK'])
    expect(await outcome(at.edit('DEBUG=true\n'))).toBe('CONFIG_ROLLED_BACK')
    expect([at.text, at.refused, at.changes.current, at.kept]).toEqual([
      'DEBUG=false\n',
      'DEBUG=true\n',
      at.boot,
      [],
    ])
    expect(at.history.map(({ result, changes, why }) => [result, changes[0]?.name, why])).toEqual(
      Array(2).fill(['rolled back', 'DEBUG', 'cannot apply the change: it does not serve']),
    )
    expect(at.changes.problem).toMatchObject({ code: 'CONFIG_ROLLED_BACK' })
    at.breakOn(() => false)
    expect(await outcome(at.edit('DEBUG=true\n'))).toBe('applied')
    expect(at.changes.problem).toBeUndefined()
  })

  test('does not write over an edit that was made meanwhile', async () => {
    const at = stage()
    at.breakOn((next) => {
      at.writeUnseen('WEB_CONCURRENCY=3\n')
      return next.settings.DEBUG
    })
    expect(await outcome(at.edit('DEBUG=true\n'))).toBe('CONFIG_ROLLED_BACK')
    expect([at.text, at.refused]).toEqual(['WEB_CONCURRENCY=3\n', 'DEBUG=true\n'])
    at.breakOn(() => false)
    expect(await outcome(at.reread())).toBe('applied')
    at.breakOn(() => {
      at.writeUnseen('WEB_CONCURRENCY=4\n')
      return false
    })
    expect(await outcome(at.set({ GUNICORN_TIMEOUT: '9' }))).toBe('CONFIG_CONFLICT')
    expect(at.text).toBe('WEB_CONCURRENCY=4\n')
  })

  test('when it is recorded is rolled back too', async () => {
    const at = stage()
    at.failRecord('ENOSPC')
    expect(await outcome(at.set({ DEBUG: 'true' }))).toBe('VOLUME_FULL')
    expect([at.text, at.changes.current]).toEqual(['DEBUG=false\n', at.boot])
    at.failRecord(undefined)
    expect(await outcome(at.set({ DEBUG: 'true' }))).toBe('applied')
  })

  test('when its file cannot be written is rolled back too', async () => {
    const at = stage()
    at.breakOn(() => {
      at.mayWrite(false)
      return false
    })
    expect(await outcome(at.set({ DEBUG: 'true' }))).toBe('VOLUME_NOT_WRITABLE')
    expect([at.text, at.changes.current, at.results]).toEqual(['DEBUG=false\n', at.boot, ['api rolled back']])
  })

  test('when it reloads what is in force moves nothing aside', async () => {
    const at = stage()
    at.breakOn(() => true)
    expect(await outcome(at.reload())).toBe('CONFIG_ROLLED_BACK')
    expect([at.refused, at.changes.problem, at.results]).toEqual([
      undefined,
      undefined,
      ['signal rolled back'],
    ])
  })
})

test('a reason of megabytes is neither kept nor told whole', async () => {
  const at = stage()
  at.failRecord('\x1b[2J' + 'x'.repeat(5_000_000))
  const { message } = (await at
    .set({ DEBUG: 'true' })
    .catch((error: SupervisorError) => error)) as SupervisorError
  at.failRecord(undefined)
  expect(message.length).toBeGreaterThan(5_000_000)
  expect(await outcome(at.edit(`DEBUG=${'\\'.repeat(60_000)}\n`))).toBe('CONFIG_INVALID')
  expect(at.changes.problem!.message.length).toBeLessThan(500)
})

describe('in a folder that cannot be written', () => {
  test('a refused file is not tried again, until it changes', async () => {
    const at = stage({ readOnly: true })
    expect(await outcome(at.edit('DEBUG=maybe\n'))).toBe('CONFIG_INVALID')
    const { length } = at.checked
    expect(await outcomes([at.reread(), at.reread()])).toEqual(['unchanged', 'unchanged'])
    expect(at.checked.length).toBe(length)
    expect(at.changes.problem).toMatchObject({ code: 'CONFIG_INVALID' })
    expect(await outcome(at.edit('DEBUG=true\n'))).toBe('applied')
    expect([at.value('DEBUG'), at.changes.problem]).toEqual(['true', undefined])
  })

  test('a reload goes on with what is in force, not with the refused file', async () => {
    const at = stage({ readOnly: true })
    await outcome(at.edit('DEBUG=maybe\n'))
    expect(await outcome(at.reload())).toBe('applied')
    expect(at.value('DEBUG')).toBe('false')
    at.breakOn(() => true)
    await outcome(at.reload())
    const { length } = at.checked
    expect(await outcome(at.reread())).toBe('unchanged')
    expect(at.checked.length).toBe(length)
  })

  test('an edit is refused, and nothing changes', async () => {
    const at = stage({ readOnly: true })
    expect(await outcome(at.set({ DEBUG: 'true' }))).toBe('VOLUME_NOT_WRITABLE')
    expect([at.changes.current, at.text]).toEqual([at.boot, 'DEBUG=false\n'])
  })

  test('the boot goes by the environment, without a complaint', async () => {
    const at = stage({ readOnly: true, environment: { WEB_CONCURRENCY: '2' } })
    await at.changes.settle()
    expect([at.text, at.value('WEB_CONCURRENCY'), at.logged, at.results]).toEqual([
      'DEBUG=false\n',
      '2',
      [],
      ['boot applied'],
    ])
  })
})

describe('after a boot', () => {
  test('the environment is written into the file, and the boot recorded once', async () => {
    const at = stage({ environment: { WEB_CONCURRENCY: '2', SECRET_KEY: 'hunter2' } })
    await at.changes.settle()
    expect([at.text, at.results]).toEqual(['DEBUG=false\nWEB_CONCURRENCY=2\n', ['boot applied']])
    expect(at.changes.current.values.WEB_CONCURRENCY).toEqual({ value: '2', source: 'environment' })
    expect(await outcome(at.reread())).toBe('unchanged')
    await at.changes.settle()
    expect(at.results).toEqual(['boot applied'])
  })

  test('the refused file is moved aside, and its fault is shown', async () => {
    const error = new SupervisorError(
      'CONFIG_INVALID',
      'cannot use the configuration: mathesar.env, line 1: x',
    )
    const at = stage({ rejected: { files: filesOf('PORT=x\n'), error } })
    await at.changes.settle()
    expect([at.text, at.refused, at.results]).toEqual([
      'DEBUG=false\n',
      'PORT=x\n',
      ['boot rejected', 'boot applied'],
    ])
    expect(at.changes.problem).toMatchObject({ code: 'CONFIG_INVALID', message: error.message })
    expect(await outcome(at.edit('PORT=x\n')), 'the same again').toBe('CONFIG_INVALID')
    expect(at.text).toBe('DEBUG=false\n')
  })

  test('the fault of the boot before it is shown, until a change is good', async () => {
    const at = stage({
      history: [
        {
          at: '',
          from: 'boot',
          version: '0123456789ab',
          result: 'rolled back',
          changes: [],
          why: 'mathesar died',
        },
      ],
    })
    expect(at.changes.problem).toMatchObject({ unit: 'config', message: 'mathesar died' })
    await at.changes.settle()
    expect(at.changes.problem, 'this start').toBeDefined()
    expect(stage({ history: at.history }).changes.problem, 'the next start').toBeUndefined()
    await outcome(at.set({ DEBUG: 'true' }))
    expect(at.changes.problem).toBeUndefined()
  })

  test('an edit of its first seconds is not lost', async () => {
    const at = stage({ environment: { WEB_CONCURRENCY: '2' } })
    at.writeUnseen('DEBUG=true\n')
    await at.changes.settle()
    expect([at.text, at.value('DEBUG'), at.results]).toEqual([
      'DEBUG=true\nWEB_CONCURRENCY=2\n',
      'true',
      ['boot applied', 'file applied', 'boot applied'],
    ])
  })

  test.each([
    ['a change', (at: ReturnType<typeof stage>) => void outcome(at.set({ DEBUG: 'true' }))],
    ['an edit', (at: ReturnType<typeof stage>) => at.writeUnseen('DEBUG=true\n')],
  ])('%s that takes long keeps nobody from going back to what booted', async (_, begin) => {
    const at = stage()
    const proceed = at.hold()
    begin(at)
    const settled = at.changes.settle()
    for (let turns = 0; turns < 20; turns++) await tick()
    expect(lastGood(at.history)).toBe(at.boot.version)
    proceed()
    await settled
    expect(lastGood(at.history)).toBe(at.changes.current.version)
    expect(at.value('DEBUG')).toBe('true')
  })

  test('a change of its first seconds and the record wait for each other', async () => {
    const at = stage({ environment: { WEB_CONCURRENCY: '2' } })
    const before = at.set({ DEBUG: 'true' })
    const settled = at.changes.settle()
    const after = at.set({ GUNICORN_TIMEOUT: '9' })
    expect(await outcomes([before, after])).toEqual(['applied', 'applied'])
    await settled
    expect([at.text, at.changes.isChanging]).toEqual([
      'DEBUG=true\nGUNICORN_TIMEOUT=9\nWEB_CONCURRENCY=2\n',
      false,
    ])
    expect(at.changes.current.files['mathesar.env']).toBe(at.text)
  })

  test('an edit that comes while the environment is written into the file is not written over', async () => {
    const at = stage({ environment: { WEB_CONCURRENCY: '2' } })
    at.onCheck(() => at.writeUnseen('DEBUG=true\n'))
    await at.changes.settle()
    at.onCheck(() => {})
    expect(at.text).toBe('DEBUG=true\n')
    expect(await outcome(at.reread())).toBe('applied')
    expect(at.value('DEBUG')).toBe('true')
  })

  test('a disk that is full while a change is under way costs the record alone', async () => {
    const at = stage({ environment: { WEB_CONCURRENCY: '2' } })
    at.failRecord('ENOSPC')
    const change = outcome(at.set({ DEBUG: 'true' }))
    await at.changes.settle()
    expect([await change, at.text]).toEqual(['VOLUME_FULL', 'DEBUG=false\nWEB_CONCURRENCY=2\n'])
  })

  test('a disk that is full costs the record alone', async () => {
    const at = stage()
    at.failRecord('ENOSPC')
    await at.changes.settle()
    expect(at.logged).toEqual(['cannot record the configuration: ENOSPC'])
    at.failRecord(undefined)
    expect(await outcome(at.set({ DEBUG: 'true' }))).toBe('applied')
    expect(at.history.map(({ from }) => from)).toEqual(['boot', 'api'])
  })

  test('a history that was read-only gets its record with what comes next', async () => {
    const at = stage()
    at.failRecord('EROFS')
    await at.changes.settle()
    expect([at.history, at.logged]).toEqual([[], []])
    at.failRecord(undefined)
    expect(await outcome(at.set({ DEBUG: 'true' }))).toBe('applied')
    expect(at.history.map(({ from }) => from)).toEqual(['boot', 'api'])
  })

  test('a change that the history could not take is recorded as good with what comes next', async () => {
    const at = stage()
    await at.changes.settle()
    at.failRecord('EROFS')
    expect(await outcome(at.set({ DEBUG: 'true' }))).toBe('applied')
    expect(lastGood(at.history), 'the next boot would go back to it').toBe(at.boot.version)
    at.failRecord(undefined)
    await at.reread()
    expect(lastGood(at.history)).toBe(at.changes.current.version)
  })

  test('are counted once by their outcome, also where none can be recorded', async () => {
    const at = stage()
    at.failRecord('EROFS')
    await at.changes.settle()
    for (let times = 0; times < 3; times++) await at.reread()
    expect(await outcome(at.set({ DEBUG: 'true' }))).toBe('applied')
    at.failRecord('ENOSPC')
    expect(await outcome(at.set({ DEBUG: 'false' }))).toBe('VOLUME_FULL')
    expect(at.recorded).toEqual({ applied: 1, 'left to boot': 0, rejected: 0, 'rolled back': 1 })
  })
})

test('no secret is in what is logged, recorded or answered', async () => {
  const at = stage({ text: 'FILE_STORAGE_DICT={"s3":{"secret":"hunter2"}}\n' })
  const answers = [
    at.set({ DATABASE_URL: 'hunter2' }),
    at.set({ SSO_CONFIG_DICT: 'hunter2' }),
    at.set({ POSTGRES_PASSWORD: 'hunter2' }),
    at.edit('OIDC_CONFIG_DICT=hunter2\n'),
    at.propose({ kind: 'set', set: { SECRET_KEY: 'hunter2' } }),
  ]
  const texts = await Promise.all(
    answers.map((answer) =>
      answer.then(
        JSON.stringify as (value: unknown) => string,
        ({ message, hint }: SupervisorError) => message + hint,
      ),
    ),
  )
  expect(JSON.stringify([texts, at.logged, at.history, at.changes.problem])).not.toContain('hunter2')
})

import { execFileSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { configFiles, type ConfigFiles, formatFiles } from '../../src/settings/configuration.ts'
import type { HistoryEntry } from '../../src/settings/history.ts'
import { Store } from '../../src/daemon/config/store.ts'
import { files } from '../../src/system/files.ts'

/** In memory where there is such a place: each of thousands of writes waits for the disk. */
const scratch = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

const before: ConfigFiles = {
  'mathesar.env': 'DEBUG=false\n',
  'sso.yml': 'version: 1\n',
  'file_storage.yml': undefined,
  'login_page.yml': undefined,
}
const after: ConfigFiles = {
  'mathesar.env': 'DEBUG=true\n',
  'sso.yml': undefined,
  'file_storage.yml': 'default: {}\n',
  'login_page.yml': 'heading: Hello\n',
}

describe('the store', () => {
  let home: string
  beforeEach(() => {
    home = mkdtempSync(join(scratch, 'store-'))
    for (const name of ['config', 'history']) mkdirSync(join(home, name))
  })
  afterEach(() => rmSync(home, { recursive: true }))

  let fifos: string[]
  let folderOfFifos: string
  beforeAll(() => {
    folderOfFifos = mkdtempSync(join(scratch, 'fifos-'))
    fifos = ['1', '2', '3', '4'].map((name) => join(folderOfFifos, name))
    execFileSync('mkfifo', fifos)
  })
  afterAll(() => rmSync(folderOfFifos, { recursive: true }))

  const folder = (): string => join(home, 'config')
  const open = (used: ConstructorParameters<typeof Store>[0]['files'] = files) =>
    new Store({ files: used, folder: folder(), history: join(home, 'history'), setOwner: () => {} })
  const onDisk = (): ConfigFiles =>
    Object.fromEntries(
      Object.keys(before).map((name) => [name, files.readIfThere(join(folder(), name))]),
    ) as ConfigFiles

  const intent = (): string => join(home, 'history/intent.json')
  const names = configFiles
  /** What a supervisor leaves that is killed when it has written so many of the files. */
  const cutOff = (written: number): void => {
    open().write(before)
    writeFileSync(intent(), formatFiles(after))
    for (const name of names.slice(0, written)) {
      if (after[name] === undefined) rmSync(join(folder(), name))
      else writeFileSync(join(folder(), name), after[name])
    }
  }

  test.each([0, 1, 2, 3])(
    'writes several files as one: what was cut off after %d of them is finished by the next start',
    (written) => {
      cutOff(written)
      open().finish(() => true)
      expect(onDisk()).toEqual(after)
      expect(readdirSync(join(home, 'history'))).toEqual([])
    },
  )

  test('leaves what was cut off alone while another supervisor has the volume', () => {
    cutOff(1)
    open().finish(() => false)
    expect(onDisk()).toEqual({ ...before, 'mathesar.env': after['mathesar.env'] })
    expect(readdirSync(join(home, 'history'))).toEqual(['intent.json'])
  })

  test.each(
    [0, 1, 2, 3].flatMap((step) => [
      { step, isDone: false },
      { step, isDone: true }, // It is there, and its folder cannot be synced.
    ]),
  )(
    'writes all of several files or none: when step $step fails (done all the same: $isDone), all goes back',
    ({ step, isDone }) => {
      open().write(before)
      let left = step
      const fails =
        <Args extends unknown[], Result>(act: (...args: Args) => Result) =>
        (...args: Args): Result => {
          const isLast = left-- === 0
          if (isLast && isDone) act(...args)
          if (isLast) throw new Error('failed')
          return act(...args)
        }
      expect(() =>
        open({ ...files, writeWhole: fails(files.writeWhole), remove: fails(files.remove) }).write(after),
      ).toThrow('failed')
      expect(onDisk()).toEqual(before)
      expect(readdirSync(join(home, 'history'))).toEqual([])
    },
  )

  /** A file that is mounted for itself, read-only. */
  const withMount = (name: string): typeof files => {
    const refuse =
      <Args extends unknown[], Result>(code: string, act: (path: string, ...args: Args) => Result) =>
      (path: string, ...args: Args): Result => {
        if (path === join(folder(), name)) throw Object.assign(new Error(code), { code })
        return act(path, ...args)
      }
    return {
      ...files,
      writeWhole: refuse('EBUSY', files.writeWhole),
      writeInPlace: refuse('EROFS', files.writeInPlace),
      remove: refuse('EBUSY', files.remove),
    }
  }

  test.each(names)(
    'that cannot write %s writes none of them, and the next start does not try again',
    (name) => {
      open().write(before)
      expect(() => open(withMount(name)).write(after)).toThrow(/EROFS|EBUSY/)
      expect(onDisk()).toEqual(before)
      expect(readdirSync(join(home, 'history'))).toEqual([])
    },
  )

  test.each(names)(
    'that cannot finish what was cut off, for %s, leaves it at that: later changes stay',
    (name) => {
      cutOff(0)
      try {
        open(withMount(name)).finish(() => true)
      } catch {
        /* The boot says it, once. */
      }
      expect(onDisk()).toEqual(before)
      open().write({ ...before, 'mathesar.env': 'DEBUG=later\n' })
      open(withMount(name)).finish(() => true)
      expect(onDisk()['mathesar.env']).toBe('DEBUG=later\n')
    },
  )

  test('does not take back an edit that comes while it goes back', () => {
    open().write(before)
    const edits = (path: string): void => {
      writeFileSync(join(folder(), 'mathesar.env'), 'DEBUG=edited\n')
      throw new Error(`cannot remove ${path}`)
    }
    expect(() =>
      open({
        ...files,
        remove: (path) => (path.endsWith('sso.yml') ? edits(path) : files.remove(path)),
      }).write(after),
    ).toThrow('cannot remove')
    expect(onDisk()).toEqual({ ...before, 'mathesar.env': 'DEBUG=edited\n' })
  })

  test('takes its own text back from a disk that keeps no new file, in place', () => {
    open().write(before)
    let writes = 0
    const fails = (...[path, text, mode, mayReplace]: Parameters<typeof files.writeWhole>): boolean => {
      // The new file is there, but its name may not last; and then no further one can be made.
      if (++writes === 1) files.writeWhole(path, text, mode, mayReplace)
      throw Object.assign(new Error('EIO'), { code: 'EIO' })
    }
    expect(() =>
      open({ ...files, writeWhole: fails }).write({ ...before, 'mathesar.env': 'DEBUG=true\n' }),
    ).toThrow('EIO')
    expect(onDisk()).toEqual(before)
  })

  test('does not write over an edit that comes while it writes', () => {
    open().write(before)
    const edits = (...[path, text, mode, mayReplace]: Parameters<typeof files.writeWhole>): boolean =>
      files.writeWhole(path, text, mode, () => {
        writeFileSync(path, 'DEBUG=edited\n')
        return mayReplace?.() ?? true
      })
    expect(() =>
      open({ ...files, writeWhole: edits }).write({ ...before, 'mathesar.env': 'DEBUG=true\n' }),
    ).toThrow('edited meanwhile')
    expect(onDisk()).toEqual({ ...before, 'mathesar.env': 'DEBUG=edited\n' })
    expect(readdirSync(folder()).sort()).toEqual(['mathesar.env', 'sso.yml'])
  })

  test('has nothing to finish on a usual day', () => {
    open().write(before)
    open().finish(() => true)
    expect(onDisk()).toEqual(before)
  })

  test('keeps refused files beside, readable by their owner alone', () => {
    open().write(after)
    expect(open().keptRejected()).toEqual([])
    const names = open().keepRejected(after, before)
    expect(names).toContain('mathesar.env.rejected')
    expect(open().keptRejected()).toEqual(names)
    expect(onDisk()).toEqual(after)
    expect(readFileSync(join(folder(), 'mathesar.env.rejected'), 'utf8')).toBe('DEBUG=true\n')
    expect(statSync(join(folder(), 'mathesar.env.rejected')).mode & 0o777).toBe(0o600)
  })

  test('keeps the versions that can be gone back to, however many are refused after them', () => {
    const store = open()
    const version = (index: number): string => index.toString(16).padStart(12, '0')
    for (let index = 0; index < 320; index++) {
      if (index < 3) store.keep(version(index), before)
      store.record({
        at: '',
        from: 'file',
        version: version(index),
        result: index < 3 ? 'applied' : 'rejected',
        changes: [],
        why: null,
      })
    }
    expect(store.readHistory()).toHaveLength(100)
    expect(store.lastGood()).toMatchObject({
      version: version(2),
      files: { 'mathesar.env': before['mathesar.env'] },
    })
    expect([0, 1, 2].map((index) => store.revision(version(index)) !== undefined)).toEqual([
      false,
      true,
      true,
    ])
  })

  /** What may lie in the place of a file of the store, and how it comes there. */
  const anything: readonly (readonly [string, (path: string) => void])[] = [
    [
      'a folder',
      (path) => {
        mkdirSync(path)
        writeFileSync(join(path, 'x'), '')
      },
    ],
    ['a FIFO', (path) => renameSync(fifos.pop()!, path)],
    ['a link to itself', (path) => symlinkSync(path, path)],
    ['a link to a device', (path) => symlinkSync('/dev/zero', path)],
    [
      'a file of 8 GiB',
      (path) => {
        writeFileSync(path, '')
        truncateSync(path, 8 * 1024 ** 3)
      },
    ],
    ['a file of 8 MiB of JSON', (path) => writeFileSync(path, `[${'null,'.repeat(1_600_000)}null]`)],
    ['an empty file', (path) => writeFileSync(path, '')],
    ['no JSON', (path) => writeFileSync(path, '[{"hunter2')],
    ['bytes', (path) => writeFileSync(path, Buffer.from([0, 255, 254, 128]))],
    ['an empty object', (path) => writeFileSync(path, '{}')],
    ['a list of null', (path) => writeFileSync(path, '[null]')],
    ['entries without fields', (path) => writeFileSync(path, '[{"version":"0123456789ab"},{"at":1}]')],
  ]
  const entryOf = (version: string): HistoryEntry => ({
    at: '',
    from: 'file',
    version,
    result: 'applied',
    changes: [],
    why: null,
  })
  const [one, other] = ['0123456789ab', 'ba9876543210'] as const

  test.each(anything)(
    'passes over %s in place of the history, says so once, and begins a new one',
    (_, put) => {
      const path = join(home, 'history/history.json')
      put(path)
      const store = open()
      expect([store.readHistory(), store.lastGood()]).toEqual([[], undefined])
      store.readHistory()
      expect(store.warnings).toEqual([
        expect.stringMatching(new RegExp(`^cannot use ${path}: .*; it is ignored$`)),
      ])
      expect(store.warnings.join()).not.toContain('hunter2')
      store.keep(one, before)
      store.record(entryOf(one))
      expect([open().readHistory(), open().lastGood()?.version, store.warnings]).toEqual([
        [entryOf(one)],
        one,
        [],
      ])
      expect(lstatSync(`${path}.unusable`)).toBeDefined() // It may be of use to a person.
      rmSync(path)
      put(path)
      open().record(entryOf(other))
      expect(open().readHistory(), 'the same again').toEqual([entryOf(other)])
    },
  )

  test.each(anything)('passes over %s in place of what was cut off, and changes no file', (_, put) => {
    open().write(before)
    put(intent())
    const store = open()
    store.finish(() => true)
    expect(store.warnings).toEqual([expect.stringContaining(`cannot use ${intent()}: `)])
    expect(onDisk()).toEqual(before)
    expect(readdirSync(join(home, 'history'))).toEqual([])
  })

  test.each(anything)(
    'passes over %s in place of a version: there is nothing to go back to, until it is kept again',
    (_, put) => {
      put(join(home, `history/${one}.json`))
      const store = open()
      store.record(entryOf(one))
      expect([store.revision(one), store.lastGood()]).toEqual([undefined, undefined])
      store.keep(one, after)
      expect(store.lastGood()).toEqual({ version: one, files: after })
      store.record(entryOf(other))
      expect(
        readdirSync(join(home, 'history')).filter((name) => name.startsWith(one) && name !== `${one}.json`),
        'what lay in its place',
      ).toEqual([])
    },
  )

  test('takes an entry back whose history was replaced, and whose folder could not be synced', () => {
    const store = open()
    store.record(entryOf(other))
    const failing: typeof files = {
      ...files,
      writeWhole: (...args) => {
        files.writeWhole(...args)
        throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' })
      },
    }
    expect(() => open(failing).record(entryOf(one))).toThrow('EIO')
    expect(open().readHistory()).toEqual([entryOf(other)])
  })

  test('keeps a history that a disk does not give for a moment', () => {
    open().record(entryOf(other))
    const failing: typeof files = {
      ...files,
      readIfThere: () => {
        throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' })
      },
    }
    expect(() => open(failing).record(entryOf(one))).toThrow('EIO')
    expect(open().readHistory()).toEqual([entryOf(other)])
  })

  test('keeps a history that is small, whatever was refused how often', () => {
    for (let index = 0; index < 30; index++)
      open().record({ ...entryOf(one), result: 'rejected', why: '漢'.repeat(100_000) })
    expect(statSync(join(home, 'history/history.json')).size).toBeLessThan(300 * 1024)
    expect(open().readHistory()).toHaveLength(30)
  })

  test('forgets the versions that the history no longer names', () => {
    const store = open()
    const version = (index: number): string => index.toString(16).padStart(12, '0')
    for (let index = 0; index < 120; index++) {
      store.keep(version(index), before)
      store.record({
        at: '',
        from: 'file',
        version: version(index),
        result: 'applied',
        changes: [],
        why: null,
      })
    }
    expect(store.readHistory()).toHaveLength(100)
    expect(store.revision(version(19))).toBeUndefined()
    expect(store.revision(version(20))?.files['sso.yml']).toBe('version: 1\n')
    expect(store.lastGood()?.version).toBe(version(119))
  })
})

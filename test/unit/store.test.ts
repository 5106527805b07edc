import { mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ConfigFiles } from '../../src/core/configuration.ts'
import { createStore } from '../../src/daemon/store.ts'
import { files } from '../../src/system/files.ts'

const before: ConfigFiles = { 'mathesar.env': 'DEBUG=false\n', 'sso.yml': 'version: 1\n', 'file_storage.yml': undefined }
const after: ConfigFiles = { 'mathesar.env': 'DEBUG=true\n', 'sso.yml': undefined, 'file_storage.yml': 'default: {}\n' }

describe('the store', () => {
  let home: string
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'store-'))
    for (const name of ['config', 'history']) mkdirSync(join(home, name))
  })
  afterEach(() => rmSync(home, { recursive: true }))

  const folder = (): string => join(home, 'config')
  const open = (used: Parameters<typeof createStore>[0]['files'] = files) => createStore({ files: used, folder: folder(), history: join(home, 'history'), own: () => {} })
  const onDisk = (): ConfigFiles => Object.fromEntries(Object.keys(before).map((name) => [name, files.readIfThere(join(folder(), name))])) as ConfigFiles

  test('writes several files as one: what was cut off is finished by the next start', () => {
    // Cut off before each of the steps in turn.
    for (let steps = 1; steps <= 4; steps++) {
      open().write(before)
      let left = steps
      const dies = <Args extends unknown[], Result>(act: (...args: Args) => Result) => (...args: Args): Result => {
        if (left-- === 0) throw new Error('killed')
        return act(...args)
      }
      expect(() => open({ ...files, writeWhole: dies(files.writeWhole), remove: dies(files.remove) }).write(after)).toThrow('killed')
      open().finish()
      expect(onDisk(), `after ${steps} steps`).toEqual(after)
      expect(readdirSync(join(home, 'history'))).toEqual([])
    }
  })

  test('does not write over an edit that comes while it writes', () => {
    open().write(before)
    const edits = (...[path, text, mode, mayReplace]: Parameters<typeof files.writeWhole>): boolean => files.writeWhole(path, text, mode, () => {
      writeFileSync(path, 'DEBUG=edited\n')
      return mayReplace?.() ?? true
    })
    expect(() => open({ ...files, writeWhole: edits }).write({ ...before, 'mathesar.env': 'DEBUG=true\n' })).toThrow('edited meanwhile')
    expect(onDisk()).toEqual({ ...before, 'mathesar.env': 'DEBUG=edited\n' })
    expect(readdirSync(folder()).sort()).toEqual(['mathesar.env', 'sso.yml'])
  })

  test('has nothing to finish on a usual day', () => {
    open().write(before)
    open().finish()
    expect(onDisk()).toEqual(before)
  })

  test('keeps refused files beside, readable by their owner alone', () => {
    open().write(after)
    open().keepRejected(after, before)
    expect(onDisk()).toEqual(after)
    expect(readFileSync(join(folder(), 'mathesar.env.rejected'), 'utf8')).toBe('DEBUG=true\n')
    expect(statSync(join(folder(), 'mathesar.env.rejected')).mode & 0o777).toBe(0o600)
  })

  test('forgets the versions that the history no longer names', () => {
    const store = open()
    const version = (index: number): string => index.toString(16).padStart(12, '0')
    for (let index = 0; index < 120; index++) {
      store.keep(version(index), before)
      store.note({ at: '', from: 'file', version: version(index), result: 'applied', changes: [], why: null })
    }
    expect(store.readHistory()).toHaveLength(100)
    expect(store.revision(version(19))).toBeUndefined()
    expect(store.revision(version(20))?.files['sso.yml']).toBe('version: 1\n')
    expect(store.lastGood()?.version).toBe(version(119))
  })
})

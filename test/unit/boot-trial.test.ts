import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  checkFiles,
  fallBack,
  isUnproven,
  readSetup,
  type Setup,
} from '../../src/daemon/config/boot-trial.ts'
import { SupervisorError } from '../../src/errors.ts'
import { formatFiles, versionOf } from '../../src/settings/configuration.ts'
import { reads } from '../../src/system/system.ts'
import { filesOf } from './configurations.ts'
import { failureOf } from './failure.ts'
import { errorWith } from './fakes/files.ts'
import { placeOf } from './fakes/scope.ts'
import { createFakeSystem } from './fakes/system.ts'

const file = '/data/config/mathesar.env'
const loop = new SupervisorError('SERVICE_CRASH_LOOP', 'mathesar died')

/** A volume that holds this text, and on which `good` last proved itself. */
const stage = (
  text: string | undefined,
  environment: Readonly<Record<string, string>> = {},
  good = filesOf('DEBUG=false\n'),
) => {
  const { system, disk } = createFakeSystem()
  const place = placeOf({ environment })
  for (const folder of ['/data/config', '/data/history']) disk.files.makeFolder(folder, 0o700)
  if (text !== undefined) disk.put(file, text)
  const version = versionOf(good)
  disk.put(`/data/history/${version}.json`, formatFiles(good))
  const entry = { at: '', from: 'boot', version, result: 'applied', changes: [], why: null }
  disk.put('/data/history/history.json', JSON.stringify([entry]))
  let isOurs = true
  const lock = (): boolean => isOurs
  return {
    /** Another supervisor has the volume. */
    lendVolume: (): void => {
      isOurs = false
    },
    disk,
    place,
    system,
    setup: (): Promise<Setup> => readSetup(system, place, lock),
    fall: (setup: Setup, error = loop): Promise<boolean> => fallBack({ ...system, lock }, setup, error, 0),
  }
}

describe('what a container is to be', () => {
  test('is read from its files and its environment', async () => {
    const { setup } = stage('DEBUG=true\n', { PORT: '9000' })
    const read = await setup()
    expect([read.configuration.settings.DEBUG, read.configuration.settings.PORT]).toEqual([true, 9000])
    expect([read.rejected, isUnproven(read)]).toEqual([undefined, true])
  })

  test('leaves mathesar.env to whoever owns its folder', async () => {
    const { disk, setup } = stage('DEBUG=true\n')
    disk.setOwner('/data/config', { uid: 1000, gid: 100 }, 0o755)
    const { store } = await setup()
    store.protect()
    expect(disk.modeOf(file)).toBe('0600 1000:100')
    store.write(filesOf('DEBUG=false\n'))
    expect(disk.modeOf(file)).toBe('0600 1000:100')
  })

  test('leaves mathesar.env to root where its folder belongs to a service', async () => {
    const { disk, setup } = stage('DEBUG=true\n')
    disk.setOwner('/data/config', { uid: 8000, gid: 8001 }, 0o755)
    const { store } = await setup()
    store.protect()
    expect(disk.modeOf(file)).toBe('0600 0:0')
  })

  test('is proved where its files last proved themselves', async () => {
    expect(isUnproven(await stage('DEBUG=false\n').setup())).toBe(false)
  })

  test('goes by the last good files where these are bad, and says why', async () => {
    const { setup, disk } = stage('DEBUG=maybe\n')
    const read = await setup()
    expect([read.configuration.settings.DEBUG, read.rejected?.error.code]).toEqual([false, 'CONFIG_INVALID'])
    expect([read.rejected?.files['mathesar.env'], disk.text(file)]).toEqual([
      'DEBUG=maybe\n',
      'DEBUG=maybe\n',
    ])
  })

  test('is refused where the fault is in the environment', async () => {
    const { setup } = stage('DEBUG=true\n', { PORT: 'http' })
    expect(await failureOf(setup)).toMatchObject({ code: 'SETTING_INVALID' })
  })

  test('is refused where there is nothing to go back to', async () => {
    const { setup, disk } = stage('DEBUG=maybe\n')
    disk.files.remove('/data/history/history.json')
    expect(await failureOf(setup)).toMatchObject({ code: 'CONFIG_INVALID' })
  })

  test('is refused without a database to start or to use', async () => {
    const { system } = createFakeSystem()
    const place = placeOf({ paths: { ...placeOf().paths, postgresBin: undefined } })
    expect(await failureOf(() => checkFiles(system, place, filesOf(undefined)))).toMatchObject({
      code: 'DATABASE_NOT_CONFIGURED',
    })
    const external = filesOf('DATABASE_URL=postgres://joe@db/app\n')
    expect((await checkFiles(system, place, external)).database.kind).toBe('external')
  })

  test('has the last good file again where somebody emptied it', async () => {
    const { setup, disk } = stage('')
    expect((await setup()).configuration.settings.DEBUG).toBe(false)
    expect(disk.text(file)).toBe('DEBUG=false\n')
  })

  test('goes by the last good files where the edited one has lost the external database', async () => {
    const external = filesOf('DATABASE_URL=postgres://joe@db/app\n')
    const read = await stage('DEBUG=true\n', {}, external).setup()
    expect([read.configuration.database.kind, read.rejected?.error.code]).toEqual([
      'external',
      'CONFIG_INVALID',
    ])
    const told = await stage('DATABASE_URL=\n', {}, external).setup()
    expect([told.configuration.database.kind, told.rejected]).toEqual(['embedded', undefined])
  })

  describe('takes what was left to it for done on purpose', () => {
    const external = filesOf('DATABASE_URL=postgres://joe@db/app\n')
    const left = (text: string, ...since: readonly object[]) => {
      const staged = stage(text, {}, external)
      const version = versionOf(filesOf(text))
      staged.disk.put(`/data/history/${version}.json`, formatFiles(filesOf(text)))
      const history = JSON.parse(staged.disk.text('/data/history/history.json') ?? '') as unknown[]
      const entry = { at: '', from: 'page', version, result: 'left to boot', changes: [], why: null }
      const later = since.map((fields) => ({ ...entry, ...fields }))
      staged.disk.put('/data/history/history.json', JSON.stringify([...history, entry, ...later]))
      return staged
    }
    const refused = { from: 'api', version: '0123456789ab', result: 'rejected' }

    test.each(['DEBUG=true\n', ''])('%j', async (text) => {
      for (const since of [[], [refused]]) {
        const { setup, disk } = left(text, ...since)
        const { configuration, rejected } = await setup()
        expect([configuration.database.kind, rejected, disk.text(file)]).toEqual([
          'embedded',
          undefined,
          text,
        ])
      }
    })

    test('and an edit of it, too', async () => {
      const { setup, disk } = left('DEBUG=true\n')
      disk.put(file, 'DEBUG=false\n')
      expect((await setup()).rejected).toBeUndefined()
      disk.put(file, '')
      expect((await setup()).configuration.settings.DEBUG).toBe(true)
      expect(disk.text(file)).toBe('DEBUG=true\n')
    })

    test('also where nothing has proved itself yet', async () => {
      const { setup, disk } = left('DEBUG=true\nDATABASE_URL=postgres://joe@db/other\n')
      const history = JSON.parse(disk.text('/data/history/history.json') ?? '') as unknown[]
      disk.put('/data/history/history.json', JSON.stringify(history.slice(1)))
      disk.put(file, 'DEBUG=tr')
      const { configuration, rejected } = await setup()
      expect([configuration.database.kind, rejected?.error.code]).toEqual(['external', 'CONFIG_INVALID'])
    })

    test('but not once a boot went back from it', async () => {
      const { setup } = left('DEBUG=true\n', { from: 'boot', result: 'rolled back' })
      expect((await setup()).rejected?.error.code).toBe('CONFIG_INVALID')
    })
  })

  test('reads the file that a NAME_FILE variable names', async () => {
    const { setup, disk } = stage('', { SECRET_KEY_FILE: '/key' })
    expect((await failureOf(setup)).message).toContain('cannot read /key')
    disk.put('/key', 'the key\n')
    expect((await setup()).configuration.settings.SECRET_KEY).toBe('the key')
  })
})

describe('a boot that failed with edited files', () => {
  test('moves them aside, restores the last good ones, and records why', async () => {
    const { setup, fall, disk } = stage('DEBUG=true\n')
    const read = await setup()
    expect(await fall(read)).toBe(true)
    expect([disk.text(file), disk.text(`${file}.rejected`)]).toEqual(['DEBUG=false\n', 'DEBUG=true\n'])
    expect(read.store.readHistory().at(-1)).toMatchObject({
      from: 'boot',
      result: 'rolled back',
      changes: [{ name: 'DEBUG', action: 'generation' }],
      why: 'mathesar died',
    })
  })

  test('does not write over an edit that came since', async () => {
    const { setup, fall, disk } = stage('DEBUG=true\n')
    const read = await setup()
    disk.put(file, 'DEBUG=false\nWEB_CONCURRENCY=2\n')
    expect(await fall(read)).toBe(true)
    expect(disk.text(file)).toBe('DEBUG=false\nWEB_CONCURRENCY=2\n')
  })

  test.each<[string, string, SupervisorError]>([
    ['the files are the good ones', 'DEBUG=false\n', loop],
    ['other settings cannot cure it', 'DEBUG=true\n', new SupervisorError('VOLUME_FULL', 'no space')],
    ['only a comment differs', '# mine\nDEBUG=false\n', loop],
  ])('does not go back where %s', async (_, text, error) => {
    const { setup, fall, disk } = stage(text)
    expect(await fall(await setup(), error)).toBe(false)
    expect(disk.text(file)).toBe(text)
  })

  test('leaves the files alone where another supervisor has the volume', async () => {
    const { setup, fall, disk, lendVolume } = stage('DEBUG=true\n')
    lendVolume()
    expect(await fall(await setup())).toBe(false)
    disk.put(file, '')
    expect((await setup()).configuration.settings.DEBUG).toBe(false)
    expect([disk.text(file), disk.text(`${file}.rejected`)]).toEqual(['', undefined])
  })

  test('does not go back where nothing can be written: the next boot would fail the same way', async () => {
    const { setup, fall, disk } = stage('DEBUG=true\n')
    const read = await setup()
    disk.failOn((act, path) =>
      act === 'writeWhole' && path.startsWith('/data') ? errorWith('EROFS') : undefined,
    )
    expect(await fall(read)).toBe(false)
  })
})

test('a boot goes back from files that only the parsers of Mathesar refuse', async () => {
  const { setup, fall, disk } = stage('DEBUG=true\n')
  const error = new SupervisorError('CONFIG_INVALID', 'cannot use the configuration: sso.yml, line 1: a tag')
  expect(await fall(await setup(), error)).toBe(true)
  expect(disk.text(file)).toBe('DEBUG=false\n')
})

describe('a file that a NAME_FILE variable names', () => {
  test('is read when it is a regular one; a FIFO or a device is refused at once', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'named-'))
    const fifo = join(folder, 'fifo')
    execFileSync('mkfifo', [fifo])
    for (const path of [fifo, '/dev/zero']) {
      const attempt = checkFiles(reads, placeOf({ environment: { SECRET_KEY_FILE: path } }), filesOf(''))
      await expect(attempt).rejects.toMatchObject({
        code: 'SETTING_INVALID',
        message: `cannot use SECRET_KEY_FILE: cannot read ${path}: it is not a regular file`,
      })
    }
    rmSync(folder, { recursive: true })
  })
})

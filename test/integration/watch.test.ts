import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, test, type TestContext } from 'vitest'
import type { Seen } from '../../src/core/settling.ts'
import { readConfigFiles } from '../../src/system/config-files.ts'
import { watchFiles } from '../../src/system/watch.ts'
import { makeConfigMap } from '../fixtures/config-map.ts'
import { until } from '../helpers/daemon.ts'

const fixture = fileURLToPath(new URL('../fixtures/watch.ts', import.meta.url))
const name = 'mathesar.env'
const names = [name, 'sso.yml']
/** Longer than any report takes: what has not come by then does not come. */
const quietMs = 2500

/** `limits` are kernel limits of a user namespace for the watcher: 0 stands for others that use all up. */
type Mode = { readonly pollMs: number; readonly limits?: string }
const modes: Readonly<Record<string, Mode>> = {
  'with chokidar and polling': { pollMs: 1000 },
  'with chokidar alone': { pollMs: 600_000 },
  'with no inotify instance left (EMFILE)': { pollMs: 200, limits: 'max_inotify_instances' },
  'with no inotify watch left (ENOSPC)': { pollMs: 200, limits: 'max_inotify_watches' },
}
const inNamespace = (limits: string): string[] => [
  'unshare',
  '--user',
  '--map-root-user',
  'sh',
  '-euc',
  `echo 0 > /proc/sys/user/${limits}; exec "$@"`,
  'sh',
]
const canLimit = spawnSync('unshare', [...inNamespace('max_inotify_watches').slice(1), 'true']).status === 0
if (!canLimit) console.log('tests of used-up inotify: skipped, unshare cannot make a user namespace here')

/** Tests run at the same time here, so each cleans up and expects through a context of its own. */
const makeFolder = (context: TestContext): string => {
  const folder = mkdtempSync('/tmp/watch-')
  context.onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Writes a new file and renames it over the old one, as careful writers do. */
const replace = (path: string, content: string): void => {
  writeFileSync(`${path}.new`, content)
  renameSync(`${path}.new`, path)
}

/** Runs the watcher as a process of its own; resolves when all that can report a change to it is at work. */
const startWatcher = async (context: TestContext, { pollMs, limits }: Mode, folder: string) => {
  const argv = [
    ...(limits === undefined ? [] : inNamespace(limits)),
    process.execPath,
    fixture,
    folder,
    String(pollMs),
    ...names,
  ]
  const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  context.onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const lines = () =>
    output
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as { first?: Seen; change?: Seen; trouble?: string })
  const changes = (): Seen[] => lines().flatMap(({ change }) => change ?? [])
  let skipped = 0
  const contents = (of = name): (string | undefined)[] =>
    changes()
      .slice(skipped)
      .map(({ files }) => files[of])
  const reports = (content: string | undefined): Promise<unknown> =>
    until(
      `a report of ${JSON.stringify(content)} in ${output}`,
      () => {
        const seen = contents()
        return seen.length > 0 && seen.at(-1) === content
      },
      15_000,
    )

  await until('the first reading', () => lines().some(({ first }) => first))
  if (limits !== undefined)
    await until('the warning that inotify is used up', () => lines().some(({ trouble }) => trouble))
  else {
    // Only chokidar can be this quick. From outside its start is seen only by a change that it reports.
    const probe = join(folder, 'sso.yml')
    let pauseMs = 200
    await until('chokidar', async () => {
      writeFileSync(probe, `# ${process.hrtime.bigint()}\n`)
      await delay((pauseMs += 100)) // A busy machine may need more than the first pause to see one settle.
      return changes().length > 0
    })
    const content = readFileSync(probe, 'utf8')
    await until('all reports of that', () => changes().at(-1)!.files['sso.yml'] === content)
    skipped = changes().length
  }
  return {
    contents,
    reports,
    ended,
    stop: () => child.kill('SIGTERM'),
    troubles: () => lines().flatMap(({ trouble }) => trouble ?? []),
  }
}

describe.concurrent.each(Object.entries(modes))('a watcher %s', (_, mode) => {
  const it = test.skipIf(mode.limits !== undefined && !canLimit)

  const begin = async (context: TestContext) => {
    const folder = makeFolder(context)
    const path = join(folder, name)
    writeFileSync(path, 'A=1\n')
    return { folder, path, ...(await startWatcher(context, mode, folder)) }
  }

  it('reports a write in place, a rename over the file, and nothing twice', async (context) => {
    const { path, contents, reports } = await begin(context)
    writeFileSync(path, 'A=2\n')
    await reports('A=2\n')
    replace(path, 'A=3\n')
    await reports('A=3\n')
    appendFileSync(path, 'B=1\n')
    await reports('A=3\nB=1\n')
    await delay(quietMs)
    context.expect(contents()).toEqual(['A=2\n', 'A=3\n', 'A=3\nB=1\n'])
  })

  it('reports the last of 200 renames 5 ms apart', async (context) => {
    const { path, contents, reports } = await begin(context)
    for (let count = 1; count <= 200; count++) {
      replace(path, `A=${count}\n`)
      await delay(5)
    }
    await reports('A=200\n')
    await delay(quietMs)
    context.expect(contents().at(-1)).toBe('A=200\n')
    // One where the machine is not busy: a writer that stalls looks as if it had finished.
    context.expect(contents().length).toBeLessThan(20)
  })

  it('reports a file that goes, comes, and goes and comes at once', async (context) => {
    const { path, contents, reports } = await begin(context)
    unlinkSync(path)
    await reports(undefined)
    writeFileSync(path, 'A=2\n')
    await reports('A=2\n')
    unlinkSync(path)
    await delay(150)
    writeFileSync(path, 'A=3\n')
    await reports('A=3\n')
    context.expect(contents()).toEqual([undefined, 'A=2\n', 'A=3\n'])
  })

  it('reports a slow write in place once, and whole', async (context) => {
    const { path, contents, reports } = await begin(context)
    truncateSync(path)
    await delay(300)
    for (const piece of ['A=', '2\n', 'B=1\n', 'C=', '1\n']) {
      appendFileSync(path, piece)
      await delay(150)
    }
    await reports('A=2\nB=1\nC=1\n')
    await delay(quietMs)
    context.expect(contents()).toEqual(['A=2\nB=1\nC=1\n'])
  })

  it('reports a file that stays empty', async (context) => {
    const { path, contents, reports } = await begin(context)
    truncateSync(path)
    await reports('')
    context.expect(contents()).toEqual([''])
  })

  it('reports a ConfigMap of Kubernetes that is swapped, once with all its files', async (context) => {
    const folder = makeFolder(context)
    const map = makeConfigMap(folder)
    map.put({ [name]: 'A=1\n' })
    const { contents, reports } = await startWatcher(context, mode, folder)
    for (const version of ['A=2\n', 'A=3\n']) {
      map.put({ [name]: version })
      await reports(version)
    }
    await delay(quietMs)
    context.expect(contents()).toEqual(['A=2\n', 'A=3\n'])
  })

  it('does not report what leaves the content as it was, nor other files', async (context) => {
    const { folder, path, contents } = await begin(context)
    writeFileSync(path, 'A=1\n')
    replace(path, 'A=1\n')
    chmodSync(path, 0o600)
    for (const other of ['mathesar.env~', '.mathesar.env.swp', 'other.yml'])
      writeFileSync(join(folder, other), 'B=1\n')
    mkdirSync(join(folder, 'sub'))
    writeFileSync(join(folder, 'sub', name), 'B=1\n')
    rmSync(join(folder, 'other.yml'))
    await delay(quietMs)
    context.expect(contents()).toEqual([])
  })

  it('reports both files of one change together', async (context) => {
    const { folder, path, contents, reports } = await begin(context)
    writeFileSync(path, 'A=2\n')
    writeFileSync(join(folder, 'sso.yml'), 'version: 1\n')
    await reports('A=2\n')
    context.expect([contents(), contents('sso.yml')]).toEqual([['A=2\n'], ['version: 1\n']])
  })

  // chokidar alone may miss this: polling is the truth.
  if (mode.pollMs <= 1000)
    it('sees a folder that was replaced', async (context) => {
      const { folder, path, reports } = await begin(context)
      rmSync(folder, { recursive: true })
      await reports(undefined)
      mkdirSync(folder)
      writeFileSync(path, 'A=2\n')
      await reports('A=2\n')
    })

  it('reports once that inotify is used up, and leaves nothing behind when closed', async (context) => {
    const { path, reports, stop, ended, troubles } = await begin(context)
    writeFileSync(path, 'A=2\n')
    await reports('A=2\n')
    context
      .expect(troubles())
      .toEqual(
        mode.limits === undefined ? [] : ['inotify is used up: changes are seen within 0.2 s by polling'],
      )
    stop()
    context.expect(await ended).toBe(0)
  })
})

describe.concurrent('watchFiles', () => {
  const begin = (context: TestContext, folder: string) => {
    const seen: Seen[] = []
    const troubles: string[] = []
    const watch = watchFiles({
      folder,
      names,
      onChange: (change) => seen.push(change),
      onTrouble: (why) => troubles.push(why),
      pollMs: 200,
    })
    context.onTestFinished(() => watch.close())
    return { seen, troubles, readSettled: () => watch.readSettled() }
  }

  test('waits for a folder that is not there yet', async (context) => {
    const folder = join(makeFolder(context), 'config')
    const { seen, troubles, readSettled } = begin(context, folder)
    context
      .expect(await readSettled())
      .toEqual({ files: { [name]: undefined, 'sso.yml': undefined }, stale: {}, unusable: {} })
    mkdirSync(folder)
    writeFileSync(join(folder, name), 'A=1\n')
    await until('a report', () => seen.length > 0)
    context
      .expect(seen)
      .toEqual([{ files: { [name]: 'A=1\n', 'sso.yml': undefined }, stale: {}, unusable: {} }])
    context.expect(troubles).toEqual([])
  })

  test('reads at once, and waits for a writer to finish', async (context) => {
    const folder = makeFolder(context)
    const path = join(folder, name)
    writeFileSync(path, 'A=1\n')
    const { readSettled } = begin(context, folder)
    replace(path, 'A=2\n')
    context.expect((await readSettled()).files[name]).toBe('A=2\n')
    await delay(500)
    truncateSync(path)
    const reading = readSettled()
    await delay(300)
    for (const piece of ['A=', '3', '\n']) {
      appendFileSync(path, piece)
      await delay(150)
    }
    context.expect((await reading).files[name]).toBe('A=3\n')
  })

  test.for([
    ['a FIFO', (path: string): unknown => execFileSync('mkfifo', [path]), 'it is not a regular file'],
    ['a link to a device', (path: string) => symlinkSync('/dev/zero', path), 'it is not a regular file'],
    [
      'a folder',
      (path: string) => mkdirSync(path),
      'it is a folder; Docker creates one where the file of a mount is missing on the host',
    ],
    [
      'larger than 64 KiB',
      (path: string) => writeFileSync(path, 'x'.repeat(64 * 1024 + 1)),
      'it is larger than 64 KiB',
    ],
    ['a link to itself', (path: string) => symlinkSync(path, path), 'ELOOP'],
  ] as const)(
    'tells once that a file became %s, without a content, and boot refuses it',
    async ([, make, why], context) => {
      const folder = makeFolder(context)
      const path = join(folder, name)
      writeFileSync(path, 'A=1\n')
      const { seen, readSettled } = begin(context, folder)
      rmSync(path)
      make(path)
      await until('the report', () => seen.length > 0)
      await delay(1000)
      const told = {
        files: { [name]: undefined, 'sso.yml': undefined },
        stale: {},
        unusable: { [name]: context.expect.stringContaining(why) },
      }
      context.expect(seen).toEqual([told])
      context.expect(await readSettled()).toEqual(told)
      context.expect(() => readConfigFiles(folder, names)).toThrow(`cannot read ${path}: ${why}`)
      rmSync(path, { recursive: true })
      writeFileSync(path, 'A=2\n')
      await until('the next report', () => seen.length > 1)
      context.expect(seen.map(({ files }) => files[name])).toEqual([undefined, 'A=2\n'])
    },
  )

  test('reads 64 KiB of UTF-8, and refuses what is not UTF-8', (context) => {
    const folder = makeFolder(context)
    const bytes = Buffer.alloc(64 * 1024, 'A=ä\n')
    writeFileSync(join(folder, name), bytes)
    context
      .expect(readConfigFiles(folder, names))
      .toEqual({ files: { [name]: bytes.toString(), 'sso.yml': undefined }, stale: {}, unusable: {} })
    writeFileSync(join(folder, 'sso.yml'), Buffer.from([0x41, 0x0a, 0xff, 0x0a]))
    context
      .expect(() => readConfigFiles(folder, names))
      .toThrow(`cannot read ${join(folder, 'sso.yml')}: line 2 is not UTF-8`)
  })

  test('reads what is there at boot, and a folder that is not', (context) => {
    const folder = makeFolder(context)
    context
      .expect(readConfigFiles(join(folder, 'none'), names))
      .toEqual({ files: { [name]: undefined, 'sso.yml': undefined }, stale: {}, unusable: {} })
    makeConfigMap(folder).put({ [name]: 'A=1\n' })
    context
      .expect(readConfigFiles(folder, names))
      .toEqual({ files: { [name]: 'A=1\n', 'sso.yml': undefined }, stale: {}, unusable: {} })
  })
})

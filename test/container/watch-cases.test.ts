import { linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import type { Seen } from '../../src/core/settling.ts'
import { makeConfigMap } from '../fixtures/config-map.ts'
import { cleanUpAfterEach, describeContainer, start, until } from '../helpers/docker.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const name = 'mathesar.env'
const mounted = '/var/lib/mathesar/config'

const makeFolder = (): string => {
  const folder = mkdtempSync('/tmp/watch-')
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const replace = (path: string, content: string): void => {
  writeFileSync(`${path}.new`, content)
  renameSync(`${path}.new`, path)
}

/**
 * The watcher under the image's Node in a container of its own,
 * with `source` of this host mounted at `target`.
 */
const watchIn = async (source: string, target = mounted) => {
  const box = await start({
    run: [
      '--entrypoint',
      '/usr/local/lib/supervisor/node',
      '--volume',
      `${root}:/project:ro`,
      '--volume',
      `${source}:${target}`,
    ],
    args: ['/project/test/fixtures/watch.ts', mounted, '1000', name],
  })
  let told: { readonly first?: Seen; readonly change?: Seen; readonly trouble?: string }[] = []
  const read = async (): Promise<void> => {
    const lines = (await box.logs()).split('\n').filter((line) => line !== '')
    told = lines.map((line) => JSON.parse(line) as (typeof told)[number])
  }
  const first = await until('the watcher looks', async () => {
    if (!(await box.isRunning())) throw new Error(await box.logs())
    await read()
    return told.find((line) => line.first)?.first
  })
  return {
    first,
    contents: () => told.flatMap(({ change }) => (change ? [change.files[name]] : [])),
    troubles: () => told.flatMap(({ trouble }) => trouble ?? []),
    /** What is told last, once `isIt`. */
    told: (what: string, isIt: (seen: Seen) => boolean): Promise<Seen> =>
      until(`the watcher tells of ${what}`, async () => {
        await read()
        const last = told.findLast(({ change }) => change)?.change
        return last && isIt(last) ? last : undefined
      }),
    /** Reads again after longer than any report takes. */
    quiet: () => delay(2500).then(read),
  }
}
const content = (text: string | undefined) =>
  [`the content ${text}`, (seen: Seen): boolean => seen.files[name] === text] as const
const staleness = ['a stale mount', (seen: Seen): boolean => name in seen.stale] as const

describeContainer('a mounted folder', () => {
  cleanUpAfterEach()

  it('shows what the host writes in place, renames over, deletes and makes again', async () => {
    const folder = makeFolder()
    const path = join(folder, name)
    writeFileSync(path, 'A=1\n')
    const watch = await watchIn(folder)
    expect(watch.first).toEqual({ files: { [name]: 'A=1\n' }, stale: {}, unusable: {} })
    writeFileSync(path, 'A=2\n')
    await watch.told(...content('A=2\n'))
    replace(path, 'A=3\n')
    await watch.told(...content('A=3\n'))
    for (let count = 1; count <= 200; count++) {
      replace(path, `B=${count}\n`)
      await delay(5)
    }
    await watch.told(...content('B=200\n'))
    rmSync(path)
    await watch.told(...content(undefined))
    writeFileSync(path, 'A=4\n')
    expect((await watch.told(...content('A=4\n'))).stale).toEqual({})
    expect(watch.troubles()).toEqual([])
  })

  it('shows a ConfigMap of Kubernetes that is swapped', async () => {
    const folder = makeFolder()
    const map = makeConfigMap(folder)
    map.put({ [name]: 'A=1\n' })
    const watch = await watchIn(folder, `${mounted}:ro`)
    expect(watch.first.files[name]).toBe('A=1\n')
    for (const version of ['A=2\n', 'A=3\n']) {
      map.put({ [name]: version })
      await watch.told(...content(version))
    }
    await watch.quiet()
    expect(watch.contents()).toEqual(['A=2\n', 'A=3\n'])
  })

  it('is stale when the host replaces the folder', async () => {
    const folder = join(makeFolder(), 'config')
    mkdirSync(folder)
    writeFileSync(join(folder, name), 'A=1\n')
    const watch = await watchIn(folder)
    renameSync(folder, `${folder}.old`)
    mkdirSync(folder)
    writeFileSync(join(folder, name), 'A=2\n')
    const { files, stale } = await watch.told(...staleness)
    expect(files[name]).toBe('A=1\n')
    expect(stale[name]).toMatch(
      /^the mounted folder was moved to \/.*\/config\.old on the host: .* until it is started again$/,
    )
  })
})

describeContainer('a mounted file', () => {
  cleanUpAfterEach()

  const begin = async () => {
    const path = join(makeFolder(), name)
    writeFileSync(path, 'A=1\n')
    const watch = await watchIn(path, `${mounted}/${name}`)
    expect(watch.first).toEqual({ files: { [name]: 'A=1\n' }, stale: {}, unusable: {} })
    return { path, watch }
  }
  const replaced =
    'the mounted file was replaced or deleted on the host: ' +
    'the container keeps the old one until it is started again; ' +
    'mount its folder instead of the file, and changes arrive'

  it('shows what the host writes in place', async () => {
    const { path, watch } = await begin()
    for (const text of ['A=2\n', 'A=3\n']) {
      writeFileSync(path, text)
      expect((await watch.told(...content(text))).stale).toEqual({})
    }
    await watch.quiet()
    expect(watch.contents()).toEqual(['A=2\n', 'A=3\n'])
  })

  it.each([
    ['renames another over it', (path: string) => replace(path, 'A=2\n'), replaced],
    [
      'renames another over it and keeps a hard link to it',
      (path: string) => {
        linkSync(path, `${path}~`)
        replace(path, 'A=2\n')
      },
      replaced,
    ],
    [
      'moves it aside as a backup and writes a new one',
      (path: string) => {
        renameSync(path, `${path}~`)
        writeFileSync(path, 'A=2\n')
      },
      /^the mounted file was moved to \/.*\/mathesar\.env~ on the host: the container keeps the old one/,
    ],
    ['deletes it', (path: string) => rmSync(path), replaced],
  ] as const)('is stale, and says so once, when the host %s', async (_, change, why) => {
    const { path, watch } = await begin()
    change(path)
    const { files, stale } = await watch.told(...staleness)
    expect(files[name]).toBe('A=1\n')
    expect(stale[name]).toEqual(typeof why === 'string' ? why : expect.stringMatching(why))
    await watch.quiet()
    expect(watch.contents()).toEqual(['A=1\n'])
  })

  it('of a ConfigMap (subPath) is stale once the ConfigMap changes', async () => {
    const map = makeConfigMap(makeFolder())
    map.put({ [name]: 'A=1\n' })
    const watch = await watchIn(join(map.version, name), `${mounted}/${name}`)
    map.put({ [name]: 'A=2\n' })
    expect((await watch.told(...staleness)).stale[name]).toBe(replaced)
  })

  it('that is not there on the host is a folder here, and is named', async () => {
    const watch = await watchIn(join(makeFolder(), name), `${mounted}/${name}`)
    expect(watch.first.files[name]).toBeUndefined()
    expect(watch.first.unusable).toEqual({
      [name]: 'it is a folder; Docker creates one where the file of a mount is missing on the host',
    })
  })
})

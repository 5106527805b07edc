import { globSync } from 'node:fs'
import { posix } from 'node:path'
import { describe, expect, test } from 'vitest'
import { units } from '../../src/units/index.ts'
import { readRoot, root, sources } from './sources.ts'

/**
 * What the code of each room may import beside its own: main → cli → daemon, operations, http → units →
 * settings, core → errors. `types` are rooms of which it may import the types alone. What acts on the world
 * is in `system`: of its code only the composition root and the commands know, everybody else gets it passed
 * in.
 */
const rooms: Readonly<
  Record<string, { readonly code: readonly string[]; readonly types: readonly string[] }>
> = {
  main: { code: ['cli', 'errors'], types: [] },
  cli: {
    code: ['daemon', 'operations', 'http', 'units', 'system', 'settings', 'core', 'errors', 'version'],
    types: [],
  },
  daemon: { code: ['units', 'settings', 'core', 'errors'], types: ['system'] },
  operations: { code: ['units', 'settings', 'core', 'errors', 'version'], types: ['daemon', 'system'] },
  http: { code: ['page', 'units', 'settings', 'core', 'errors'], types: ['daemon', 'system'] },
  page: { code: ['settings', 'core', 'errors'], types: [] },
  units: { code: ['settings', 'core', 'errors', 'version'], types: ['system'] },
  system: { code: ['settings', 'core', 'errors'], types: ['units'] },
  settings: { code: ['core', 'errors'], types: [] },
  core: { code: ['errors'], types: [] },
  errors: { code: [], types: [] },
  version: { code: [], types: [] },
}

/** The half of HTTP that is part of the commands: it asks the socket of the place that it is in. */
const httpOfCommands = 'src/http/client.ts'

const roomOf = (path: string): string => path.split('/')[1]!.replace(/\.ts$/, '')

/** The source without comments; texts stay, for they hold the module names. */
const codeOf = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/ .*$/gm, '$1')

type Import = { readonly from: string; readonly target: string; readonly isType: boolean }

const importsOf = (from: string, text: string): Import[] => {
  const code = codeOf(text)
  const clauses = [
    ...code.matchAll(/^(?:import|export)\s+(type\s+)?(\{[^}]*\}|[\w*, ]+)\s*from\s*'([^']+)'/gm),
  ].map(([, type, names, target]) => ({
    from,
    target: target!,
    isType: type !== undefined || /^\{(\s*type\s+[^,}]+,?)+\s*\}$/.test(names!),
  }))
  const bare = [...code.matchAll(/^import\s*'([^']+)'/gm)].map(([, target]) => ({
    from,
    target: target!,
    isType: false,
  }))
  const inPlace = [
    ...code.matchAll(/(await|typeof|=>|[:<|])?\s*(?:\bimport|\brequire)\(\s*'([^']+)'\s*\)/g),
  ].map(([, before, target]) => ({
    from,
    target: target!,
    isType: before === 'typeof' || before === ':' || before === '<' || before === '|',
  }))
  return [...clauses, ...bare, ...inPlace]
}

const imports = [...sources].flatMap(([path, text]) => importsOf(path, text))
const own = imports
  .filter(({ target }) => target.startsWith('.'))
  .map((each) => ({ ...each, target: posix.join(posix.dirname(each.from), each.target) }))
const filesWith = (pattern: RegExp): string[] =>
  [...sources].filter(([, text]) => pattern.test(codeOf(text))).map(([path]) => path)

describe('imports', () => {
  test('are found, all of them', () => {
    const written = [...sources.values()].flatMap((text) => codeOf(text).match(/\bfrom '|\bimport\('/g) ?? [])
    expect(imports).toHaveLength(written.length)
    expect(own.length).toBeGreaterThan(50)
    expect(own.filter(({ target }) => !sources.has(target))).toEqual([])
  })

  test('go down the rooms, from main to errors, and never back', () => {
    const wrong = own.filter(({ from, target, isType }) => {
      const [room, other] = [roomOf(from), roomOf(target)]
      const { code, types } = rooms[room]!
      const mayRead = isType ? [...code, ...types] : code
      return room !== other && !mayRead.includes(other) && !(from === httpOfCommands && other === 'system')
    })
    expect(wrong.map(({ from, target }) => `${from} → ${target}`)).toEqual([])
  })

  test('of the pure rooms are nothing that acts on the world', () => {
    const modulesOf = (room: string): string[] => [
      ...new Set(
        imports
          .filter(({ from, target, isType }) => !isType && roomOf(from) === room && !target.startsWith('.'))
          .map(({ target }) => target),
      ),
    ]
    expect(modulesOf('core').toSorted()).toEqual(['node:buffer', 'node:os'])
    expect(modulesOf('settings').toSorted()).toEqual(['croner', 'node:util'])
    expect(modulesOf('units')).toEqual(['node:crypto'])
    expect(modulesOf('daemon')).toEqual([])
    expect(modulesOf('errors')).toEqual([])
  })

  test.each([
    ['child_process', /^(node:)?child_process$/, ['src/system/piped.ts', 'src/system/process.ts']],
    ['age-encryption', /^age-encryption$/, ['src/system/age.ts']],
    ['execa', /^execa$/, ['src/cli/bake.ts', 'src/system/terminal.ts']],
    ['koffi', /^koffi$/, ['src/system/libc.ts']],
    ['pg', /^pg$/, ['src/system/postgres.ts']],
    ['pino', /^pino$/, ['src/system/log.ts']],
    ['yaml', /^yaml$/, ['src/system/yaml.ts']],
    ['chokidar', /^chokidar$/, ['src/system/watch.ts']],
  ])('of %s are in the modules that wrap it', (_, module, files) => {
    const users = imports
      .filter(({ target, isType }) => !isType && module.test(target))
      .map(({ from }) => from)
    expect([...new Set(users)].toSorted()).toEqual(files)
  })
})

describe('the sources', () => {
  test('have a room in the order of imports', () => {
    expect([...new Set([...sources.keys()].map(roomOf))].filter((room) => !(room in rooms))).toEqual([])
  })

  test.each([
    ['end the process', /process\.(exit\(|reallyExit|abort\()/, /^src\/main\.ts$/],
    ['signal a process', /process\.kill\(/, /^src\/system\/process\.ts$/],
    [
      'hear signals and faults of the process',
      /process\.(on|once|addListener)\(/,
      /^src\/(system\/(signals|reaper|terminal)|cli\/run\/signals)\.ts$/,
    ],
    [
      'ask for chance',
      /Math\.random|\brandom(Int|Bytes|UUID)\(/,
      /^src\/(system\/system|units\/postgres\/scram)\.ts$/,
    ],
    [
      'ask for the time and wait for it',
      /\b(Date|performance)\.now\b|\bnew Date\(\)|(?<![.\w])set(Timeout|Interval)(\(| as)/,
      /^src\/(system\/|page\/(console\/)?((restore-)?client|assets)\.ts)/,
    ],
    ['read the environment of the process', /process\.env\b/, /^src\/system\/environment\.ts$/],
  ])('%s in these places alone', (_, pattern, places) => {
    expect(filesWith(pattern)).not.toEqual([])
    expect(filesWith(pattern).filter((path) => !places.test(path))).toEqual([])
  })

  test('of the daemon name no unit: the graph says what there is', () => {
    // `config` is also the subject of the settings, which the daemon does know.
    const names = units.flatMap(({ name }) => (name === 'config' ? [] : [name]))
    const named = new RegExp(`(['"\`])(${names.join('|')})\\1`)
    expect(filesWith(named).filter((path) => roomOf(path) === 'daemon')).toEqual([])
  })

  test('keep no copy of what is in force in step by hand, and cast nothing by way of unknown', () => {
    expect(filesWith(/\.made\b|\badopt\w*\(|\bas unknown as\b/)).toEqual([])
  })

  test('keep no state of their own: what has state is an object that somebody made', () => {
    expect(filesWith(/^(?:export )?(?:let|var) /m)).toEqual([])
  })

  test('have no any', () => {
    expect(
      filesWith(/(?:[:<|&,]|\bas|=>)\s*any\b(?!\s*[a-z])|\bany\[\]|@ts-(?:ignore|nocheck|expect-error)/),
    ).toEqual([])
  })

  test('export only what another file imports', () => {
    const users = globSync('{src,test,scripts,bench}/**/*.{ts,mjs,cjs}', {
      cwd: root,
      exclude: ['**/node_modules/**'],
    })
    const namesIn = (path: string): string[] =>
      [...codeOf(readRoot(path)).matchAll(/\{([^{}]*)\}\s*(?:from\b|=\s*await import\()/g)].flatMap(
        ([, names]) => names!.match(/[\w$]+/g) ?? [],
      )
    const known = new Map<string, Set<string>>()
    for (const path of users)
      for (const name of namesIn(path)) known.set(name, (known.get(name) ?? new Set()).add(path))
    const exported = [...sources].flatMap(([path, text]) =>
      [...codeOf(text).matchAll(/^export (?:async )?(?:const|function\*?|class|type) ([\w$]+)/gm)].map(
        ([, name]) => ({ path, name: name! }),
      ),
    )
    expect(exported.length).toBeGreaterThan(1000)
    const isUsed = ({ path, name }: { readonly path: string; readonly name: string }): boolean =>
      [...(known.get(name) ?? [])].some((user) => user !== path) || (name === 'run' && roomOf(path) === 'cli')
    expect(exported.filter((each) => !isUsed(each))).toEqual([])
  })

  test('have no default export', () => {
    expect(filesWith(/^export default|\bas default\b/m)).toEqual([])
  })

  test('have nothing left to do', () => {
    expect(
      [...sources].filter(([, text]) => /\b(TODO|FIXME|XXX|HACK)\b/.test(text)).map(([path]) => path),
    ).toEqual([])
  })
})

test('the tests cast nothing by way of unknown or never', () => {
  const tests = globSync('test/**/*.ts', { cwd: root })
  expect(tests.filter((path) => /\bas (?:unknown as|never)\b/.test(codeOf(readRoot(path))))).toEqual([])
})

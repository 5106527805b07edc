import { posix } from 'node:path'
import { describe, expect, test } from 'vitest'
import { sources } from './sources.ts'

/** What the code of each part may import beside its own; types may cross between daemon, units and system. */
const layers: Readonly<
  Record<string, { readonly code: readonly string[]; readonly types: readonly string[] }>
> = {
  main: { code: ['cli', 'errors'], types: [] },
  cli: { code: ['daemon', 'units', 'system', 'core', 'errors', 'version'], types: [] },
  daemon: { code: ['core', 'errors'], types: ['units', 'system'] },
  units: { code: ['core', 'errors'], types: ['daemon', 'system'] },
  system: { code: ['core', 'errors'], types: ['daemon', 'units'] },
  core: { code: ['errors'], types: [] },
  errors: { code: [], types: [] },
  version: { code: [], types: [] },
}

const partOf = (path: string): string => path.split('/')[1]!.replace(/\.ts$/, '')

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
    for (const { target } of own) expect([...sources.keys()]).toContain(target)
  })

  test('go from main to cli to daemon, units and system to core to errors, and never back', () => {
    const wrong = own.filter(({ from, target, isType }) => {
      const [part, other] = [partOf(from), partOf(target)]
      const { code, types } = layers[part]!
      return part !== other && !code.includes(other) && !(isType && types.includes(other))
    })
    expect(wrong.map(({ from, target }) => `${from} → ${target}`)).toEqual([])
  })

  test('of execa and child_process are in the module of processes and in commands', () => {
    const users = imports
      .filter(({ target, isType }) => !isType && /^(node:)?child_process$|^execa$/.test(target))
      .map(({ from }) => from)
    expect(users).toContain('src/system/process.ts')
    expect(users.filter((path) => path !== 'src/system/process.ts' && !path.startsWith('src/cli/'))).toEqual(
      [],
    )
  })

  test('of the pure core are nothing that acts on the world', () => {
    const modules = imports
      .filter(({ from, target }) => partOf(from) === 'core' && !target.startsWith('.'))
      .map(({ target }) => target)
    expect([...new Set(modules)].sort()).toEqual(['node:crypto', 'node:os', 'node:util'])
  })
})

describe('the sources', () => {
  test('have a part in the order of imports', () => {
    expect([...new Set([...sources.keys()].map(partOf))].filter((part) => !(part in layers))).toEqual([])
  })

  test('end the process in main alone', () => {
    expect(filesWith(/process\.(exit\(|reallyExit|abort\()/)).toEqual(['src/main.ts'])
  })

  test('have no any', () => {
    expect(
      filesWith(/(?:[:<|&,]|\bas|=>)\s*any\b(?!\s*[a-z])|\bany\[\]|@ts-(?:ignore|nocheck|expect-error)/),
    ).toEqual([])
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

import { globSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { readRoot, root } from './sources.ts'

const columns = 110

/** What stands below `oxfmt-ignore`: a line, or all up to the bracket that closes it. */
const table = /^( *)\/\/ oxfmt-ignore\n(?:.*[[{(]\n[^]*?^\1[\]})].*|.*)/gm

/**
 * The numbers of the lines that are too long, tables excepted. The formatter breaks what it can;
 * texts are left.
 */
const longLines = (text: string): number[] =>
  text
    .replace(table, (lines) => lines.replace(/.+/g, ''))
    .split('\n')
    .flatMap((line, index) => (line.length > columns ? [index + 1] : []))

const rows = 70

/** The first line of a function that has a body: what comes before a `{` at the end of a line. */
const head = /^( *)(?!if|for|while|switch|\} )\S.*(?:=>|\)(?:: [^{]*)?) \(?\{$/

/**
 * The numbers of the lines where functions begin that have too many, as the formatter indents them.
 * A `describe` is a list of tests, not a function to be read as one.
 */
const longFunctions = (text: string): number[] => {
  const lines = text.split('\n')
  return lines.flatMap((line, index) => {
    const indent = head.exec(line)?.[1]
    if (indent === undefined) return []
    const isOfFunction = (other: string): boolean => other.startsWith(`${indent}}`)
    const length = lines.slice(index).findIndex(isOfFunction) + 1
    if (length <= rows) return []
    const beginning = lines
      .slice(0, index + 1)
      .findLast((other) => new RegExp(`^ {0,${indent.length}}\\w`).test(other))
    return beginning?.trimStart().startsWith('describe') ? [] : [index + 1]
  })
}

const filesIn = (folder: string): string[] =>
  globSync(`${folder}/**/*.{ts,mjs,cjs}`, { cwd: root, exclude: (name) => name === 'node_modules' })

describe('no line', () => {
  test('is excepted but those of tables', () => {
    const long = 'x'.repeat(columns + 1)
    const all = [long, '// oxfmt-ignore', 'a = [', `  ${long}`, ']', long, '// oxfmt-ignore', long, long]
    expect(longLines(all.join('\n'))).toEqual([1, 6, 9])
  })

  const generated = ['src/page/assets.ts', 'src/page/console/assets.ts']

  test.each(['src', 'test', 'bench', 'scripts'])(`of %s is longer than ${columns} columns`, (folder) => {
    const written = filesIn(folder).filter((file) => !generated.includes(file))
    const found = written.flatMap((file) => longLines(readRoot(file)).map((line) => `${file}:${line}`))
    expect(found).toEqual([])
  })
})

describe('no function', () => {
  test('is excepted but a list of tests', () => {
    const body = Array.from({ length: rows - 1 }, () => '  call()').join('\n')
    const long = ['const act = (', '  one: string,', '): void => {', body, '}']
    const list = ['describe.each([', '  1,', "])('a list', () => {", body, '})']
    const short = ['function act() {', body.slice(body.indexOf('\n') + 1), '}']
    expect(longFunctions([...long, ...list, ...short].join('\n'))).toEqual([3])
  })

  // Lint holds it elsewhere.
  test(`of test has more than ${rows} lines`, () => {
    const found = filesIn('test').flatMap((file) =>
      longFunctions(readRoot(file)).map((line) => `${file}:${line}`),
    )
    expect(found).toEqual([])
  })
})

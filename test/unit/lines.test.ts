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

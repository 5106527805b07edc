// What a run gives: words on the terminal, and README.md with the picture beside it.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { join, relative } from 'node:path'
import { ask, cache, root } from '../scripts/prepare.ts'
import type { Boots } from './measure/boot.ts'
import { drawBoots } from './picture.ts'
import type { Row } from './row.ts'
import { markdownTable, terminalTable } from './table.ts'

export type Measured = { readonly rows: readonly Row[]; readonly boots?: Boots; readonly text?: string }

export type Circumstances = { readonly source: string; readonly runs: number; readonly date: string }

const machine = (): string =>
  `${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB of memory, ` +
  `Docker ${ask('docker', ['version', '--format', '{{.Server.Version}}']).stdout.trim()}`

const renderReport = (results: readonly Measured[], { source, runs, date }: Circumstances): string =>
  [
    `${date}, ${machine()}; Mathesar from \`${source}\`; ${runs} runs a figure, its median, ` +
      'and from the least to the most.',
    '',
    markdownTable(results.flatMap(({ rows }) => rows)),
    ...results.flatMap(({ text }) => (text === undefined ? [] : ['', text])),
  ].join('\n')

/** Puts a text between the two markers of that name. */
const insert = (page: string, name: string, text: string): string => {
  const marker = `<!-- ${name} -->`
  const [before, , after] = page.split(marker)
  return [before, `\n${text}\n`, after].join(marker)
}

export const printReport = (results: readonly Measured[]): void =>
  void process.stdout.write(terminalTable(results.flatMap(({ rows }) => rows)))

/**
 * Writes README.md and boot.svg: into bench/ when all was measured with care, else into .cache/bench,
 * for a look. Gives the folder.
 */
export const writeReport = (
  results: readonly Measured[],
  circumstances: Circumstances,
  isWhole: boolean,
): string => {
  const folder = isWhole ? join(root, 'bench') : join(cache, 'bench')
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    join(folder, 'README.md'),
    insert(
      readFileSync(join(root, 'bench/README.md'), 'utf8'),
      'results',
      renderReport(results, circumstances),
    ),
  )
  const boots = results.find((result) => result.boots)?.boots
  if (boots) writeFileSync(join(folder, 'boot.svg'), drawBoots(boots))
  mkdirSync(join(cache, 'bench'), { recursive: true })
  writeFileSync(join(cache, 'bench/results.json'), JSON.stringify({ circumstances, results }, null, 1))
  return relative(root, folder)
}

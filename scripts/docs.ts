import { readFileSync, writeFileSync } from 'node:fs'
import { settingNames, settingOf } from '../src/settings/table.ts'
import { errorTable } from '../src/errors.ts'

const readme = new URL('../README.md', import.meta.url)
const row = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`.replaceAll('|  |', '| |')

const settingRows = (): string[] =>
  settingNames.map((name) => {
    const { kind, secret, only, default: fallback, choices, change, does } = settingOf(name)
    const what = [kind, ...(secret ? ['secret'] : []), ...(only ? ['environment only'] : [])].join(', ')
    return row([
      `\`${name}\``,
      what,
      fallback === undefined ? '' : `\`${fallback}\``,
      change,
      does + (choices ? ` One of ${choices.map((choice) => `\`${choice}\``).join(', ')}.` : ''),
    ])
  })

const tables: Readonly<Record<string, readonly string[]>> = {
  settings: [
    '| Variable | Kind | Default | A change needs | What it does |',
    '|---|---|---|---|---|',
    ...settingRows(),
  ],
  errors: [
    '| Exit code | Code | What to do |',
    '|---|---|---|',
    ...Object.entries(errorTable).map(([code, { exitCode, hint }]) => row([String(exitCode), code, hint])),
  ],
}

/** README.md with its tables made anew from the sources. */
export const renderReadme = (text: string): string =>
  Object.entries(tables).reduce(
    (all, [name, lines]) =>
      all.replace(
        new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- ${name} -->)`),
        (_, begin: string, end: string) => `${begin}${lines.join('\n')}\n${end}`,
      ),
    text,
  )

if (process.argv[1] === new URL(import.meta.url).pathname)
  writeFileSync(readme, renderReadme(readFileSync(readme, 'utf8')))

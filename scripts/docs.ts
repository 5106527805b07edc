// npm run docs: writes into the documents what the sources say, between markers such as <!-- errors -->.
import { readFileSync, writeFileSync } from 'node:fs'
import { commands } from '../src/cli/index.ts'
import { errorTable } from '../src/errors.ts'
import { actionInWords } from '../src/settings/plan.ts'
import { versionsInWords } from '../src/settings/mathesar-versions.ts'
import { settingNames, settingOf } from '../src/settings/table.ts'
import { units } from '../src/units/index.ts'
import { chartReadmePath, chartSchemaPath, renderChartSchema, renderChartValues } from './chart.ts'
import { renderAssets, renderConsoleAssets } from './page.ts'

const row = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`.replaceAll('|  |', '| |')

const settingRow = (name: (typeof settingNames)[number]): string => {
  const {
    kind,
    alias,
    secret,
    only,
    default: fallback,
    choices,
    min,
    max,
    appliesBy,
    description,
  } = settingOf(name)
  const range = min === undefined || max === undefined ? [] : [`${min} to ${max}`]
  return row([
    `\`${name}\``,
    [
      kind,
      ...range,
      ...(secret ? ['secret'] : []),
      ...(only ? ['environment only'] : []),
      ...(alias ? [`or \`${alias}\``] : []),
    ].join(', '),
    fallback === undefined ? '' : `\`${fallback}\``,
    appliesBy,
    description +
      (versionsInWords(name) === '' ? '' : ` Mathesar reads it ${versionsInWords(name)}.`) +
      (choices ? ` One of ${choices.map((choice) => `\`${choice}\``).join(', ')}.` : ''),
  ])
}

/**
 * The units as a picture: a task is a box, a service is round; a broken line says what must be done before a
 * service may serve.
 */
const drawGraph = (): string[] => {
  const edge = (from: readonly string[] | undefined, arrow: string, to: string): string[] =>
    from === undefined || from.length === 0 ? [] : [`  ${from.join(' & ')} ${arrow} ${to}`]
  return [
    '```mermaid',
    'flowchart LR',
    ...units.map(({ name, kind }) => `  ${name}${kind === 'service' ? `([${name}])` : ''}`),
    ...units.flatMap(({ name, needs }) => edge(needs, '-->', name)),
    ...units.flatMap((unit) => (unit.kind === 'service' ? edge(unit.servesAfter, '-.->', unit.name) : [])),
    '```',
  ]
}

/** The help of a command is its usage, its summary and, for some, details, with a blank line between them. */
const usageOf = (help: string): string => help.split('\n')[0]!.replace('Usage: ', '')
const detailsOf = (help: string): readonly string[] => help.split('\n').slice(4)

const parts: Readonly<Record<string, () => readonly string[]>> = {
  settings: () => [
    '| Setting | Kind | Default | Applied by | What it does |',
    '|---|---|---|---|---|',
    ...settingNames.map(settingRow),
  ],
  actions: () => Object.entries(actionInWords).map(([action, inWords]) => `- \`${action}\`: ${inWords}`),
  errors: () => [
    '| Exit code | Code | What to do |',
    '|---|---|---|',
    ...Object.entries(errorTable)
      .toSorted(([, one], [, other]) => one.exitCode - other.exitCode)
      .map(([code, { exitCode, hint }]) => row([String(exitCode), code, hint])),
  ],
  commands: () => [
    '| Command | What it does |',
    '|---|---|',
    ...commands.map(({ help, summary }) => row([`\`${usageOf(help)}\``, summary])),
  ],
  config: () => ['```', ...detailsOf(commands.find(({ name }) => name === 'config')?.help ?? ''), '```'],
  graph: drawGraph,
  values: renderChartValues,
}

/** The documents that have such parts. */
export const documents = [
  'docs/settings.md',
  'docs/errors.md',
  'docs/commands.md',
  'src/README.md',
  chartReadmePath,
] as const

/** What nginx shows by itself. */
export const startingPath = 'rootfs/usr/local/share/supervisor/starting.html'

/** A document with its parts as the sources have them now. */
export const renderDocument = (text: string): string =>
  Object.entries(parts).reduce(
    (all, [name, render]) =>
      all.replace(
        new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- ${name} -->)`),
        (_, begin: string, end: string) => `${begin}${render().join('\n')}\n${end}`,
      ),
    text,
  )

if (process.argv[1] === new URL(import.meta.url).pathname) {
  for (const document of documents) {
    const path = new URL(`../${document}`, import.meta.url)
    writeFileSync(path, renderDocument(readFileSync(path, 'utf8')))
  }
  const write = (path: string, text: string): void =>
    writeFileSync(new URL(`../${path}`, import.meta.url), text)
  write(chartSchemaPath, renderChartSchema())
  write('src/page/assets.ts', await renderAssets())
  write('src/page/console/assets.ts', await renderConsoleAssets())
  // Both hold the assets.
  const { renderOpenApi } = await import('./openapi.ts')
  const { startingPage } = await import('../src/page/render.ts')
  write('docs/openapi.json', renderOpenApi())
  write(startingPath, startingPage())
}

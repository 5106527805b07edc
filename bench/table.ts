// The rows as people read them: as a table in Markdown, and as lines that fit a terminal.
import { peers, peerNames } from './peers.ts'
import type { Column, Row } from './row.ts'
import { range, median, show, showNumber } from './statistics.ts'

const columns: readonly Column[] = [...peerNames, 'node']
const titleOf = (column: Column): string => (column === 'node' ? 'bare Node' : peers[column].title)
const mark = ({ met }: Row): string => {
  if (met === undefined) return ''
  return met ? '✓' : '✗'
}

/** One line a figure; what there is to add follows below, by number. */
export const markdownTable = (rows: readonly Row[]): string => {
  const notes: string[] = []
  const noteOf = ({ note }: Row): string => (note === undefined ? '' : ` <sup>${notes.push(note)}</sup>`)
  const cell = ({ cells, unit }: Row, column: Column): string => {
    const values = cells[column]
    if (values === undefined) return ''
    const spread = range(values)
    return showNumber(median(values), unit) + (spread === undefined ? '' : `<br><sub>${spread}</sub>`)
  }
  const line = (parts: readonly string[]): string => `| ${parts.join(' | ')} |`
  const lines = rows.map((row) =>
    line([row.figure + noteOf(row), row.bar, mark(row), ...columns.map((column) => cell(row, column))]),
  )
  return [
    line(['Figure', 'Bar', 'Met', ...columns.map(titleOf)]),
    line(['---', '---', ':-:', ...columns.map(() => '--:')]),
    ...lines,
    ...(notes.length === 0 ? [] : ['', ...notes.map((note, index) => `${index + 1}. ${note}`)]),
  ].join('\n')
}

export const terminalTable = (rows: readonly Row[]): string =>
  rows
    .map((row) => {
      const others = columns.flatMap((column) =>
        column === 'ours' || row.cells[column] === undefined
          ? []
          : [`${titleOf(column)} ${show(row.cells[column], row.unit)}`],
      )
      const lines = [
        `${mark(row) || '·'} ${row.figure}: ` +
          `${row.cells.ours === undefined ? 'no figure' : show(row.cells.ours, row.unit)}`,
        ...(row.bar === '' ? [] : [`bar: ${row.bar}`]),
        ...(others.length === 0 ? [] : [others.join(' · ')]),
        ...(row.note === undefined ? [] : [row.note]),
      ]
      return `${lines.join('\n    ')}\n`
    })
    .join('\n')

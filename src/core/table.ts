import { printable } from './message.ts'

/** Rows of cells as aligned columns, for a terminal. A cell is one line, whatever it holds. */
export const renderTable = (table: readonly (readonly string[])[]): string => {
  const rows = table.map((row) => row.map((cell) => printable(cell).replace(/[\n\t]/g, ' ')))
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

import { printable } from './message.ts'

/** Rows of cells as aligned columns, for a terminal. A cell is one line; a row may lack its last cells. */
export const renderTable = (table: readonly (readonly string[])[]): string => {
  const rows = table.map((row) => row.map((cell) => printable(cell).replace(/[\n\t]/g, ' ')))
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

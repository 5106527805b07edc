import type { Table } from './names.ts'
import { quoteName } from '../../units/postgres/quoting.ts'

/**
 * A column that was dropped keeps its number, and a dump does not: it would close the gap. So each table is
 * made with a stand-in for every such column, which goes at once. Whatever this gets wrong is found
 * afterwards, where the numbers of every column are compared.
 */
const standIn = (attnum: number): string => `"........pg.dropped.${attnum}........"`

const isMadeByCommand = ({ kind }: Table): boolean => ['r', 'p', 'f'].includes(kind)

/** Tables of which some columns were dropped. */
export const withGaps = (tables: readonly Table[]): readonly Table[] =>
  tables.filter((table) => isMadeByCommand(table) && table.columns.includes(null))

/** The stand-ins before each column that is there, and those after the last one. */
const placesOf = ({ columns }: Table) => {
  const before = new Map<string, number[]>()
  let open: number[] = []
  columns.forEach((name, index) => {
    if (name === null) return void open.push(index + 1)
    if (open.length > 0) before.set(name, open)
    open = []
  })
  return { before, after: open }
}

const endOfEntry = '\n\n\n--\n'

/** One `CREATE TABLE` with what follows it up to the next entry of the dump. */
const fill = (entry: string, table: Table): string => {
  const { before, after } = placesOf(table)
  const name = `${quoteName(table.schema)}.${quoteName(table.name)}`
  const kind = table.kind === 'f' ? 'FOREIGN TABLE' : 'TABLE'
  let filled = entry
  let from = 0
  for (const column of table.columns) {
    if (column === null) continue
    const at = filled.indexOf(`\n    ${quoteName(column)} `, from)
    if (at === -1) continue // One of a parent, which has its numbers from there.
    const lines = (before.get(column) ?? []).map((attnum) => `\n    ${standIn(attnum)} integer,`).join('')
    filled = filled.slice(0, at) + lines + filled.slice(at)
    from = at + lines.length + 1
  }
  const commands = [
    ...after.map((attnum) => `ALTER ${kind} ${name} ADD COLUMN ${standIn(attnum)} integer;`),
    ...[...before.values(), after]
      .flat()
      .map((attnum) => `ALTER ${kind} ${name} DROP COLUMN ${standIn(attnum)};`),
  ]
  return `${filled}\n\n${commands.join('\n')}`
}

/** They come with the extension or the database, which may be another role's (`databases.ts`). */
const usualComment = /^COMMENT ON (?:EXTENSION .*|SCHEMA "public" IS '(?:[^']|'')*');$/gm

/** One with an extension in it is there, too. */
const newSchema = /(; Type: SCHEMA; Schema: -; Owner: .*\n--\n\n)CREATE SCHEMA (?!IF NOT EXISTS )/g

/** The part of a dump that makes the tables, with their gaps. */
export const keepGaps = (sql: string, tables: readonly Table[]): string => {
  let kept = sql.replaceAll(usualComment, '').replaceAll(newSchema, '$1CREATE SCHEMA IF NOT EXISTS ')
  for (const table of withGaps(tables)) {
    const name = `${quoteName(table.schema)}.${quoteName(table.name)}`
    const beginning = ['CREATE TABLE', 'CREATE UNLOGGED TABLE', 'CREATE FOREIGN TABLE']
      .map((command) => kept.indexOf(`\n${command} ${name} `))
      .find((at) => at !== -1)
    if (beginning === undefined) continue
    const end = kept.indexOf(endOfEntry, beginning)
    const upTo = end === -1 ? kept.length : end
    kept = kept.slice(0, beginning) + fill(kept.slice(beginning, upTo), table) + kept.slice(upTo)
  }
  return kept
}

import type { Table } from './names.ts'
import { quoteName } from '../../units/postgres/quoting.ts'

/**
 * A column that was dropped keeps its number, and a dump does not: it would close the gap. So each table is
 * made with a stand-in for every such column, which goes at once. Whatever this gets wrong is found
 * afterwards, where the numbers of every column are compared.
 */
const standIn = (attnum: number): string => `"........pg.dropped.${attnum}........"`

const isMadeByCommand = ({ kind }: Table): boolean => ['r', 'p', 'f'].includes(kind)

/** Tables with columns that were dropped. */
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

const nameOf = ({ schema, name }: Table): string => `${quoteName(schema)}.${quoteName(name)}`

/** Where in the dump a table is made, with what follows it up to the next entry. */
const findEntry = (sql: string, table: Table): { readonly from: number; readonly to: number } | undefined => {
  const from = ['CREATE TABLE', 'CREATE UNLOGGED TABLE', 'CREATE FOREIGN TABLE']
    .map((command) => sql.indexOf(`\n${command} ${nameOf(table)} `))
    .find((at) => at !== -1)
  if (from === undefined) return undefined
  const end = sql.indexOf(endOfEntry, from)
  return { from, to: end === -1 ? sql.length : end }
}

/** The names of tables that it inherits from, as they stand there. */
const parentsIn = (sql: string, table: Table): string => {
  const { from, to } = findEntry(sql, table) ?? { from: 0, to: 0 }
  return /\nINHERITS \((.*)\)/.exec(sql.slice(from, to))?.[1] ?? ''
}

type Filled = { readonly entry: string; readonly drops: string }

/** One `CREATE TABLE` with stand-ins; and what drops them. One that is inherited may be there, or gone. */
const fill = (entry: string, table: Table, isInherited: boolean): Filled => {
  const { before, after } = placesOf(table)
  const command = `ALTER ${table.kind === 'f' ? 'FOREIGN TABLE' : 'TABLE'} ${nameOf(table)}`
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
  const [unlessThere, ifThere] = isInherited ? ['IF NOT EXISTS ', 'IF EXISTS '] : ['', '']
  const adds = after.map((attnum) => `${command} ADD COLUMN ${unlessThere}${standIn(attnum)} integer;`)
  const drops = [...before.values(), after]
    .flat()
    .map((attnum) => `${command} DROP COLUMN ${ifThere}${standIn(attnum)};`)
  return { entry: [`${filled}\n`, ...adds].join('\n'), drops: drops.join('\n') }
}

/** They come with the extension or the database, which may be another role's (`databases.ts`). */
const usualComment = /^COMMENT ON (?:EXTENSION .*|SCHEMA "public" IS '(?:[^']|'')*');$/gm

/** One with an extension in it is there, too. */
const newSchema = /(; Type: SCHEMA; Schema: -; Owner: .*\n--\n\n)CREATE SCHEMA (?!IF NOT EXISTS )/g

/**
 * The part of a dump that makes the tables, with their gaps. A child has those of its parents from there: so
 * they are dropped when all are made, parents first.
 */
export const keepGaps = (sql: string, tables: readonly Table[]): string => {
  let kept = sql.replaceAll(usualComment, '').replaceAll(newSchema, '$1CREATE SCHEMA IF NOT EXISTS ')
  const gapped = withGaps(tables)
  const parents = new Map(gapped.map((table) => [table, parentsIn(kept, table)]))
  const isInherited = (table: Table): boolean =>
    parents.get(table) !== '' || [...parents.values()].some((names) => names.includes(nameOf(table)))
  const late: { readonly from: number; readonly drops: string }[] = []
  const order = new Map(gapped.map((table) => [table, findEntry(sql, table)?.from ?? 0]))
  for (const table of gapped) {
    const place = findEntry(kept, table)
    if (place === undefined) continue
    const { entry, drops } = fill(kept.slice(place.from, place.to), table, isInherited(table))
    if (isInherited(table)) late.push({ from: order.get(table)!, drops })
    const made = isInherited(table) ? entry : `${entry}\n${drops}`
    kept = kept.slice(0, place.from) + made + kept.slice(place.to)
  }
  return [kept, ...late.toSorted((a, b) => a.from - b.from).map(({ drops }) => `${drops}\n`)].join('')
}

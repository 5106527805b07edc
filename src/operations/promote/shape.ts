/**
 * The theory of the parts of a dump.
 *
 * Rows are put in and taken out of the copy after it was made, so what would act on that comes last: keys to
 * other tables, triggers, rules, rights. A dump has its parts in an order in which each needs only what is
 * before it: tables; keys and indexes; the rest. So one cut divides it, and nothing changes its place.
 */
export type Parts = {
  /** What every part begins with. */
  readonly head: string
  readonly tables: string
  /** Primary keys and indexes, without which rows are not found. */
  readonly keys: string
  /** Where in the whole dump begins the rest. */
  readonly restAt: number
}

const entry = /\n--\n-- Name: .*; Type: ([A-Z ]+); Schema: .*\n--\n/g
const end = '\n--\n-- PostgreSQL database dump complete\n'
const isKey = new Set(['CONSTRAINT', 'INDEX', 'INDEX ATTACH', 'STATISTICS', 'CHECK CONSTRAINT', 'COMMENT'])

/** What servers before 17 do not know. */
const newSetting = /^SET transaction_timeout = 0;\n/m
export const forOlder = (sql: string): string => sql.replace(newSetting, '')

/** Divides the dump of a schema. `tables` is its beginning: dumped by itself, without rights. */
export const partsOf = (tables: string, whole: string): Parts | undefined => {
  const from = tables.lastIndexOf(end)
  const head = tables.slice(0, Math.max(tables.search(/\n--\n-- Name: /), 0))
  if (from === -1 || !whole.startsWith(tables.slice(0, from))) return undefined
  const upTo = whole.lastIndexOf(end)
  const first = [...whole.slice(from, upTo).matchAll(entry)].find(([, type]) => !isKey.has(type!))
  const restAt = first === undefined ? upTo : from + first.index
  return { head: head || tables.slice(0, from), tables, keys: whole.slice(from, restAt), restAt }
}

const name = '"(?:[^"\\n]|"")+"'
const foreignKey = new RegExp(
  `^(ALTER TABLE ONLY ${name}\\.${name}\\n    ADD CONSTRAINT ${name} FOREIGN KEY .*(?<! NOT VALID));$`,
  'gm',
)

/** Foreign keys that hold from now on, and are proved for the rows that are there afterwards. */
export const provedLater = (sql: string): string => sql.replaceAll(foreignKey, '$1 NOT VALID;')

import { quoteName } from '../../units/postgres/quoting.ts'

/**
 * The theory of the parts of a dump.
 *
 * Rows are put in and taken out of the copy after it was made, so what would act on that comes last: keys to
 * other tables, triggers, rules, rights. A dump has its parts in an order in which each needs only what is
 * before it: tables; keys and indexes; the rest. So one cut divides it, and nothing changes its place but the
 * checks among the keys, which no other part needs: rows of before need not pass one that is NOT VALID.
 */
export type Parts = {
  /** What every part begins with. */
  readonly head: string
  readonly tables: string
  /** Primary keys and indexes, without which rows are not found. */
  readonly keys: string
} & Cuts

/** Where in the whole dump begin the keys, and the rest. */
type Cuts = { readonly keysAt: number; readonly restAt: number }

const entry = /\n--\n-- Name: .*; Type: ([A-Z ]+); Schema: .*\n--\n/g
const end = '\n--\n-- PostgreSQL database dump complete\n'
const check = 'CHECK CONSTRAINT'
const isKey = new Set(['CONSTRAINT', 'INDEX', 'INDEX ATTACH', 'STATISTICS', check, 'COMMENT'])

type Entry = { readonly at: number; readonly type: string }

/** Of keys, in which nothing but texts and names has lines of people: one may look like the next entry. */
const entriesIn = (sql: string): readonly Entry[] => {
  const plain = sql.replaceAll(/--.*|'[^']*'|"[^"]*"/g, (part) =>
    part.startsWith('--') ? part : part.replaceAll('\n', ' '),
  )
  return [...plain.matchAll(entry)].map(({ index, 1: type }) => ({ at: index, type: type! }))
}

/** Checks with their comments, which follow them, or all but these. */
const only = (wanted: 'checks' | 'others', sql: string): string => {
  let isCheck = false
  return entriesIn(sql)
    .map(({ at, type }, index, entries) => {
      isCheck = type === check || (type === 'COMMENT' && isCheck)
      return isCheck === (wanted === 'checks') ? sql.slice(at, entries[index + 1]?.at) : ''
    })
    .join('')
}

const headOf = (sql: string): string => sql.slice(0, Math.max(sql.search(/\n--\n-- Name: /), 0))

/** What servers before 17 do not know. */
const newSetting = /^SET transaction_timeout = 0;\n/m
export const forOlder = (sql: string): string => sql.replace(newSetting, '')

/** Divides the dump of a schema. `tables` is its beginning: dumped by itself, without rights. */
export const divideDump = (tables: string, whole: string): Parts | undefined => {
  const keysAt = tables.lastIndexOf(end)
  if (keysAt === -1 || !whole.startsWith(tables.slice(0, keysAt))) return undefined
  const upTo = whole.lastIndexOf(end)
  const first = entriesIn(whole.slice(keysAt, upTo)).find(({ type }) => !isKey.has(type))
  const restAt = first === undefined ? upTo : keysAt + first.at
  const keys = only('others', whole.slice(keysAt, restAt))
  return { head: headOf(tables) || tables.slice(0, keysAt), tables, keys, keysAt, restAt }
}

const name = '"(?:[^"\\n]|"")+"'
const foreignKey = new RegExp(
  `^(ALTER TABLE ONLY ${name}\\.${name}\\n    ADD CONSTRAINT ${name} FOREIGN KEY .*(?<! NOT VALID));$`,
  'gm',
)

/** Foreign keys that hold from now on, and are proved for the rows that are there afterwards. */
export const provedLater = (sql: string): string => sql.replaceAll(foreignKey, '$1 NOT VALID;')

/** What comes behind the rows. */
export const restOf = (whole: string, { keysAt, restAt }: Cuts): string =>
  headOf(whole) + only('checks', whole.slice(keysAt, restAt)) + provedLater(whole.slice(restAt))

/** A role of the other server, and whether ours may do what it may. */
export type RoleThere = { readonly name: string; readonly isOurs: boolean }

const rightsLine = /^(?:ALTER DEFAULT PRIVILEGES|GRANT|REVOKE) .*;$/gm
const giverIn = new RegExp(`^ALTER DEFAULT PRIVILEGES FOR ROLE (${name}) `)
const takerIn = new RegExp(` (?:TO|FROM) (${name})(?: WITH GRANT OPTION)?;$`)

/**
 * Rights as our role can give them: who passed a right on, does it there, too. Those that a superuser gives,
 * or for a role that is not there, are left out, and named.
 */
export const rightsFor = (
  sql: string,
  roles: readonly RoleThere[],
): { readonly sql: string; readonly left: readonly string[] } => {
  const there = new Set(roles.map((role) => quoteName(role.name)))
  const ours = new Set(roles.filter(({ isOurs }) => isOurs).map((role) => quoteName(role.name)))
  const left: string[] = []
  const kept = sql
    .replaceAll(/^SET SESSION AUTHORIZATION (".*");$/gm, 'SET ROLE $1;')
    .replaceAll(/^RESET SESSION AUTHORIZATION;$/gm, 'RESET ROLE;')
    .replaceAll(rightsLine, (line) => {
      const [giver, taker] = [giverIn.exec(line)?.[1], takerIn.exec(line)?.[1]]
      if ((giver === undefined || ours.has(giver)) && (taker === undefined || there.has(taker))) return line
      left.push(line.slice(0, -1))
      return ''
    })
  return { sql: kept, left }
}

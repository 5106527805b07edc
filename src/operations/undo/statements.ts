import { firstFew, printable } from '../../core/message.ts'
import { formatLsn } from '../../units/postgres/lsn.ts'
import type { Names, TableName } from '../../units/undo.ts'
import type { Commit, LogFile, LogVisitor, RowChange } from './log-changes.ts'

/**
 * What was destroyed, as Postgres's own log tells it: it has each row that was deleted, each file that was
 * dropped, with the moment of the commit, whatever did that: a statement, a function of Mathesar, a cascade.
 * The log of statements would not: Mathesar drops tables within functions. The log knows files by number
 * alone, so names are those that were noted before.
 */

/** Something that people may regret. `lsn` is where to stop just before it. */
export type Destruction = {
  /** Of the commit; milliseconds since 1970. */
  readonly atMs: number
  readonly lsn: string
  readonly verb: 'DROP TABLE' | 'DROP DATABASE' | 'TRUNCATE' | 'DELETE' | 'UPDATE'
  /** Names with their schemas. */
  readonly names: readonly string[]
  readonly database: string
  readonly rows: number
}

/** An update of fewer rows is work. */
const fewRows = 10
/** Transactions that are under way at once, and files in one, as far as they are followed. */
const openLimit = 5000
const fileLimit = 2000

type Transaction = {
  /** Rows by file. */
  readonly deleted: Map<string, number>
  readonly updated: Map<string, number>
  readonly created: string[]
}

type Known = {
  /** As noted before, and now. */
  readonly names: Names
  readonly present: Names
}

const newTransaction = (): Transaction => ({ deleted: new Map(), updated: new Map(), created: [] })

const addUp = (counts: Map<string, number>, more: ReadonlyMap<string, number>): void => {
  for (const [file, count] of more) counts.set(file, (counts.get(file) ?? 0) + count)
}

/** A transaction and those within it. */
const mergeInto = (whole: Transaction, part: Transaction): void => {
  addUp(whole.deleted, part.deleted)
  addUp(whole.updated, part.updated)
  whole.created.push(...part.created)
}

const keyOf = ({ database, file }: LogFile): string => `${database}/${file}`

/**
 * Follows the log. What is destroyed is told when it is committed. Most of a log are rows that were written:
 * they count only in files that a transaction made which is not over.
 */
export class Destructions implements LogVisitor {
  readonly #known: Known
  readonly #isThere: ReadonlySet<string>
  /** Files that tables came to meanwhile: a rewritten table gets another one. */
  readonly #moved = new Map<string, TableName>()
  readonly #open = new Map<number, Transaction>()
  /** Files of transactions that are not over, and whether something was written to them. */
  readonly #fresh = new Map<string, boolean>()
  readonly #found: (destruction: Destruction) => void
  #droppedDatabase: { readonly database: string; readonly lsn: string } | undefined

  constructor(known: Known, found: (destruction: Destruction) => void) {
    this.#known = known
    this.#found = found
    this.#isThere = new Set(
      Object.entries(known.present.tables).map(([file, { oid }]) => `${file.split('/')[0]}/${oid}`),
    )
  }

  row(xid: number, change: RowChange, database: number, file: number): void {
    if (change === 'written' && this.#fresh.size === 0) return
    const key = `${database}/${file}`
    if (change === 'written') {
      if (this.#fresh.has(key)) this.#fresh.set(key, true)
      return
    }
    const counts = this.#at(xid)[change]
    const count = counts.get(key)
    if (count !== undefined || counts.size < fileLimit) counts.set(key, (count ?? 0) + 1)
  }

  created(xid: number, file: LogFile): void {
    const { created } = this.#at(xid)
    if (created.length >= fileLimit) return
    created.push(keyOf(file))
    this.#fresh.set(keyOf(file), false)
  }

  databaseDropped(lsn: number, oid: number): void {
    const database = this.#known.names.databases[oid]
    if (database !== undefined) this.#droppedDatabase = { database, lsn: formatLsn(lsn) }
  }

  ended(xid: number, lsn: number, parts: readonly number[], commit: Commit | undefined): void {
    const whole = this.#open.get(xid) ?? newTransaction()
    for (const part of parts) mergeInto(whole, this.#open.get(part) ?? newTransaction())
    if (commit !== undefined) this.#tell(whole, { atMs: commit.atMs, lsn: formatLsn(lsn) }, commit.dropped)
    for (const ended of [xid, ...parts]) this.#open.delete(ended)
    for (const file of whole.created) this.#fresh.delete(file)
  }

  #at(xid: number): Transaction {
    const open = this.#open.get(xid) ?? newTransaction()
    if (!this.#open.has(xid) && this.#open.size < openLimit) this.#open.set(xid, open)
    return open
  }

  #tell(whole: Transaction, when: Pick<Destruction, 'atMs' | 'lsn'>, dropped: readonly LogFile[]): void {
    if (this.#droppedDatabase !== undefined) {
      const { database, lsn } = this.#droppedDatabase
      this.#droppedDatabase = undefined
      const gone = { verb: 'DROP DATABASE', names: [database], database, rows: 0 } as const
      return this.#found({ atMs: when.atMs, lsn, ...gone })
    }
    this.#tellDropped(whole, when, dropped.map(keyOf))
    this.#tellRows(when, 'DELETE', whole.deleted)
    for (const [file, count] of whole.updated) if (count < fewRows) whole.updated.delete(file)
    this.#tellRows(when, 'UPDATE', whole.updated)
  }

  /** A table whose rows went to another file was rewritten: VACUUM FULL, ALTER TABLE. */
  #tellDropped(
    { created }: Transaction,
    when: Pick<Destruction, 'atMs' | 'lsn'>,
    dropped: readonly string[],
  ): void {
    const tables = dropped.flatMap((file) => this.#tableOf(file) ?? [])
    const [first] = created // The table itself: what belongs to it is created after it.
    const isRewritten = first !== undefined && this.#fresh.get(first) === true
    if (tables.length === 1 && first !== undefined) this.#moved.set(first, tables[0]!)
    const gone = new Map<string, { readonly verb: 'DROP TABLE' | 'TRUNCATE'; readonly names: string[] }>()
    for (const file of dropped) {
      const table = this.#tableOf(file)
      if (table === undefined) continue
      const [oid = ''] = file.split('/')
      const isTruncated = created.length > 0 && this.#isThere.has(`${oid}/${table.oid}`)
      if (isTruncated && isRewritten) continue
      const verb = isTruncated ? 'TRUNCATE' : 'DROP TABLE'
      const known = gone.get(`${oid} ${verb}`) ?? { verb, names: [] }
      known.names.push(table.name)
      gone.set(`${oid} ${verb}`, known)
    }
    for (const [key, { verb, names }] of gone)
      this.#found({ ...when, verb, names, database: this.#databaseOf(key.split(' ')[0]!), rows: 0 })
  }

  #tellRows(
    when: Pick<Destruction, 'atMs' | 'lsn'>,
    verb: 'DELETE' | 'UPDATE',
    counts: ReadonlyMap<string, number>,
  ): void {
    for (const [file, rows] of counts) {
      const table = this.#tableOf(file)
      if (table === undefined) continue
      const database = this.#databaseOf(file.split('/')[0]!)
      this.#found({ ...when, verb, names: [table.name], database, rows })
    }
  }

  #tableOf(file: string): TableName | undefined {
    return this.#known.names.tables[file] ?? this.#known.present.tables[file] ?? this.#moved.get(file)
  }

  #databaseOf(oid: string): string {
    return this.#known.names.databases[oid] ?? this.#known.present.databases[oid] ?? oid
  }
}

/** Anybody may name a table, also with what drives a terminal. */
const shown = (name: string): string => printable(name).replaceAll(/\s+/g, ' ')

/** Such as "DELETE 12 rows of public.invoices in db". */
export const inWords = ({ verb, names, database, rows }: Destruction): string => {
  const [what, where] = [firstFew(names, shown, { limit: 3 }).join(', '), shown(database)]
  switch (verb) {
    case 'DROP DATABASE':
      return `${verb} ${where}`
    case 'DROP TABLE':
    case 'TRUNCATE':
      return `${verb} ${what} in ${where}`
    case 'DELETE':
    case 'UPDATE':
      return `${verb} ${rows} row${rows === 1 ? '' : 's'} of ${what} in ${where}`
  }
}

const verbs = /^\s*(drop\s+table|drop\s+database|truncate(?:\s+table)?|delete(?:\s+from)?|update)\s+/i

/** Whether what was typed means it: the verb, and the name of a table with or without its schema. */
export const isMeant = (text: string, { verb, names }: Destruction): boolean => {
  const [whole = '', said = ''] = verbs.exec(text) ?? []
  const [, name = ''] = /^(?:if\s+exists\s+)?([^\s;]+)/i.exec(text.slice(whole.length)) ?? []
  const saidVerb = said.toUpperCase().replaceAll(/\s+/g, ' ')
  if (saidVerb.replace(/^(TRUNCATE|DELETE) .*/, '$1') !== verb) return false
  const bare = (quoted: string): string => quoted.replaceAll('"', '')
  return names.some((full) => [full, full.slice(full.indexOf('.') + 1)].map(bare).includes(bare(name)))
}

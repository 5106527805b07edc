import { firstFew, printable } from '../../core/message.ts'
import type { Names, TableName } from '../../units/undo.ts'

/**
 * What was destroyed, as Postgres's own log tells it (`pg_waldump`): it has each row that was deleted, each
 * file that was dropped, with the moment of the commit, whatever did that: a statement, a function of
 * Mathesar, a cascade. The log of statements would not: Mathesar drops tables within functions. The log knows
 * files by number alone, so names are those that were noted before.
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
  readonly deleted: Map<string, number>
  readonly updated: Map<string, number>
  readonly created: Set<string>
  readonly written: Set<string>
}

type Known = {
  /** As noted before, and now. */
  readonly names: Names
  readonly present: Names
}

const newTransaction = (): Transaction => ({
  deleted: new Map(),
  updated: new Map(),
  created: new Set(),
  written: new Set(),
})

const addUp = (counts: Map<string, number>, more: ReadonlyMap<string, number>): void => {
  for (const [file, count] of more) counts.set(file, (counts.get(file) ?? 0) + count)
}

/** A transaction and those within it. */
const mergeInto = (whole: Transaction, part: Transaction): void => {
  addUp(whole.deleted, part.deleted)
  addUp(whole.updated, part.updated)
  for (const file of part.created) whole.created.add(file)
  for (const file of part.written) whole.written.add(file)
}

const linePattern = /^rmgr: (\w+) .*?, tx: +(\d+), lsn: ([0-9A-F]+\/[0-9A-F]+), .*?desc: (.*)$/
const filePattern = /rel \d+\/(\d+\/\d+)/g

/** Follows the log line by line. What is destroyed is told when it is committed. */
export class Destructions {
  readonly #known: Known
  readonly #isThere: ReadonlySet<string>
  /** Files that tables came to meanwhile: a rewritten table gets another one. */
  readonly #moved = new Map<string, TableName>()
  readonly #open = new Map<string, Transaction>()
  readonly #found: (destruction: Destruction) => void
  #droppedDatabase: { readonly database: string; readonly lsn: string } | undefined

  constructor(known: Known, found: (destruction: Destruction) => void) {
    this.#known = known
    this.#found = found
    this.#isThere = new Set(
      Object.entries(known.present.tables).map(([file, { oid }]) => `${file.split('/')[0]}/${oid}`),
    )
  }

  read(line: string): void {
    const [, manager, xid = '', lsn = '', text = ''] = linePattern.exec(line) ?? []
    switch (manager) {
      case 'Heap':
      case 'Heap2':
      case 'XLOG':
        return this.#noteRow(xid, text)
      case 'Storage':
        return this.#noteFile(xid, text)
      case 'Database':
        return this.#noteDatabase(lsn, text)
      case 'Transaction':
        return this.#end(xid, lsn, text)
      case undefined:
        return undefined
    }
  }

  #at(xid: string): Transaction {
    const open = this.#open.get(xid) ?? newTransaction()
    if (!this.#open.has(xid) && this.#open.size < openLimit) this.#open.set(xid, open)
    return open
  }

  #noteRow(xid: string, text: string): void {
    const file = filePattern.exec(text)?.[1]
    filePattern.lastIndex = 0
    if (file === undefined || xid === '0') return
    const transaction = this.#at(xid)
    const count = (counts: Map<string, number>): void =>
      void (counts.size < fileLimit && counts.set(file, (counts.get(file) ?? 0) + 1))
    if (text.startsWith('DELETE')) return count(transaction.deleted)
    if (/^(HOT_)?UPDATE/.test(text)) return count(transaction.updated)
    if (transaction.written.size < fileLimit) transaction.written.add(file)
  }

  #noteFile(xid: string, text: string): void {
    const [, file] = /^CREATE base\/(\d+\/\d+)$/.exec(text) ?? []
    const { created } = this.#at(xid)
    if (file !== undefined && created.size < fileLimit) created.add(file)
  }

  #noteDatabase(lsn: string, text: string): void {
    const [, oid] = /^DROP dir \d+\/(\d+)/.exec(text) ?? []
    const database = oid === undefined ? undefined : this.#known.names.databases[oid]
    if (database !== undefined) this.#droppedDatabase = { database, lsn }
  }

  #end(xid: string, lsn: string, text: string): void {
    const [, at = ''] = /^COMMIT (?:PREPARED )?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC/.exec(text) ?? []
    const parts = /; subxacts:((?: \d+)+)/.exec(text)?.[1]?.trim().split(' ') ?? []
    const whole = this.#open.get(xid) ?? newTransaction()
    for (const part of parts) mergeInto(whole, this.#open.get(part) ?? newTransaction())
    for (const ended of [xid, ...parts]) this.#open.delete(ended)
    if (at !== '') this.#tell(whole, { atMs: Date.parse(`${at.replace(' ', 'T')}Z`), lsn }, text)
  }

  #tell(whole: Transaction, when: Pick<Destruction, 'atMs' | 'lsn'>, text: string): void {
    if (this.#droppedDatabase !== undefined) {
      const { database, lsn } = this.#droppedDatabase
      this.#droppedDatabase = undefined
      return this.#found({
        atMs: when.atMs,
        lsn,
        verb: 'DROP DATABASE',
        names: [database],
        database,
        rows: 0,
      })
    }
    const files = /; rels:((?: base\/\d+\/\w+)+)/.exec(text)?.[1]?.trim().split(' ') ?? []
    const dropped = files.map((path) => path.slice('base/'.length))
    this.#tellDropped(whole, when, dropped)
    this.#tellRows(when, 'DELETE', whole.deleted)
    for (const [file, count] of whole.updated) if (count < fewRows) whole.updated.delete(file)
    this.#tellRows(when, 'UPDATE', whole.updated)
  }

  /** A table whose rows went to another file was rewritten: VACUUM FULL, ALTER TABLE. */
  #tellDropped(
    { created, written }: Transaction,
    when: Pick<Destruction, 'atMs' | 'lsn'>,
    dropped: readonly string[],
  ): void {
    const tables = dropped.flatMap((file) => this.#tableOf(file) ?? [])
    const [first] = created // The table itself: what belongs to it is created after it.
    const isRewritten = first !== undefined && written.has(first)
    if (tables.length === 1 && first !== undefined) this.#moved.set(first, tables[0]!)
    const gone = new Map<string, { readonly verb: 'DROP TABLE' | 'TRUNCATE'; readonly names: string[] }>()
    for (const file of dropped) {
      const table = this.#tableOf(file)
      if (table === undefined) continue
      const [oid = ''] = file.split('/')
      const isTruncated = created.size > 0 && this.#isThere.has(`${oid}/${table.oid}`)
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

/** Whether somebody who types that means it: the verb, and the name of a table with or without its schema. */
export const isMeant = (text: string, { verb, names }: Destruction): boolean => {
  const [whole = '', said = ''] = verbs.exec(text) ?? []
  const [, name = ''] = /^(?:if\s+exists\s+)?([^\s;]+)/i.exec(text.slice(whole.length)) ?? []
  const saidVerb = said.toUpperCase().replaceAll(/\s+/g, ' ')
  if (saidVerb.replace(/^(TRUNCATE|DELETE) .*/, '$1') !== verb) return false
  const bare = (quoted: string): string => quoted.replaceAll('"', '')
  return names.some((full) => [full, full.slice(full.indexOf('.') + 1)].map(bare).includes(bare(name)))
}

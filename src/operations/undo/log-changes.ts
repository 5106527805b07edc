import { type LogRecord, managers, recordHeaderBytes } from './log-records.ts'

/**
 * What the records of the log say of rows, files and commits: `heapam_xlog.h`, `storage_xlog.h`, `xact.h` and
 * `dbcommands_xlog.h` of Postgres.
 */

export type RowChange = 'deleted' | 'updated' | 'written'
/** A table or another relation, by the numbers of its database and of its file. */
export type LogFile = { readonly database: number; readonly file: number }
export type Commit = {
  /** Milliseconds since 1970. */
  readonly atMs: number
  /** What went with it. */
  readonly dropped: readonly LogFile[]
}

export type LogVisitor = {
  readonly row: (xid: number, change: RowChange, database: number, file: number) => void
  readonly created: (xid: number, file: LogFile) => void
  readonly databaseDropped: (lsn: number, database: number) => void
  /** A transaction with those within it; without `commit` it was given up. */
  readonly ended: (xid: number, lsn: number, parts: readonly number[], commit: Commit | undefined) => void
}

const heap = { delete: 0x10, update: 0x20, hotUpdate: 0x40 } as const
const heapMask = 0x70
const transaction = { commit: 0, abort: 0x20, commitPrepared: 0x30, abortPrepared: 0x40 } as const
const transactionMask = 0x70
const [hasInfo, hasDatabase, hasParts, hasFiles] = [0x80, 1, 2, 4]
const storageCreate = 0x10
const databaseDrop = 0x20
const [hasImage, hasHole, isCompressed] = [0x10, 1, 0x1c]
const lastBlockId = 32
const dataIds = { short: 255, long: 254, origin: 253, topTransaction: 252 } as const
const epochMs = Date.UTC(2000, 0, 1)

/** Where the data of a record begins that has no blocks. */
const dataOf = ({ view, at }: LogRecord): number => {
  for (let place = at + recordHeaderBytes; ;) {
    const id = view.getUint8(place)
    if (id === dataIds.origin) place += 3
    else if (id === dataIds.topTransaction) place += 5
    else return place + (id === dataIds.short ? 2 : 5)
  }
}

const changeOf = (manager: number, info: number): RowChange => {
  if (manager !== managers.heap) return 'written'
  const operation = info & heapMask
  if (operation === heap.delete) return 'deleted'
  return operation === heap.update || operation === heap.hotUpdate ? 'updated' : 'written'
}

const readFile = (view: DataView, place: number): LogFile => ({
  database: view.getUint32(place + 4, true),
  file: view.getUint32(place + 8, true),
})

const readRow = ({ view, at, bytes, xid, manager, info }: LogRecord, visitor: LogVisitor): void => {
  const block = at + recordHeaderBytes
  if (xid === 0 || bytes < 44 || view.getUint8(block) > lastBlockId) return
  let place = block + 4
  if (view.getUint8(block + 1) & hasImage) {
    const image = view.getUint8(place + 4)
    place += (image & hasHole) !== 0 && (image & isCompressed) !== 0 ? 7 : 5
  }
  const { database, file } = readFile(view, place)
  visitor.row(xid, changeOf(manager, info), database, file)
}

const readList = <T>(view: DataView, at: number, itemBytes: number, read: (place: number) => T): T[] => {
  const count = view.getUint32(at, true)
  return Array.from({ length: count }, (_, index) => read(at + 4 + index * itemBytes))
}

const readEnd = (record: LogRecord, visitor: LogVisitor): void => {
  const { view, lsn, xid, info } = record
  const operation = info & transactionMask
  const isCommit = operation === transaction.commit || operation === transaction.commitPrepared
  if (!isCommit && operation !== transaction.abort && operation !== transaction.abortPrepared) return
  const data = dataOf(record)
  const atMs = epochMs + Math.floor(Number(view.getBigInt64(data, true)) / 1000)
  const what = info & hasInfo ? view.getUint32(data + 8, true) : 0
  let place = data + (info & hasInfo ? 12 : 8)
  if (what & hasDatabase) place += 8
  const parts = what & hasParts ? readList(view, place, 4, (each) => view.getUint32(each, true)) : []
  if (what & hasParts) place += 4 + 4 * parts.length
  const dropped = what & hasFiles ? readList(view, place, 12, (each) => readFile(view, each)) : []
  visitor.ended(xid, lsn, parts, isCommit ? { atMs, dropped } : undefined)
}

const readCreated = (record: LogRecord, visitor: LogVisitor): void => {
  if ((record.info & 0xf0) !== storageCreate) return
  const data = dataOf(record)
  const isMain = record.view.getUint32(data + 12, true) === 0 // Not its map of free space.
  if (isMain) visitor.created(record.xid, readFile(record.view, data))
}

/** Tells the visitor what a record says, if it is of use. */
export const readChange = (record: LogRecord, visitor: LogVisitor): void => {
  switch (record.manager) {
    case managers.heap:
    case managers.heap2:
    case managers.xlog:
      return readRow(record, visitor)
    case managers.transaction:
      return readEnd(record, visitor)
    case managers.storage:
      return readCreated(record, visitor)
    case managers.database:
      if ((record.info & 0xf0) === databaseDrop)
        visitor.databaseDropped(record.lsn, record.view.getUint32(dataOf(record), true))
  }
}

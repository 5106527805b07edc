import { MiB } from '../../core/amounts.ts'
import { SupervisorError } from '../../errors.ts'
import { formatLsn } from '../../units/postgres/lsn.ts'

/**
 * Postgres's log (WAL) in files, as `xlog_internal.h` and `xlogrecord.h` have it: pages of 8 KiB, each with a
 * header, and through them one stream of records, each padded to 8 bytes. A place in the log (LSN) counts
 * headers, too. It is read here and not by `pg_waldump`, which makes a line of text of each record: 3 GB of
 * log are 30 million lines, minutes of work, to find the few that matter. Each record says where the one
 * before it begins, and each page where it is: what is read wrongly, or was overwritten, is noticed.
 */

/** Which part of the log is read. */
export type LogPart = {
  readonly segmentBytes: number
  /** Records that begin before `fromLsn` are passed over, and those from `toLsn` on are not read. */
  readonly fromLsn: number
  readonly toLsn: number
}

/** A record: `at` is where it begins in `view`, which is overwritten afterwards. */
export type LogRecord = {
  readonly view: DataView
  readonly at: number
  readonly bytes: number
  readonly lsn: number
  readonly xid: number
  readonly manager: number
  readonly info: number
}

export const recordHeaderBytes = 24
export const managers = { xlog: 0, transaction: 1, storage: 2, database: 4, heap2: 9, heap: 10 } as const

const pageBytes = 8192
const [shortHeader, longHeader] = [24, 40]
const bodyBytes = pageBytes - shortHeader
/** Of the pages of Postgres 15 to 18, in their order: what is read here is the same in each. */
const knownMagic: ReadonlySet<number> = new Set([0xd110, 0xd113, 0xd116, 0xd118])
const flags = { continues: 1, longHeader: 2, overwrites: 8 } as const
const switchInfo = 0x40
/** Longer ones are passed over unread: of those that are needed only the end of a transaction may be. */
const longBytes = MiB
const longestNeeded = 64 * MiB

const damaged = (lsn: number, why: string): SupervisorError =>
  new SupervisorError('UNDO_REFUSED', `cannot read the log of Postgres at ${formatLsn(lsn)}: ${why}`)

const whatIsThere = (magic: number): string =>
  magic >> 8 === 0xd1
    ? `its form (0x${magic.toString(16)}) is of a version of Postgres that this image does not know`
    : 'no page of a known form is there'

const padded = (bytes: number): number => Math.ceil(bytes / 8) * 8
const readLong = (view: DataView, at: number): number =>
  view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)

/** Makes records of pages. What is read of the stream and not of use yet is kept in one buffer. */
export class LogRecords {
  readonly #part: LogPart
  readonly #visit: (record: LogRecord) => void
  readonly #bodyOfSegment: number
  #buffer: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(4 * longBytes)
  #view = new DataView(this.#buffer.buffer)
  /** Bytes in it, and where its first one is in the stream: headers of pages do not count. */
  #used = 0
  #position = -1
  /** Bytes of a record that is passed over. */
  #skip = 0
  /** Where the rest of a file is empty, the next one begins. */
  #resumeLsn = 0
  #previousLsn = 0

  constructor(part: LogPart, visit: (record: LogRecord) => void) {
    this.#part = part
    this.#visit = visit
    this.#bodyOfSegment = (part.segmentBytes / pageBytes) * bodyBytes - (longHeader - shortHeader)
  }

  /** Takes whole pages, at most a MiB, the first of which is at that place. */
  take(pages: Buffer, lsn: number): void {
    const view = new DataView(pages.buffer, pages.byteOffset, pages.length)
    for (let at = 0; at < pages.length && lsn + at < this.#part.toLsn; at += pageBytes)
      if (lsn + at >= this.#resumeLsn) this.#takePage(pages, view, at, lsn + at)
    this.#readRecords()
  }

  #takePage(pages: Buffer, view: DataView, at: number, lsn: number): void {
    if (!knownMagic.has(view.getUint16(at, true))) {
      this.#readRecords()
      if (lsn < this.#resumeLsn) return
      throw damaged(lsn, whatIsThere(view.getUint16(at, true)))
    }
    if (readLong(view, at + 8) !== lsn) throw damaged(lsn, 'another page is there')
    const info = view.getUint16(at + 2, true)
    const header = info & flags.longHeader ? longHeader : shortHeader
    if (info & flags.overwrites) {
      this.#readRecords()
      this.#startAnew() // Without the record that a crash cut off.
    }
    let from = at + header
    if (this.#position === -1) {
      this.#position = this.#positionOf(lsn + header)
      if (info & flags.continues) this.#skip = padded(view.getUint32(at + 16, true))
    }
    const skipped = Math.min(this.#skip, at + pageBytes - from) // Only while the buffer is empty.
    this.#skip -= skipped
    this.#position += skipped
    from += skipped
    this.#used += pages.copy(this.#buffer, this.#used, from, at + pageBytes)
  }

  #readRecords(): void {
    const { fromLsn, toLsn } = this.#part
    let at = 0
    while (this.#used - at >= recordHeaderBytes) {
      const lsn = this.#lsnOf(this.#position + at)
      if (lsn >= toLsn) break
      const bytes = this.#view.getUint32(at, true)
      const previousLsn = readLong(this.#view, at + 8)
      if (bytes < recordHeaderBytes || (this.#previousLsn !== 0 && previousLsn !== this.#previousLsn))
        throw damaged(lsn, 'no record is there')
      const [info, manager] = [this.#view.getUint8(at + 16), this.#view.getUint8(at + 17)]
      if (this.#used - at < padded(bytes)) {
        if (!this.#passes(bytes, manager)) break
        this.#skip = padded(bytes) - (this.#used - at)
      } else if (lsn >= fromLsn) {
        this.#visit({
          view: this.#view,
          at,
          bytes,
          lsn,
          xid: this.#view.getUint32(at + 4, true),
          manager,
          info,
        })
      }
      this.#previousLsn = lsn
      at = Math.min(at + padded(bytes), this.#used)
      if (manager === managers.xlog && (info & 0xf0) === switchInfo) {
        this.#resume(lsn)
        return
      }
    }
    this.#buffer.copyWithin(0, at, this.#used)
    this.#used -= at
    this.#position += at
  }

  /** Whether it is passed over. Else there is room for it. */
  #passes(bytes: number, manager: number): boolean {
    if (bytes <= longBytes) return false
    if (manager !== managers.transaction || bytes > longestNeeded) return true
    if (bytes + 2 * longBytes > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(bytes + 2 * longBytes)
      this.#buffer.copy(larger, 0, 0, this.#used)
      this.#buffer = larger
      this.#view = new DataView(larger.buffer)
    }
    return false
  }

  /** After a switch of the log. */
  #resume(lsn: number): void {
    const { segmentBytes } = this.#part
    this.#resumeLsn = (Math.floor(lsn / segmentBytes) + 1) * segmentBytes
    this.#startAnew()
  }

  #startAnew(): void {
    this.#used = 0
    this.#position = -1
    this.#skip = 0
    this.#previousLsn = 0
  }

  #positionOf(lsn: number): number {
    const { segmentBytes } = this.#part
    const inSegment = lsn % segmentBytes
    const page = Math.floor(inSegment / pageBytes)
    return Math.floor(lsn / segmentBytes) * this.#bodyOfSegment + inSegment - longHeader - page * shortHeader
  }

  #lsnOf(position: number): number {
    const segment = Math.floor(position / this.#bodyOfSegment)
    const body = position - segment * this.#bodyOfSegment + (longHeader - shortHeader)
    const page = Math.floor(body / bodyBytes)
    return segment * this.#part.segmentBytes + page * pageBytes + shortHeader + (body - page * bodyBytes)
  }
}

import { MiB } from '../../core/amounts.ts'
import { inVolume } from '../../units/place.ts'
import { asSuperuser } from '../../units/postgres/connection.ts'
import { type Base, isUsable, readNames, usableBases } from '../../units/undo.ts'
import { parseLsn, segmentName, segmentOf, timelineIn } from '../../units/postgres/lsn.ts'
import type { OperationScope } from '../scope.ts'
import { readPresentNames } from './bases.ts'
import { readChange } from './log-changes.ts'
import { type LogPart, LogRecords } from './log-records.ts'
import { noWindow } from './recover.ts'
import { type Destruction, Destructions } from './statements.ts'

/** What is asked for. */
type Question = {
  readonly isWanted: (destruction: Destruction) => boolean
  /** How many of them at most, the latest. */
  readonly limit: number
  /** Is told how many bytes of the log are read, and of how many. */
  readonly report: (done: number, total: number) => void
}

/** In their order; `total` counts those, too, that were too many. */
export type Listed = { readonly found: readonly Destruction[]; readonly total: number }

/** Up to where the log is written, all that was acknowledged included. */
const readEnd = (scope: OperationScope): Promise<number> =>
  asSuperuser(scope, async (client) => {
    await client.query('SELECT pg_current_xact_id()') // Its commit waits for those that did not.
    const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn()::text AS lsn')
    return parseLsn(rows[0]!.lsn)
  })

const blockBytes = MiB

const readLog = async (
  { system, place }: OperationScope,
  { startFile }: Base,
  part: LogPart,
  take: (pages: Buffer, lsn: number) => void,
): Promise<void> => {
  const { segmentBytes, toLsn } = part
  const folder = `${inVolume(place.paths).cluster}/pg_wal`
  const files = { timeline: timelineIn(startFile), segmentBytes }
  const block = Buffer.allocUnsafeSlow(blockBytes)
  for (let lsn = part.fromLsn - (part.fromLsn % segmentBytes); lsn < toLsn; lsn += segmentBytes) {
    const name = segmentName(segmentOf(lsn, files), files)
    let at = lsn
    for await (const pages of system.readBlocks(`${folder}/${name}`, block)) {
      take(pages, at)
      at += pages.length
      if (at >= toLsn) break
    }
  }
}

const readDestructions = async (
  scope: OperationScope,
  oldest: Base,
  { isWanted, limit, report }: Question,
): Promise<Listed> => {
  const found: Destruction[] = []
  let total = 0
  const keep = (destruction: Destruction): void => {
    if (!isWanted(destruction)) return
    total++
    found.push(destruction)
    if (found.length >= 2 * limit) found.splice(0, limit)
  }
  const known = { names: readNames(scope), present: await readPresentNames(scope) }
  const destructions = new Destructions(known, keep)
  const part = {
    segmentBytes: scope.system.sizeOf(`${inVolume(scope.place.paths).cluster}/pg_wal/${oldest.startFile}`),
    fromLsn: parseLsn(oldest.startLsn),
    toLsn: await readEnd(scope),
  }
  const records = new LogRecords(part, (record) => readChange(record, destructions))
  await readLog(scope, oldest, part, (pages, lsn) => {
    records.take(pages, lsn)
    report(lsn + pages.length - part.fromLsn, part.toLsn - part.fromLsn)
  })
  return { found: found.slice(-limit), total }
}

/** What was destroyed since the oldest base. Should its log go meanwhile, the next base is the oldest. */
export const listDestructions = async (scope: OperationScope, question: Question): Promise<Listed> => {
  const oldest = usableBases(scope).at(-1)
  if (oldest === undefined) throw noWindow(scope)
  try {
    return await readDestructions(scope, oldest, question)
  } catch (error) {
    if (isUsable(scope, oldest)) throw error
    return await listDestructions(scope, question)
  }
}

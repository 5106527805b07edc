import * as v from 'valibot'
import { MiB } from '../../core/amounts.ts'
import { SupervisorError } from '../../errors.ts'
import { inVolume } from '../../units/place.ts'
import { asSuperuser } from '../../units/postgres/connection.ts'
import { parseLsn, segmentName, segmentOf } from '../../units/postgres/lsn.ts'
import { type Bytes, Reader } from '../archive/bytes.ts'
import { outputOf, runToEnd, tool } from '../programs.ts'
import type { OperationScope } from '../scope.ts'

/** The log of Postgres (WAL), as it goes from one cluster to the other: whole files in their order. */

/** What a server has to be given at least that replays it (hot_standby). */
const demanded = [
  'max_connections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_transactions',
  'max_locks_per_transaction',
] as const

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const schema = v.object({
  timeline: count,
  /** The number of the first file that is sent. */
  first: count,
  segmentBytes: v.pipe(count, v.minValue(MiB), v.maxValue(1024 ** 3)),
  parameters: v.record(v.picklist(demanded), v.pipe(v.string(), v.regex(/^\d{1,7}$/))),
})
export type LogFacts = v.InferOutput<typeof schema>

const endSchema = v.object({
  identifier: v.pipe(v.string(), v.maxLength(30)),
  last: v.object({
    lsn: v.pipe(v.string(), v.regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/)),
    hex: v.pipe(v.string(), v.maxLength(1000)),
  }),
})
/** What the control file of the sender says once it was shut down. */
export type LogEnd = v.InferOutput<typeof endSchema>

const parse = <Schema extends v.GenericSchema>(form: Schema, data: Buffer): v.InferOutput<Schema> => {
  try {
    return v.parse(form, JSON.parse(data.toString()))
  } catch (cause) {
    throw new SupervisorError('BACKUP_DAMAGED', 'cannot receive: what comes in was altered on its way', {
      cause,
    })
  }
}
export const parseFacts = (data: Buffer): LogFacts => parse(schema, data)
export const parseEnd = (data: Buffer): LogEnd => parse(endSchema, data)

/** What the other end needs to know of the log that begins there. */
export const readFacts = (scope: OperationScope, firstLsn: string): Promise<LogFacts> =>
  asSuperuser(scope, async (client) => {
    const { rows } = await client.query<Omit<LogFacts, 'first'>>(
      `SELECT (SELECT timeline_id FROM pg_control_checkpoint()) AS timeline,
          (SELECT setting::int FROM pg_settings WHERE name = 'wal_segment_size') AS "segmentBytes",
          (SELECT json_object_agg(name, setting) FROM pg_settings WHERE name = ANY ($1)) AS parameters`,
      [demanded],
    )
    return { ...rows[0]!, first: segmentOf(parseLsn(firstLsn), rows[0]!) }
  })

/** The file that is being written now: those before it are whole. */
export const readCurrent = (scope: OperationScope, facts: LogFacts): Promise<number> =>
  asSuperuser(scope, async (client) => {
    const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn')
    return segmentOf(parseLsn(rows[0]!.lsn), facts)
  })

const folderOf = (cluster: string): string => `${cluster}/pg_wal`

/** Reads some files, up to the one before `end`. */
export async function* readSegments(
  scope: OperationScope,
  facts: LogFacts,
  from: number,
  end: number,
): AsyncGenerator<Buffer> {
  const { place } = scope
  const folder = folderOf(inVolume(place.paths).cluster)
  for (let segment = from; segment < end; segment++) {
    const argv = ['cat', `${folder}/${segmentName(segment, facts)}`] as const
    const command = tool(argv, place.identities.postgres)
    yield* outputOf(scope, { what: 'read the log of Postgres', command, code: 'MOVE_FAILED' })
  }
}

async function* takeSegment(reader: Reader, { segmentBytes }: LogFacts): AsyncGenerator<Buffer> {
  for (let missing = segmentBytes; missing > 0;) {
    const piece = await reader.take(Math.min(missing, MiB))
    if (piece.length === 0)
      throw new SupervisorError('BACKUP_DAMAGED', 'cannot receive: a file of the log is cut off')
    missing -= piece.length
    yield piece
  }
}

/**
 * Puts files into the log of a cluster, each at once as a whole: a server may wait for it. Calls `onEach`
 * with its number, and returns the number of the next one.
 */
export const writeSegments = async (
  scope: OperationScope,
  cluster: string,
  facts: LogFacts,
  bytes: Bytes,
  from: number,
  onEach: (segment: number) => Promise<void> = async () => {},
): Promise<number> => {
  const reader = new Reader(bytes)
  for (let segment = from; ; segment++) {
    if ((await reader.peek(1)).length === 0) return segment
    const path = `${folderOf(cluster)}/${segmentName(segment, facts)}`
    await runToEnd(scope, {
      what: 'receive',
      command: tool(
        ['sh', '-c', 'cat > "$1.part" && mv "$1.part" "$1"', 'sh', path],
        scope.place.identities.postgres,
      ),
      input: takeSegment(reader, facts),
      code: 'MOVE_FAILED',
    })
    await onEach(segment)
  }
}

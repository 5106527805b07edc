import { MiB } from '../../core/amounts.ts'
import { reserveBytes } from '../../core/space.ts'
import { SupervisorError } from '../../errors.ts'
import { inVolume } from '../../units/place.ts'
import { readControlFile } from '../../units/postgres/control-file.ts'
import { parseLsn, segmentOf } from '../../units/postgres/lsn.ts'
import { requireFreeBytes } from '../../units/space.ts'
import type { Bytes } from '../archive/bytes.ts'
import { partsOf } from '../archive/parts.ts'
import type { Entry } from '../archive/tar.ts'
import { lockOf } from '../locks.ts'
import { archiveOf, describe, headOf, requireServed, streams } from '../backup.ts'
import type { OperationScope } from '../scope.ts'
import { holdWal, readBase, readConfig, readMedia, readSecrets } from '../sources.ts'
import { framesOf } from './frames.ts'
import { type LogEnd, type LogFacts, readCurrent, readFacts, readSegments } from './log.ts'

/**
 * The theory of a move.
 *
 * It is a physical copy, so every OID stays: the base backup of Postgres, and behind it all of its log,
 * file by file, while everything serves. The receiver replays it as it comes in, and takes no more while it
 * is behind. So once less than one file is left here, little is left there. Then what serves stops in
 * order, and visitors wait at the door. The last of the log ends with the checkpoint of that shutdown, and
 * the receiver has all once its own control file tells of the same checkpoint, to the last bit.
 *
 * Then it says so, the sender marks its volume as moved, which is durable, and tells the receiver to keep
 * what it has. Whatever is cut before the mark leaves the sender as it was and the receiver empty. What is
 * cut after it leaves the sender marked: it serves no more until a person says so. So no two ever serve,
 * and if nobody does, all data are where they were.
 */
export const moveStreams = {
  base: streams.cluster,
  media: streams.media,
  /** The log that the base needs. */
  log: 'log.zst',
  /** All of it since. */
  since: 'log-since.zst',
  /** What has changed of the media. */
  mediaSince: 'media-since.tar.zst',
  facts: 'log.json',
  end: 'end.json',
}

type SendOptions = {
  /** Has everything stop, and visitors wait. */
  readonly rest: () => Promise<void>
  readonly say: (what: string) => void
  /** Bytes read so far, of about `total`. */
  readonly onProgress: (read: number, total: number) => void
}

/** The log stays until the receiver has it: the volume must not run full of it. */
async function* whileThereIsRoom(scope: OperationScope, bytes: Bytes): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    requireFreeBytes(scope, scope.place.paths.data, reserveBytes, {
      what: 'send while the log of Postgres grows',
      hint: 'Free some space, and type the same again: Mathesar serves as before.',
    })
    yield chunk
  }
}

/** Where tar remembers which media it has read. It is of Mathesar's user, who could only deceive itself. */
const snapshotOf = ({ place }: OperationScope): string => `${inVolume(place.paths).temporary}/send.snapshot`
const incremental = (scope: OperationScope): readonly string[] => [
  `--listed-incremental=${snapshotOf(scope)}`,
]

const readEnd = (scope: OperationScope): LogEnd => {
  const control = readControlFile(scope)
  if (control?.isShutDown === true && control.last !== undefined)
    return { identifier: control.identifier, last: control.last }
  throw new SupervisorError('MOVE_FAILED', 'cannot send: Postgres was not shut down in order')
}

/** A record of the log, with the headers of its pages, is shorter where it is a checkpoint. */
const recordBytes = 4096
const tellEveryMs = 5000

/** The log from a file on, as it grows, until little is left; then, with everything at rest, to its end. */
async function* followLog(
  scope: OperationScope,
  facts: LogFacts,
  from: number,
  { rest, say }: SendOptions,
): AsyncGenerator<Buffer> {
  const { clock } = scope.system
  let next = from
  let toldMs = clock.now()
  for (;;) {
    const behind = (await readCurrent(scope, facts)) - next
    if (behind <= 0) break
    if (clock.now() - toldMs >= tellEveryMs) {
      say(`catching up: ${Math.round((behind * facts.segmentBytes) / MiB)} MiB of log are left`)
      toldMs = clock.now()
    }
    yield* readSegments(scope, facts, next, next + 1)
    next += 1
  }
  await rest()
  const last = segmentOf(parseLsn(readEnd(scope).last.lsn) + recordBytes, facts)
  yield* readSegments(scope, facts, next, last + 1)
}

async function* entriesOf(scope: OperationScope, options: SendOptions): AsyncGenerator<Entry> {
  const { files } = scope.system
  const { lsn, letGo } = await holdWal(scope)
  try {
    const facts = await readFacts(scope, lsn)
    const description = await describe(scope, { kind: 'exact', hasSecrets: true }, [])
    yield* headOf(description)
    let read = 0
    const parts = (name: string, bytes: Bytes): AsyncGenerator<Entry> =>
      partsOf(name, whileThereIsRoom(scope, bytes), (more) => {
        read += more
        options.onProgress(read, description.databaseBytes)
      })
    files.remove(snapshotOf(scope))
    yield* parts(moveStreams.base, readBase(scope, 'none'))
    yield* parts(moveStreams.media, readMedia(scope, incremental(scope)))
    const current = await readCurrent(scope, facts)
    yield { name: moveStreams.facts, data: Buffer.from(JSON.stringify(facts)) }
    yield* parts(moveStreams.log, readSegments(scope, facts, facts.first, current))
    options.say('the copy is sent: sending what was written since')
    yield* parts(moveStreams.since, followLog(scope, facts, current, options))
    yield* parts(moveStreams.mediaSince, readMedia(scope, incremental(scope)))
    yield* readSecrets(scope)
    yield* readConfig(scope, true)
    yield { name: moveStreams.end, data: Buffer.from(JSON.stringify(readEnd(scope))) }
  } finally {
    files.remove(snapshotOf(scope))
    void letGo().catch(() => {}) // Postgres has stopped, or what is thrown already says more.
  }
}

/** All that goes to the receiver before it says that it has everything. */
export const writeMove = (scope: OperationScope, options: SendOptions): AsyncGenerator<Buffer> => {
  requireServed(scope)
  const lock = lockOf(scope)
  const plain = archiveOf(entriesOf(scope, options))
  return framesOf(lock === undefined ? plain : scope.system.encrypt(plain, lock))
}

import { SupervisorError } from '../../errors.ts'
import { readControlFile } from '../../units/postgres/control-file.ts'
import type { Bytes } from '../archive/bytes.ts'
import { type Description, requireFit } from '../archive/description.ts'
import { opened, packed } from '../archive/parts.ts'
import { openArchive, type Section, sectionsOf } from '../archive/read.ts'
import { bringIn, makeRoom, requireReplaceable, syncFolder } from '../incoming.ts'
import { keyOf } from '../locks.ts'
import { fitnessOf, writeManifest } from '../restore.ts'
import { lockOperations, type OperationScope } from '../scope.ts'
import { askBeside, lookIntoEach, type SideServer, withSideServer } from '../server.ts'
import {
  makeEmptyFiles,
  makeOwnFolder,
  removeOddMedia,
  requirePlainFiles,
  unpack,
  verifyCluster,
  writeFile,
} from '../stage.ts'
import { readFrames } from './frames.ts'
import { type LogEnd, type LogFacts, parseEnd, parseFacts, writeSegments } from './log.ts'
import { moveStreams } from './send.ts'

/** The other end of a move; the theory is in `send.ts`. */

type ReceiveOptions = {
  /** Tells the sender. */
  readonly answer: (word: 'ready' | 'whole' | 'in place') => void
  readonly say: (what: string) => void
}

/** How many files of the log may be there that are not replayed yet. */
const aheadLimit = 2
const lookMs = 50

type Target = { readonly scope: OperationScope; readonly folder: string }

const damaged = (why: string): SupervisorError =>
  new SupervisorError('BACKUP_DAMAGED', `cannot receive: ${why}`)

const unpackMedia = ({ scope, folder }: Target, bytes: Bytes): Promise<void> =>
  unpack(scope, `${folder}/media`, scope.place.identities.mathesar, 0o750, bytes, ['--incremental'])

type Base = { readonly facts: LogFacts; readonly next: number; readonly since: Bytes }

/** All up to the log that goes on: a cluster that could start. Proved, and on the disk. */
const takeBase = async (target: Target, sections: AsyncGenerator<Section>): Promise<Base> => {
  const { scope, folder } = target
  const cluster = `${folder}/postgres`
  let [facts, next]: [LogFacts | undefined, number] = [undefined, 0]
  makeOwnFolder(scope, folder, undefined, 0o711)
  for (;;) {
    const taken = await sections.next()
    if (taken.done === true) throw damaged('the log is missing')
    const section = taken.value
    if (section.kind === 'file') {
      if (section.entry.name !== moveStreams.facts) throw damaged(`${section.entry.name} has no place here`)
      facts = parseFacts(section.entry.data)
      await requirePlainFiles(scope, cluster)
    } else if (section.name === moveStreams.base)
      await unpack(scope, cluster, scope.place.identities.postgres, 0o700, packed(section.parts))
    else if (section.name === moveStreams.media) await unpackMedia(target, packed(section.parts))
    else if (facts === undefined) throw damaged(`${section.name} has no place here`)
    else if (section.name === moveStreams.log)
      next = await writeSegments(scope, cluster, facts, opened(section.parts), facts.first)
    else if (section.name === moveStreams.since) {
      await verifyCluster(scope, cluster)
      await syncFolder(scope, folder)
      return { facts, next, since: opened(section.parts) }
    } else throw damaged(`${section.name} has no place here`)
  }
}

/** What comes once the sender is at rest. */
const takeRest = async (target: Target, sections: AsyncGenerator<Section>): Promise<LogEnd> => {
  let end: LogEnd | undefined
  for await (const section of sections)
    if (section.kind === 'stream') {
      if (section.name !== moveStreams.mediaSince) throw damaged(`${section.name} has no place here`)
      await unpackMedia(target, packed(section.parts))
      await removeOddMedia(target.scope, `${target.folder}/media`)
    } else if (section.entry.name === moveStreams.end) end = parseEnd(section.entry.data)
    else writeFile(target.scope, target.folder, section.entry)
  if (end === undefined) throw damaged('the end of the log is missing')
  return end
}

/** Asks the server that replays the log until something is so. */
const waitUntil = async ({ scope, folder }: Target, condition: string): Promise<void> => {
  for (;;) {
    const [row] = await askBeside<{ isSo: boolean }>(
      scope,
      folder,
      'template1',
      `SELECT ${condition} AS "isSo"`,
    ).catch((cause: Error) => {
      throw new SupervisorError('MOVE_FAILED', `cannot receive: Postgres replays no more: ${cause.message}`)
    })
    if (row?.isSo === true) return
    await scope.system.clock.delay(lookMs)
  }
}

/** One that reads what is put into its log, as long as there is the file that says so. */
const standbyIn = (folder: string, { parameters }: LogFacts): SideServer => ({
  folder,
  what: 'receive',
  code: 'MOVE_FAILED',
  isKept: true,
  user: 'postgres',
  parameters: {
    ...parameters,
    hot_standby: 'on',
    recovery_target_timeline: 'current',
    wal_retrieve_retry_interval: '50ms',
    wal_recycle: 'off', // An old file under the name of one that is to come would be read in its stead.
  },
})

/** Replays the log as it comes in, to its end. */
const replay = async (
  target: Target,
  sections: AsyncGenerator<Section>,
  { facts, next, since }: Base,
): Promise<LogEnd> => {
  const { scope, folder } = target
  const { system } = scope
  const signalFile = `${folder}/postgres/standby.signal`
  await makeEmptyFiles(scope, folder, 'standby.signal')
  const behind = (segment: number): string =>
    `pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0') >= ${(segment - aheadLimit) * facts.segmentBytes}`
  const end = await withSideServer(scope, standbyIn(folder, facts), async () => {
    await writeSegments(scope, `${folder}/postgres`, facts, since, next, (segment) =>
      waitUntil(target, behind(segment)),
    )
    const { last, ...others } = await takeRest(target, sections)
    await waitUntil(target, `pg_last_wal_replay_lsn() > '${last.lsn}'`)
    await lookIntoEach(scope, folder)
    return { last, ...others }
  })
  system.files.removeWhole(signalFile)
  return end
}

/** Throws unless the cluster is at the very checkpoint that the sender was shut down with. */
const requireSame = ({ scope, folder }: Target, end: LogEnd): void => {
  const control = readControlFile(scope, `${folder}/postgres`)
  if (control?.identifier === end.identifier && control.last?.hex === end.last.hex) return
  throw new SupervisorError(
    'MOVE_FAILED',
    `cannot receive: what is here ends at ${control?.last?.lsn}, what was sent at ${end.last.lsn}`,
  )
}

/** Takes an installation in. It is in place only once the sender has given it up. */
export const receive = async (
  scope: OperationScope,
  bytes: Bytes,
  { answer, say }: ReceiveOptions,
): Promise<Description> => {
  lockOperations(scope)
  requireReplaceable(scope, false)
  answer('ready')
  const { archive: stream, goAhead } = readFrames(bytes)
  const archive = await openArchive(scope.system, stream, keyOf(scope))
  const { description } = archive
  requireFit(description, fitnessOf(scope))
  makeRoom(scope, description.databaseBytes)
  await bringIn(scope, true, async (folder) => {
    const target = { scope, folder }
    const sections = sectionsOf(archive.entries)
    const base = await takeBase(target, sections)
    say('the copy is here, and proved; replaying what was written since')
    requireSame(target, await replay(target, sections, base))
    writeManifest(scope, folder, description)
    await syncFolder(scope, folder)
    answer('whole')
    await goAhead()
    return []
  })
  answer('in place')
  return description
}

import { SupervisorError } from '../../errors.ts'
import type { Lock, Streams } from '../../system/ports.ts'
import { type Bytes, Reader } from './bytes.ts'
import { Checksums, checksumsName } from './checksums.ts'
import { type Description, parseDescription } from './description.ts'
import { opened, partIn } from './parts.ts'
import { damaged, type Entry, readTar } from './tar.ts'

/** Of the age format. */
const lockedStart = 'age-encryption.org/v1'

const cutOff = (): SupervisorError => damaged('it is cut off: the list of its checksums is missing')

/** What age says when none of the keys fits. */
const isWrongKey = (error: unknown): boolean =>
  /no identity matched|passphrase/i.test((error as Error).message)

async function* unlock(
  { decrypt }: Pick<Streams, 'decrypt'>,
  bytes: Bytes,
  lock: Lock,
): Bytes & AsyncGenerator<Buffer> {
  try {
    yield* decrypt(bytes, lock)
  } catch (cause) {
    if (cause instanceof SupervisorError) throw cause
    if (isWrongKey(cause))
      throw new SupervisorError(
        'BACKUP_LOCKED',
        'cannot open this archive: it is encrypted with another key',
        {
          cause,
        },
      )
    throw damaged(`it is cut off or was altered (${(cause as Error).message})`)
  }
}

/** What people put an archive into: it is compressed already. */
const wrappings = [
  { start: '1f8b', by: 'gzip', undo: 'gunzip' },
  { start: '28b52ffd', by: 'zstd', undo: 'unzstd' },
  { start: 'fd377a585a00', by: 'xz', undo: 'unxz' },
  { start: '425a68', by: 'bzip2', undo: 'bunzip2' },
] as const

const refuseWrapped = (start: Buffer): void => {
  const wrapping = wrappings.find((each) => start.toString('hex').startsWith(each.start))
  if (wrapping === undefined) return
  const { by, undo } = wrapping
  throw new SupervisorError('BACKUP_FOREIGN', `cannot use this archive: it is compressed with ${by}`, {
    hint: `Decompress it: \`${undo} < FILE | docker run --rm -i … restore -\`. Nothing was changed.`,
  })
}

/** Whether a stream begins as an encrypted archive does; and the stream, still whole. */
const lookAtStart = async (bytes: Bytes): Promise<{ readonly isLocked: boolean; readonly whole: Bytes }> => {
  const reader = new Reader(bytes)
  const start = await reader.peek(lockedStart.length)
  if (start.length === 0) throw damaged('it is empty (0 bytes)')
  refuseWrapped(start)
  return { isLocked: start.toString('latin1') === lockedStart, whole: reader }
}

/** All files but the checksums, which are compared at the end: only then is anything proved. */
async function* checked(entries: AsyncIterable<Entry>): AsyncGenerator<Entry> {
  const checksums = new Checksums()
  let isProved = false
  for await (const entry of entries) {
    if (isProved) throw damaged('something comes behind its checksums')
    if (entry.name === checksumsName) {
      checksums.require(entry)
      isProved = true
      continue
    }
    checksums.add(entry)
    yield entry
  }
  if (!isProved) throw cutOff()
}

export type Archive = {
  readonly description: Description
  readonly isLocked: boolean
  /**
   * What comes after the description. Nothing of it is proved before the last one was taken:
   * then it throws where the archive is cut off or was altered.
   */
  readonly entries: AsyncGenerator<Entry>
}

/** Opens an archive as far as its description. */
export const openArchive = async (
  streams: Pick<Streams, 'decrypt'>,
  bytes: Bytes,
  lock: Lock | undefined,
): Promise<Archive> => {
  const { isLocked, whole } = await lookAtStart(bytes)
  if (isLocked && lock === undefined)
    throw new SupervisorError('BACKUP_LOCKED', 'cannot open this archive: it is encrypted')
  const entries = checked(readTar(isLocked ? unlock(streams, whole, lock!) : whole))
  const take = async (name: string): Promise<Entry> => {
    const next = await entries.next()
    if (next.done === true) throw cutOff()
    if (next.value.name !== name) throw damaged(`it has ${next.value.name} where ${name} belongs`)
    return next.value
  }
  await take('README.txt')
  return { description: parseDescription((await take('backup.json')).data), isLocked, entries }
}

export type Section =
  | { readonly kind: 'file'; readonly entry: Entry }
  /** Its parts, which zstd opens. They must be taken to the last before the next section is taken. */
  | { readonly kind: 'stream'; readonly name: string; readonly parts: AsyncGenerator<Entry> }

/** Joins parts to the streams that they are of. */
export async function* sectionsOf(entries: AsyncGenerator<Entry>): AsyncGenerator<Section> {
  let next = await entries.next()

  async function* partsNamed(name: string): AsyncGenerator<Entry> {
    for (let index = 0; next.done !== true; index++) {
      const part = partIn(next.value.name)
      if (part?.stream !== name) return
      if (part.index !== index) throw damaged(`${name} lacks its part ${index}`)
      yield next.value
      next = await entries.next()
    }
  }

  while (next.done !== true) {
    const entry: Entry = next.value
    const part = partIn(entry.name)
    if (part === undefined) {
      yield { kind: 'file', entry }
      next = await entries.next()
      continue
    }
    yield { kind: 'stream', name: part.stream, parts: partsNamed(part.stream) }
    if (!next.done && next.value === entry) throw new Error(`${part.stream} was not read`)
  }
}

/** Reads all of an archive and keeps nothing: each part is opened and compared. Returns the bytes in it. */
export const checkArchive = async ({ entries }: Archive): Promise<number> => {
  let total = 0
  for await (const section of sectionsOf(entries)) {
    if (section.kind === 'file') total += section.entry.data.length
    else for await (const chunk of opened(section.parts)) total += chunk.length
  }
  return total
}

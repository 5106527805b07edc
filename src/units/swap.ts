import { minuteOf } from '../core/moment.ts'
import { SupervisorError } from '../errors.ts'
import type { System } from '../system/ports.ts'
import { inVolume, type Volume } from './place.ts'

/**
 * How a restore takes the place of what is there. The new state is prepared in a folder of the volume, proved
 * and synced. Then a journal says what has to move: from that moment on the new state is in force, and
 * whoever opens the volume next finishes the moves. Each is a rename, and by what is there it can be told
 * whether it was done, so a kill between any two changes nothing. The old state moves into a folder beside.
 */
type Move = {
  readonly name: string
  /** Whether there was one before, and whether there is a new one. */
  readonly isLeaving: boolean
  readonly isComing: boolean
}

/** What brings another state, as people call it. */
const swaps = {
  restore: 'a restore',
  undo: 'an undo',
  adoption: 'an adoption',
  upgrade: 'an upgrade of Postgres',
} as const
export type SwapKind = keyof typeof swaps

export type Journal = {
  readonly kind: SwapKind
  /** Folders in `restore`, by name. */
  readonly incoming: string
  readonly outgoing: string
  /** What stays in place although the new state has none. */
  readonly kept: readonly Replaced[]
  /** Decided when the moves begin: until then somebody may still use what is there. */
  readonly moves?: readonly Move[]
  /** ISO 8601. */
  readonly at: string
  /** Once everything has moved: the folder `outgoing` has the state before. */
  readonly isDone: boolean
  /** The swap before, of which the state stays until this one is done: whoever takes this back finds it. */
  readonly before?: Journal
}

/** What a restore replaces: all that an installation is, and what is to be known of its cluster. */
export const replaced = [
  'postgres',
  'secrets',
  'config',
  'history',
  'media',
  'undo',
  'manifest.json',
  '.holder',
] as const
export type Replaced = (typeof replaced)[number]

const journalPath = ({ place }: Volume): string => `${inVolume(place.paths).restore}/journal.json`
export const folderOf = ({ place }: Pick<Volume, 'place'>, name: string): string =>
  `${inVolume(place.paths).restore}/${name}`

/** Only the supervisor's user writes there, and each time all of it. */
export const readJournal = (volume: Volume): Journal | undefined => {
  const text = volume.system.files.readIfThere(journalPath(volume))
  return text === undefined ? undefined : (JSON.parse(text) as Journal)
}

const writeJournal = (volume: Volume, journal: Journal): void =>
  void volume.system.files.writeWhole(journalPath(volume), `${JSON.stringify(journal, null, 2)}\n`, 0o600)

const isIn = ({ system: { files } }: Volume, folder: string, name: string): boolean =>
  files.isThere(folder) && files.listFolder(folder).includes(name)

/** The folders in `restore` that a journal names: all others are left of what was cut off. */
export const namedIn = (journal: Journal | undefined): readonly string[] =>
  journal === undefined ? [] : [journal.incoming, journal.outgoing, ...namedIn(journal.before)]

/** Whether the next start has a swap to finish, and makes another installation of this one. */
export const isWaiting = (journal: Journal | undefined): journal is Journal & { readonly isDone: false } =>
  journal?.isDone === false

/** Whether the state from before a swap is still there. */
export const isKept = (
  volume: Volume,
  journal: Journal | undefined,
): journal is Journal & { readonly isDone: true } =>
  journal?.isDone === true && volume.system.files.isThere(folderOf(volume, journal.outgoing))

/** What waits for the next start, and what to type about it. */
export const waitingInWords = ({ kind, at }: Journal): string =>
  `${swaps[kind]} of ${minuteOf(at)} UTC waits for the next start`
export const waitingHint =
  '`docker restart CONTAINER` puts it in place, `supervisor restore --undo` takes it back.'

/** What has to move, as things are now. Names count, whatever is there: a link moves as it is. */
const planMoves = (volume: Volume, { incoming, kept }: Journal): readonly Move[] =>
  replaced
    .filter((name) => !kept.includes(name))
    .map((name) => ({
      name,
      isLeaving: isIn(volume, volume.place.paths.data, name),
      isComing: isIn(volume, folderOf(volume, incoming), name),
    }))

const move = (volume: Volume, journal: Journal, { name, isLeaving, isComing }: Move): void => {
  const { files } = volume.system
  const { data } = volume.place.paths
  const [incoming, outgoing] = [folderOf(volume, journal.incoming), folderOf(volume, journal.outgoing)]
  if (isLeaving && !isIn(volume, outgoing, name)) files.renameWhole(`${data}/${name}`, `${outgoing}/${name}`)
  if (isComing && isIn(volume, incoming, name)) files.renameWhole(`${incoming}/${name}`, `${data}/${name}`)
}

/** Nobody can tell which of two states the disk has in its journal: both stay. */
export class UnsureSwap extends SupervisorError {
  constructor(cause: unknown) {
    const why = `cannot tell which state the next start finds: the disk failed (${(cause as Error).message})`
    super('VOLUME_NOT_WRITABLE', why, { cause, hint: 'Look at `dmesg` on the host. Both states are kept.' })
  }
}

/** A disk that fails may have the new journal all the same: the one of before is put back. */
const takeBack = (volume: Volume, before: string | undefined, cause: unknown): void => {
  const { files } = volume.system
  const path = journalPath(volume)
  try {
    if (files.readIfThere(path) === before) return
    if (before === undefined) files.removeWhole(path)
    else files.writeWhole(path, before, 0o600)
  } catch {
    throw new UnsureSwap(cause)
  }
}

/**
 * The point of no return: says which state is in force from now on. `finishSwap` puts it in place. What it
 * throws leaves the state before in force.
 */
export const beginSwap = (
  volume: Volume,
  swap: Pick<Journal, 'kind' | 'incoming' | 'outgoing' | 'kept' | 'at'>,
): void => {
  const text = volume.system.files.readIfThere(journalPath(volume))
  const last = text === undefined ? undefined : (JSON.parse(text) as Journal)
  const before = isWaiting(last) ? last.before : last
  try {
    writeJournal(volume, { ...swap, isDone: false, ...(before && { before }) })
  } catch (cause) {
    takeBack(volume, text, cause)
    throw cause
  }
}

/** Finishes a swap that was begun. The lock of the volume must be ours. Returns whether there was one. */
export const finishSwap = (volume: Volume): boolean => {
  const { files } = volume.system
  const begun = readJournal(volume)
  if (!isWaiting(begun)) return false
  const moves = begun.moves ?? planMoves(volume, begun)
  const journal = { ...begun, moves }
  if (begun.moves === undefined) writeJournal(volume, journal)
  files.makeFolder(folderOf(volume, journal.outgoing), 0o700)
  for (const each of moves) move(volume, journal, each)
  const { before: _, ...done } = journal
  writeJournal(volume, { ...done, isDone: true })
  files.remove(folderOf(volume, journal.incoming))
  return true
}

/**
 * Finishes one that was cut off in its moves: another would take what it has put aside for old, and remove
 * it. Returns whether there was one.
 */
export const finishBegun = (volume: Volume): boolean =>
  readJournal(volume)?.moves !== undefined && finishSwap(volume)

/**
 * Finishes a restore that was cut off, or that waited for this start. It comes before all else in a boot,
 * for it brings settings, too.
 */
export const resumeSwap = (volume: Volume, lock: System['lock']): void => {
  if (isWaiting(readJournal(volume)) && lock(inVolume(volume.place.paths).lock)) finishSwap(volume)
}

/** How the folders begin of states that nobody chose to part with. */
const aside = 'aside-'

/** Folders in `restore` of states that never came into force, or are no longer to be kept. */
export const leftIn = (volume: Volume, kept: readonly string[]): readonly string[] =>
  volume.system.files
    .listFoldersIn(inVolume(volume.place.paths).restore)
    .filter((name) => !kept.includes(name) && !name.startsWith(aside))
    .map((name) => folderOf(volume, name))

/** Removes them. */
export const tidy = (volume: Volume, kept: readonly string[]): void => {
  for (const folder of leftIn(volume, kept)) volume.system.files.remove(folder)
}

/** Takes back a swap of which nothing has moved: all is as before it. Returns whether there was one. */
export const cancelSwap = (volume: Volume): boolean => {
  const journal = readJournal(volume)
  if (!isWaiting(journal) || journal.moves !== undefined) return false
  const { before } = journal
  if (before === undefined) volume.system.files.removeWhole(journalPath(volume))
  else writeJournal(volume, before)
  tidy(volume, namedIn(before))
  return true
}

/**
 * Puts the state that is kept out of the way of another swap, which nobody can be asked about. Only
 * `forgetAside` removes it. Returns where it is then, and what takes that back.
 */
export const setAside = (volume: Volume): { folder: string; takeBack: () => void } | undefined => {
  const { files } = volume.system
  const journal = readJournal(volume)
  if (!isKept(volume, journal)) return undefined
  const kept = folderOf(volume, journal.outgoing)
  const folder = folderOf(volume, aside + journal.at.replaceAll(/[:.]/g, '-'))
  files.renameWhole(kept, folder)
  const takeBack = (): void => {
    // Else another swap has been decided, which would remove it.
    if (readJournal(volume)?.outgoing === journal.outgoing) files.renameWhole(folder, kept)
  }
  return { folder, takeBack }
}

/** Removes what was set aside. */
export const forgetAside = (volume: Volume): void => {
  const { files } = volume.system
  for (const name of files.listFoldersIn(inVolume(volume.place.paths).restore))
    if (name.startsWith(aside)) files.remove(folderOf(volume, name))
}

/** Forgets the state before: a restore can no longer be undone. */
export const forget = (volume: Volume): void => {
  // First: it must not name a state that is half gone.
  volume.system.files.removeWhole(journalPath(volume))
  tidy(volume, [])
}

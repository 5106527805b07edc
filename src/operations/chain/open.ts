import { findParent, findSame, parseArchiveName } from '../../core/archive-name.ts'
import { SupervisorError } from '../../errors.ts'
import type { Lock, Streams } from '../../system/ports.ts'
import type { Bytes } from '../archive/bytes.ts'
import type { Description } from '../archive/description.ts'
import { type Archive, openArchive } from '../archive/read.ts'
import type { Store, Stored } from '../places/store.ts'

/** Where an archive comes from. */
export type Source = {
  /** As people call it. */
  readonly title: string
  /** Can be asked for once only, where it is standard input. */
  readonly open: () => Bytes
  /** What lies beside it, where its parent would be; `undefined` for standard input. */
  readonly shelf: Pick<Store, 'title' | 'list' | 'read'> | undefined
}

/** An archive of a chain whose description was read. */
export type ChainLink = {
  /** As people call it. */
  readonly title: string
  readonly description: Description
  /** As it is stored; 0 where nobody knows. */
  readonly bytes: number
  readonly open: () => Promise<Archive>
}

/** What is restored as one: from a full archive on, each one builds on the one before. */
export type ArchiveChain = { readonly parents: readonly ChainLink[]; readonly newest: ChainLink }

/** A longer one is not a chain of ours. */
const limit = 100

const incomplete = (title: string, parent: string, shelf: Source['shelf']): SupervisorError =>
  new SupervisorError(
    'BACKUP_INCOMPLETE',
    `cannot use ${title}: it has only what has changed since ${parent}, which is ` +
      (shelf === undefined ? 'not known here' : `not in ${shelf.title}`),
    shelf === undefined
      ? {
          hint:
            'Put it and all that it builds on into a folder, mount that, and name the file: ' +
            '`restore /FOLDER/ARCHIVE`. Nothing was changed.',
        }
      : {},
  )

/** With what opens an archive that is encrypted. */
type Opener = { readonly system: Pick<Streams, 'decrypt'>; readonly lock: Lock | undefined }

/** Adds to a failure which archive it is of. */
export const naming = async <T>(title: string, act: () => Promise<T>): Promise<T> => {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof SupervisorError)) throw error
    const { code, message, hint } = error
    throw new SupervisorError(code, message.replace('this archive', title), { cause: error, hint })
  }
}

const openLink = async (
  { system, lock }: Opener,
  title: string,
  read: () => Bytes,
  bytes: number,
): Promise<ChainLink> => {
  const open = (): Promise<Archive> => openArchive(system, read(), lock)
  const { description, entries } = await naming(title, open)
  await entries.return(undefined)
  return { title, description, bytes, open }
}

/** Opens an archive, and all that it builds on, as far as their descriptions. */
export const openChain = async (opener: Opener, source: Source): Promise<ArchiveChain> => {
  const { title, shelf } = source
  const open = (): Promise<Archive> => openArchive(opener.system, source.open(), opener.lock)
  const archive = await naming(title, open)
  const { description } = archive
  if (description.parent === undefined)
    return { parents: [], newest: { title, description, bytes: 0, open: async () => archive } }
  await archive.entries.return(undefined)
  if (shelf === undefined) throw incomplete(title, description.parent, shelf)
  const stored = await shelf.list()
  const bytes = stored.find(({ name }) => name === title.split('/').at(-1))?.bytes ?? 0
  const newest = { title, description, bytes, open }
  const parents: ChainLink[] = []
  for (let [child, { parent }] = [title, description]; parent !== undefined;) {
    const found = findSame(parent, stored)
    if (found === undefined || parents.length === limit) throw incomplete(child, parent, shelf)
    const link = await openLink(opener, found.name, () => shelf.read(found.name), found.bytes)
    requireSame(description, link.description, found.name)
    requireOwnName(link.description, found.name)
    parents.unshift(link)
    child = found.name
    parent = link.description.parent
  }
  return { parents, newest }
}

/** What lies there under the name of a parent has to be of the same installation. */
const requireSame = (description: Description, parent: Description, name: string): void => {
  if (parent.kind === 'exact' && parent.instance === description.instance) return
  throw new SupervisorError('BACKUP_DAMAGED', `cannot use ${name}: it is of another installation`)
}

/** Its name says what it builds on, as it does itself: else somebody gave it the name of another one. */
const requireOwnName = ({ parent }: Description, name: string): void => {
  const own = parent === undefined ? undefined : parseArchiveName(parent)
  if (parseArchiveName(name)?.after?.atMs === own?.atMs) return
  throw new SupervisorError('BACKUP_DAMAGED', `cannot use ${name}: what has this name is another archive`)
}

/** How much larger what has changed is likely to be once it is unpacked. */
const guessedRatio = 4

/** Bytes that all of it takes in the end, and on the way there: the links lie beside what they become. */
export const bytesToRestore = ({ parents, newest }: ArchiveChain): number => {
  const [full, ...between] = parents
  const own = newest.description.databaseBytes
  if (full === undefined) return own
  const links = [...between, newest].reduce((sum, { bytes }) => sum + bytes * guessedRatio, 0)
  return own + full.description.databaseBytes + links
}

/** The archives of a list that one needs, the nearest first, and whether that is all of them. */
export const ancestorsOf = (
  name: string,
  stored: readonly Stored[],
): { readonly needs: readonly Stored[]; readonly isWhole: boolean } => {
  const needs: Stored[] = []
  for (let child = name; ;) {
    const parent = findParent(child, stored)
    if (parent === undefined) return { needs, isWhole: parseArchiveName(child)?.after === undefined }
    needs.push(parent)
    child = parent.name
  }
}

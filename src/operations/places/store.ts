import { isArchiveName, momentIn, newestFirst, parseArchiveName } from '../../core/archive-name.ts'
import { excerpt } from '../../core/message.ts'
import { SupervisorError } from '../../errors.ts'
import { type BackupPlace, parsePlace, placeInWords } from '../../settings/backup-places.ts'
import { didYouMean } from '../../settings/near-names.ts'
import type { Upload } from '../../system/ports.ts'
import { readRecord } from '../../units/backup-record.ts'
import { inVolume } from '../../units/place.ts'
import type { Where } from '../../units/unit.ts'
import type { Bytes } from '../archive/bytes.ts'
import type { OperationScope } from '../scope.ts'
import { openFolder } from './folder.ts'
import { openBucket } from './s3.ts'

/** An archive where it is kept. */
export type Stored = { readonly name: string; readonly bytes: number }

/** A place for archives. What it cannot do throws, with words that name the place. */
export type Store = {
  /** As people write it. */
  readonly title: string
  /** All archives that are there, in no order. Files of others are left out. */
  readonly list: () => Promise<readonly Stored[]>
  readonly read: (name: string) => Bytes
  /** Begins an archive of about that size. */
  readonly begin: (name: string, aboutBytes: number) => Promise<Upload>
  readonly remove: (name: string) => Promise<void>
}

const openStore = (scope: OperationScope, place: BackupPlace): Store => {
  switch (place.kind) {
    case 'volume': {
      const path = inVolume(scope.place.paths).backups
      scope.system.files.makeFolder(path, 0o700)
      return openFolder(scope, { title: 'volume', path, isOwn: true })
    }
    case 'folder':
      return openFolder(scope, { title: place.path, path: place.path, isOwn: false })
    case 's3':
      return openBucket(scope, place, placeInWords(place))
  }
}

/** The place that a text names. */
export const openNamedStore = (scope: OperationScope, text: string): Store => {
  const place = parsePlace(text)
  if (place !== undefined) return openStore(scope, place)
  throw new SupervisorError(
    'USAGE',
    `cannot use ${text}: it is not \`volume\`, a folder or s3://BUCKET/PREFIX`,
    { hint: 'Type `supervisor backup --help`.' },
  )
}

/** Every place of BACKUP_TO. */
export const openStores = (scope: OperationScope): readonly Store[] =>
  scope.inForce.settings.BACKUP_TO.map((text) => openNamedStore(scope, text))

export type Found = { readonly store: Store; readonly name: string }

/** What stands for the newest archive of all. */
export const newest = 'newest'

const pickNewest = (scope: Where, all: readonly Found[]): Found | undefined => {
  const order = newestFirst(scope.system.clock.now())
  return all.toSorted((one, other) => order(momentIn(one.name), momentIn(other.name)))[0]
}

/**
 * Of those that are in question: what the schedule made of another installation is not, where there is any of
 * this one. Throws where they are of several others.
 */
const ofOneOwner = (scope: Where, all: readonly Found[]): readonly Found[] => {
  const ownerOf = ({ name }: Found): string | undefined => parseArchiveName(name)?.by
  const own = readRecord(scope).owner?.letters
  if (own !== undefined && all.some((each) => ownerOf(each) === own))
    return all.filter((each) => [own, undefined].includes(ownerOf(each)))
  const owners = [...new Set(all.map(ownerOf))].filter((owner) => owner !== undefined)
  if (owners.length < 2) return all
  const newestOfEach = owners.map(
    (owner) =>
      pickNewest(
        scope,
        all.filter((each) => ownerOf(each) === owner),
      )!.name,
  )
  throw new SupervisorError(
    'USAGE',
    `cannot tell which is the newest: there are backups of ${owners.length} installations`,
    { hint: `Name one. The newest of each: ${newestOfEach.slice(0, 10).join(', ')}.` },
  )
}

const findNewest = async (scope: Where, stores: readonly Store[]): Promise<Found | undefined> => {
  const found = await Promise.all(
    stores.map(async (store) => (await store.list()).map(({ name }) => ({ store, name }))),
  )
  return pickNewest(scope, ofOneOwner(scope, found.flat()))
}

/** Looks for an archive by its name in all places, in their order. */
export const findArchive = async (scope: Where, stores: readonly Store[], name: string): Promise<Found> => {
  const titles = stores.map(({ title }) => title).join(', ')
  const hint = 'Type `supervisor backup list` for what there is.'
  if (name === newest) {
    const found = await findNewest(scope, stores)
    if (found !== undefined) return found
    throw new SupervisorError('USAGE', `cannot find an archive: there is none in ${titles}`, { hint })
  }
  const failures: unknown[] = []
  for (const store of isArchiveName(name) ? stores : [])
    try {
      if ((await store.list()).some((each) => each.name === name)) return { store, name }
    } catch (error) {
      failures.push(error) // Another place may have it.
    }
  if (failures.length > 0) throw failures[0]
  throw new SupervisorError(
    'USAGE',
    `cannot find ${excerpt(name, 200)}: it is not in ${titles}${didYouMean(name, [newest])}`,
    { hint },
  )
}

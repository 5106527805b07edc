import { fits, reserveBytes } from '../../core/space.ts'
import type { Upload } from '../../system/ports.ts'
import { type Chain, changeRecord, type Link, type LogStart, readRecord } from '../../units/backup-record.ts'
import { inVolume } from '../../units/place.ts'
import { readControlFile } from '../../units/postgres/control-file.ts'
import type { Bytes } from '../archive/bytes.ts'
import type { OperationScope } from '../scope.ts'
import { pickFrom, type Taker } from './pick.ts'

/** Where the manifest of an archive is kept. */
export const manifestPath = ({ place }: Pick<OperationScope, 'place'>, archive: string): string =>
  `${inVolume(place.paths).chain}/${archive}.manifest`

const labelLimit = 8192

/** Where the log begins that a backup needs, as its `backup_label` says. */
export const parseLabel = (label: string): LogStart | undefined => {
  const lsn = /^START WAL LOCATION: ([0-9A-F]+\/[0-9A-F]+) /m.exec(label)?.[1]
  const timeline = /^START TIMELINE: (\d+)$/m.exec(label)?.[1]
  return lsn === undefined || timeline === undefined ? undefined : { timeline: Number(timeline), lsn }
}

/** Removes all that the next backup does not build on. */
const tidy = (scope: OperationScope): void => {
  const { files } = scope.system
  const { chain: folder } = inVolume(scope.place.paths)
  const last = readRecord(scope).chain?.links.at(-1)?.name
  for (const name of files.isThere(folder) ? files.listFolder(folder) : [])
    if (last === undefined || `${folder}/${name}` !== manifestPath(scope, last))
      files.remove(`${folder}/${name}`)
}

/** The next backup builds on nothing. */
export const endChain = (scope: OperationScope): void => {
  if (readRecord(scope).chain !== undefined) changeRecord(scope, () => ({ chain: undefined }))
  tidy(scope)
}

/** Postgres's programs read it; Mathesar's user does not. */
const openFolder = ({ system, place }: OperationScope): void => {
  const { chain: folder } = inVolume(place.paths)
  system.files.makeFolder(folder, 0o711)
  system.setOwner(folder, undefined, 0o711)
}

/**
 * What the backup after this one has to know of it: the manifest of its cluster, which is copied as it passes
 * by, and where its log begins. A volume that cannot take that is no failure: the next one is full then.
 */
export class ChainDraft {
  readonly #scope: OperationScope
  readonly #path: string
  readonly #before: Chain | undefined
  #file: Upload | undefined
  #label = ''

  private constructor(scope: OperationScope, archive: string, before: Chain | undefined) {
    this.#scope = scope
    this.#before = before
    this.#path = manifestPath(scope, archive)
  }

  /** `before` is what the archive builds on. */
  static async begin(scope: OperationScope, archive: string, before: Chain | undefined): Promise<ChainDraft> {
    const draft = new ChainDraft(scope, archive, before)
    await draft.#attempt(async () => {
      openFolder(scope)
      tidy(scope)
      const space = scope.system.files.freeSpace(scope.place.paths.data)
      if (space === undefined || fits(space, reserveBytes))
        draft.#file = await scope.system.createFile(draft.#path)
    })
    return draft
  }

  /** The tar of the cluster, as it is. */
  watch = (tar: Bytes): Bytes =>
    pickFrom(tar, (name): Taker | undefined => {
      if (name === 'backup_manifest')
        return (piece) => this.#attempt(async () => await this.#file?.write(piece))
      if (name !== 'backup_label') return undefined
      return async (piece) => {
        this.#label = (this.#label + piece.toString('latin1')).slice(0, labelLimit)
      }
    })

  /** The archive is kept: the next one builds on it. */
  async keep(link: Link, lock: string): Promise<void> {
    const { system, place } = this.#scope
    const { postgres, supervisor } = place.identities
    const start = parseLabel(this.#label)
    const identifier = readControlFile(this.#scope)?.identifier
    await this.#attempt(async () => {
      if (this.#file === undefined) return
      await this.#file.finish()
      system.setOwner(this.#path, postgres && { ...supervisor, gid: postgres.gid }, 0o640)
    })
    const isWhole = this.#file !== undefined && start !== undefined && identifier !== undefined
    const links: Chain['links'] = this.#before === undefined ? [link] : [...this.#before.links, link]
    changeRecord(this.#scope, () => ({ chain: isWhole ? { links, identifier, start, lock } : undefined }))
    tidy(this.#scope)
  }

  async abort(): Promise<void> {
    await this.#file?.abort()
  }

  async #attempt(act: () => Promise<void>): Promise<void> {
    try {
      await act()
    } catch (error) {
      this.#scope.system.log.say('warn', `the next backup is a full one: ${(error as Error).message}`)
      const file = this.#file
      this.#file = undefined
      await file?.abort()
    }
  }
}

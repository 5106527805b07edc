import { isArchiveName, momentIn } from '../../src/core/archive-name.ts'
import type { Bytes } from '../../src/operations/archive/bytes.ts'
import type { Entry } from '../../src/operations/archive/tar.ts'
import { archiveOf, describe, headOf, requireServed, streams } from '../../src/operations/backup.ts'
import type { OperationScope } from '../../src/operations/scope.ts'
import { readCluster, readConfig, readSecrets } from '../../src/operations/sources.ts'
import type { MadeBackup } from '../../src/units/backup-record.ts'
import { inVolume } from '../../src/units/place.ts'
import { backupFolder, type Container, paths } from './container.ts'
import type { Disk } from './disk.ts'
import type { World } from './world.ts'

/** The one part of the cluster: nothing is compressed here. */
const clusterPart = `${streams.cluster}.000000`

async function* entriesOf(scope: OperationScope): AsyncGenerator<Entry> {
  yield* headOf(await describe(scope, { kind: 'exact', hasSecrets: true }, []))
  yield* readSecrets(scope)
  yield* readConfig(scope, true)
  const chunks: Buffer[] = []
  for await (const chunk of readCluster(scope)) chunks.push(Buffer.from(chunk))
  yield { name: clusterPart, data: Buffer.concat(chunks) }
}

type Shelf = { readonly disk: Disk; readonly folder: string }

/** The archives of the volume and of the folders: each that has a name is whole, and the newest stays. */
export class Archives {
  readonly #world: World
  /** All that was ever written to its end. */
  readonly #whole = new Set<string>()
  /** The newest that somebody was told of, by the disk that it is on. */
  readonly #told = new Map<Disk, string>()

  constructor(world: World) {
    this.#world = world
  }

  /** The real archive, but for what zstd would make of the cluster. */
  async *write(scope: OperationScope): Bytes & AsyncGenerator<Buffer> {
    requireServed(scope)
    let text = ''
    for await (const chunk of archiveOf(entriesOf(scope))) {
      text += chunk.toString()
      yield chunk
    }
    this.#whole.add(text)
  }

  /** Somebody is told where there is a backup. */
  acknowledge({ layer }: Container, { name, places }: Pick<MadeBackup, 'name' | 'places'>): void {
    this.#world.trace(`${name} is kept in ${places.join(', ')}`)
    for (const place of places) this.#told.set(place === 'volume' ? this.#world.volume : layer, name)
    this.check()
  }

  check(): void {
    const { containers, volume } = this.#world
    this.#checkShelf({ disk: volume, folder: inVolume(paths).backups })
    for (const { layer } of containers) this.#checkShelf({ disk: layer, folder: backupFolder })
  }

  #checkShelf({ disk, folder }: Shelf): void {
    const names = disk.find(folder) ? disk.list(folder).filter(isArchiveName) : []
    for (const name of names)
      if (!this.#whole.has(disk.read(`${folder}/${name}`) ?? ''))
        this.#world.violate('archive', `${folder}/${name} is listed and torn`)
    const told = this.#told.get(disk)
    if (told !== undefined && !names.some((name) => momentIn(name) >= momentIn(told)))
      this.#world.violate('archive', `${told} was kept in ${folder}, and no archive since then is there`)
  }
}

import { restForMove } from '../../src/daemon/moving.ts'
import { SupervisorError } from '../../src/errors.ts'
import { bringIn, requireReplaceable, requireNoneWaiting } from '../../src/operations/incoming.ts'
import { keepBackup } from '../../src/operations/keep.ts'
import { findArchive, newest, openNamedStore } from '../../src/operations/places/store.ts'
import { returnBack } from '../../src/operations/promote/promote.ts'
import { restore, type Undone, undoRestore, writeManifest } from '../../src/operations/restore.ts'
import { lockOperations, type OperationScope } from '../../src/operations/scope.ts'
import { makeOwnFolder, unpackCluster } from '../../src/operations/stage.ts'
import { makeBase } from '../../src/operations/undo/bases.ts'
import { undoTo } from '../../src/operations/undo/recover.ts'
import { fingerprintOf } from '../../src/units/fingerprint.ts'
import { type Moved, writeMoved } from '../../src/units/moved.ts'
import { inVolume } from '../../src/units/place.ts'
import { readControlFile } from '../../src/units/postgres/control-file.ts'
import { type Copied, readPromotion, writePromotion } from '../../src/units/promotion.ts'
import { isWaiting, readJournal, UnsureSwap } from '../../src/units/swap.ts'
import { usableBases } from '../../src/units/undo.ts'
import { backupFolder, configFile, type Container } from './container.ts'
import { embedded } from './contents.ts'
import type { Data } from './database.ts'
import type { ExternalServer } from './external.ts'
import { Operation } from './operation.ts'
import { inCluster } from './postgres.ts'
import type { World } from './world.ts'

/** What a backup has: all of an installation. */
type Archive = {
  readonly cluster: string
  readonly secrets: Readonly<Record<string, string>>
  readonly settings: string | undefined
}

const secretNames = ['secret_key', 'postgres_password'] as const

const copyOf = (snapshot: string): Copied => ({
  name: 'mathesar_django',
  snapshot,
  oldest: '1',
  pid: 1,
  shape: '',
  keysAt: 0,
  restAt: 0,
  files: {},
})

/** As `stage` and what follows it: all of an archive, nothing of it on the disk yet. */
const stageArchive = async (scope: OperationScope, archive: Archive, folder: string): Promise<void> => {
  const { files, clock } = scope.system
  async function* copy(): AsyncGenerator<Buffer> {
    yield Buffer.from(archive.cluster)
  }
  makeOwnFolder(scope, folder, undefined, 0o711)
  await unpackCluster(scope, folder, copy())
  for (const name of ['secrets', 'config']) files.makeFolder(`${folder}/${name}`, 0o700)
  for (const [name, secret] of Object.entries(archive.secrets))
    files.writeWhole(`${folder}/secrets/${name}`, secret, 0o600)
  if (archive.settings !== undefined)
    files.writeWhole(`${folder}/config/mathesar.env`, archive.settings, 0o600)
  writeManifest(scope, folder, {
    mathesarBackup: 1,
    kind: 'exact',
    at: new Date(clock.now()).toISOString(),
    instance: null,
    supervisor: '0',
    mathesar: null,
    migration: null,
    postgres: null,
    locale: null,
    collation: null,
    keyFingerprint: fingerprintOf(archive.secrets.secret_key ?? ''),
    hasSecrets: true,
    databaseBytes: 1,
  })
}

/** Operations that people begin at any moment, each with its decisions and what it writes as the real one. */
export class Operations {
  readonly #world: World
  #archive: Archive | undefined
  #typed = 0

  constructor(world: World) {
    this.#world = world
  }

  /** Something that people do at some moment, or nothing. */
  act(container: Container): void {
    const { faults, random } = this.#world
    const { instance } = container.supervisor ?? {}
    if (instance?.isReady !== true || instance.isStopping) return
    if (instance.inForce.database.kind === 'external') {
      if (faults.strikes('promotion back')) this.#goBack(container)
      return
    }
    if (random.chance(0.2)) this.#keepArchive(container)
    if (faults.strikes('promotion')) this.#promote(container)
    if (faults.strikes('base for an undo')) this.#makeBase(container)
    if (faults.strikes('backup')) this.#backUp(container)
    if (faults.strikes('undo')) this.#undo(container)
    if (faults.strikes('backup restored')) this.#restore(container)
    if (faults.strikes('undo of a restore')) this.#undoRestore(container)
    if (faults.strikes('move')) this.#send(container)
  }

  /** The volume is stopped, and was moved away: somebody wants it back. */
  takeBack(container: Container): boolean {
    const { world } = this
    if (!world.isMarked) return false
    const { manifest } = inVolume(container.paths)
    world.trace('somebody types send --back')
    const { moved: _, ...others } = JSON.parse(world.volume.read(manifest) ?? '{}') as Record<string, unknown>
    world.volume.replace(manifest, JSON.stringify(others))
    world.isMovedAway = false
    return true
  }

  #run(
    container: Container,
    what: string,
    act: (scope: OperationScope, operation: Operation) => Promise<void>,
  ): void {
    const { instance } = container.supervisor ?? {}
    if (instance === undefined) return
    const operation = new Operation(container, `${what} ${++this.#typed}`)
    operation.run(instance.inForce, (scope) => act(scope, operation))
  }

  /**
   * The order of `operations/promote/promote.ts`: the mark is in the volume before anything is made there,
   * and what is marked goes only while the volume knows that mark.
   */
  #promote(container: Container): void {
    const { world } = this
    const target = world.externals.get('target')
    if (target === undefined) return
    this.#run(container, 'promote', async (scope, operation) => {
      lockOperations(scope)
      requireNoneWaiting(scope, 'promote', 'PROMOTE_REFUSED')
      const mark = await this.#prepare(scope, target, container)
      writePromotion(scope, { ...readPromotion(scope)!, copies: [copyOf(operation.name)] })
      try {
        await operation.hear(world.people.api.moveTo(container, target.host, 20))
        world.people.want(target.host)
      } catch (error) {
        if (readPromotion(scope)?.mark === mark && target.whyAway() === undefined) target.removeMarked(mark)
        throw error
      }
    })
  }

  async #prepare(
    scope: OperationScope,
    target: ExternalServer,
    { paths, world }: Container,
  ): Promise<string> {
    const { clock, randomText } = scope.system
    const reach = async (): Promise<void> => {
      await clock.delay(world.random.latency(30))
      const why = target.whyAway()
      if (why !== undefined) throw new SupervisorError('PROMOTE_FAILED', `cannot promote: ${why.message}`)
    }
    await reach()
    const begun = readPromotion(scope)
    if (target.isThere && target.mark !== begun?.mark)
      throw new SupervisorError('PROMOTE_REFUSED', 'cannot promote: it has a database already')
    const mark = begun?.mark ?? randomText(8)
    writePromotion(scope, { mark, host: target.host, port: 5432 })
    await reach()
    target.removeMarked(mark)
    await reach()
    target.make(mark)
    await reach()
    if (!scope.system.files.isThere(`${inVolume(paths).cluster}/PG_VERSION`))
      throw new SupervisorError('PROMOTE_FAILED', 'cannot promote: nothing is here')
    return mark
  }

  #goBack(container: Container): void {
    const { api } = this.#world.people
    this.#run(container, 'promote --back', async (scope, operation) => {
      lockOperations(scope)
      requireNoneWaiting(scope, 'promote', 'PROMOTE_REFUSED')
      const change = async (): Promise<void> => await operation.hear(api.moveTo(container, embedded))
      await returnBack(scope, { say: () => {}, change })
      this.#world.people.want(embedded)
    })
  }

  #makeBase(container: Container): void {
    this.#run(container, 'undo --scheduled', async (scope) => {
      lockOperations(scope)
      await makeBase(scope)
    })
  }

  #undo(container: Container): void {
    const { timeline } = this.#world
    this.#replace(container, 'undo', async (scope) => {
      lockOperations(scope)
      if (usableBases(scope).length === 0) await makeBase(scope)
      await undoTo(scope, { atMs: timeline.nowMs })
    })
  }

  /** As the schedule does it: into one place or two, where older ones give way. */
  #backUp(container: Container): void {
    const { random, oracle } = this.#world
    const places = random.pick([['volume'], [backupFolder], ['volume', backupFolder]])
    const { archives } = oracle
    this.#run(container, 'backup --scheduled', async (scope) => {
      lockOperations(scope)
      const stores = places.map((place) => openNamedStore(scope, place))
      const plan = { base: undefined, why: undefined, stores, failures: [] }
      const write = () => archives.write(scope)
      const { made } = await keepBackup(scope, { plan, lock: undefined, isScheduled: true, write })
      archives.acknowledge(container, made)
    })
  }

  #restore(container: Container): void {
    const archive = this.#archive
    if (container.place.environment.SECRET_KEY !== undefined) return
    if (this.#world.random.chance(0.5)) return this.#restoreNewest(container)
    if (archive === undefined) return
    this.#replace(container, 'restore', async (scope) => {
      lockOperations(scope)
      requireReplaceable(scope, true)
      await bringIn(scope, false, async (folder) => {
        await stageArchive(scope, archive, folder)
        return []
      })
    })
  }

  #restoreNewest(container: Container): void {
    const mayForget = this.#world.random.chance(0.8)
    this.#replace(container, 'restore newest', async (scope) => {
      const stores = ['volume', backupFolder].map((place) => openNamedStore(scope, place))
      const { name, store: shelf } = await findArchive(scope, stores, newest)
      const source = { title: name, open: () => shelf.read(name), shelf }
      const options = { mayReplace: true, mayForget, isAlone: false, lock: undefined }
      await restore(scope, source, { ...options, onProgress: () => {} })
    })
  }

  #undoRestore(container: Container): void {
    this.#replace(container, 'restore --undo', async (scope) => {
      if (isWaiting(readJournal(scope))) this.#world.oracle.sides.takeBack(false)
      return undoRestore(scope, false)
    })
  }

  /** Puts another state in force, and has the container start over with it. */
  #replace(container: Container, what: string, act: (scope: OperationScope) => Promise<Undone | void>): void {
    const { oracle } = this.#world
    this.#run(container, what, async (scope, operation) => {
      try {
        const undone = await act(scope)
        if (undone?.is === 'taken back') oracle.sides.takeBack(true)
        else oracle.sides.answer(operation, 'done')
      } catch (error) {
        const isTold = operation.isAlive && !(error instanceof UnsureSwap)
        if (isTold) oracle.sides.answer(operation, 'refused')
        throw error
      }
      await operation.hear(Promise.resolve())
      const { instance, ending } = container.supervisor ?? {}
      ending?.startOver()
      void instance?.stop()
    })
  }

  /** A backup is made now. */
  #keepArchive({ paths, world }: Container): void {
    const { volume } = world
    const { cluster, secrets } = inVolume(paths)
    const text = volume.read(inCluster(cluster).wal)
    const entries = secretNames.map((name) => [name, volume.read(`${secrets}/${name}`) ?? ''] as const)
    if (text === undefined || entries.some(([, secret]) => secret === '')) return
    this.#archive = { cluster: text, secrets: Object.fromEntries(entries), settings: volume.read(configFile) }
  }

  /** `supervisor send`: once its mark is on the disk, the receiver may serve. */
  #send(container: Container): void {
    const { world } = this
    const { random, volume, oracle } = world
    this.#run(container, 'send', async (scope, operation) => {
      const { clock } = scope.system
      const { supervisor } = container
      const { instance, ending, system, config } = supervisor ?? {}
      if (!instance || !ending || !system || !config) return
      const startOver = (): void => {
        ending.startOver()
        system.inBackground('stop', () => instance.stop())
      }
      lockOperations(scope)
      requireNoneWaiting(scope, 'send', 'MOVE_FAILED')
      await this.#hold(operation, (act) => instance.sleeper.stayAwake(act))
      await clock.delay(random.latency(100))
      await this.#hold(operation, (act) =>
        restForMove({ system, place: container.place, instance, changes: config.changes, startOver }, act),
      )
      if (readControlFile(scope)?.isShutDown !== true)
        throw new SupervisorError('MOVE_FAILED', 'cannot send: Postgres was not shut down in order')
      const sent = JSON.parse(volume.read(inCluster(inVolume(container.paths).cluster).wal) ?? '') as Data
      await clock.delay(random.latency(random.pick([50, 2000])))
      const moved: Moved = { at: new Date(clock.now()).toISOString(), to: null, isConfirmed: false }
      writeMoved(scope, moved)
      world.isMovedAway = true
      if (oracle.rowsOf(sent.id) > sent.rows)
        world.violate('rows', `rows were written to ${sent.id} after all of it was sent`)
      await clock.delay(random.latency(50))
      writeMoved(scope, { ...moved, isConfirmed: true })
    })
  }

  /** Has the supervisor hold something as long as the command lives. Resolves once it does. */
  #hold(operation: Operation, hold: (act: () => Promise<void>) => Promise<void>): Promise<void> {
    const { timeline, random } = this.#world
    const left = new Promise<void>((resolve) =>
      operation.whenGone(() => timeline.after(random.between(0, 3), resolve)),
    )
    return operation.hear(
      new Promise((resolve, reject) => {
        hold(async () => {
          resolve()
          await left
        }).catch(reject)
      }),
    )
  }

  get world(): World {
    return this.#world
  }
}

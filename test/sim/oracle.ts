import type { SupervisorError } from '../../src/errors.ts'
import type { Setup } from '../../src/daemon/config/boot-trial.ts'
import { inVolume } from '../../src/units/place.ts'
import { Archives } from './archives.ts'
import { whyExitIsWrong } from './causes.ts'
import { type Container, paths } from './container.ts'
import type { Data } from './database.ts'
import type { Disk } from './disk.ts'
import { Edits, markerOf } from './edits.ts'
import type { Fault } from './faults.ts'
import type { Mathesar } from './mathesar.ts'
import { inCluster } from './postgres.ts'
import { checkStatus } from './status.ts'
import { Sides } from './sides.ts'
import type { Supervisor } from './supervisor.ts'
import type { World } from './world.ts'

type Move = { readonly to: Container; readonly database: string }

/** What the world has been told, and what must therefore hold. */
export class Oracle {
  readonly edits: Edits
  readonly sides: Sides
  readonly archives: Archives
  /** What has gone wrong since the supervisor of a container began. */
  readonly #seen = new Map<Container, Set<Fault>>()
  readonly #world: World
  readonly #secrets = new Set<string>()
  /** Rows that were acknowledged, by the cluster that they are in. */
  readonly #rows = new Map<string, number>()
  /** Of databases that got a copy and have not served since, the one that it is of. */
  readonly #carried = new Map<string, string>()
  /** Databases that somebody has named and that have not served since. */
  readonly #told = new Set<string>()
  /** Moves to a database that were proposed to a supervisor and have no answer yet. */
  readonly #moves = new Set<Move>()
  /** The database that served last. */
  #lastServed: string | undefined
  /**
   * Before its first record a volume says nothing of the database that served, as on a disk that is full
   * from the beginning.
   */
  #hasRecord = false

  constructor(world: World) {
    this.#world = world
    this.edits = new Edits(world)
    this.sides = new Sides(world, paths)
    this.archives = new Archives(world)
    world.faults.listen((fault) => {
      for (const seen of this.#seen.values()) seen.add(fault)
    })
  }

  /** A text that nobody may see. */
  addSecret(text: string): string {
    this.#secrets.add(text)
    return text
  }

  checkText(where: string, text: string): void {
    for (const secret of this.#secrets)
      if (text.includes(secret))
        this.#world.violate('secret', `a secret is in ${where}: ${text.slice(0, 200)}`)
  }

  seenBy(container: Container): ReadonlySet<Fault> {
    return this.#seen.get(container) ?? new Set()
  }

  /** A supervisor begins: what goes wrong from now on may be the cause of its end. */
  seeStart(container: Container): void {
    this.archives.check()
    this.#seen.set(container, new Set(this.#world.troubles))
  }

  seeBoot({ name }: Supervisor, { configuration }: Setup): void {
    const marker = markerOf(configuration.files['mathesar.env'])
    this.#world.trace(`${name} boots with m${marker}, ${configuration.database.kind}`)
    this.edits.boot(marker)
  }

  seeReady(container: Container): void {
    const inForce = container.supervisor?.config?.changes.current.files['mathesar.env']
    this.edits.requireAllowed(markerOf(inForce), 'is in force')
  }

  seeWrite(path: string, text: string): void {
    this.edits.seeWrite(path, text)
    if (!path.includes('/history/history.json')) return
    this.#hasRecord ||= text.includes('"result": "applied"')
    this.checkText('the history', text)
  }

  /** Somebody wants Mathesar to use this database: "embedded" or a host. */
  tell(database: string): void {
    this.#told.add(database)
  }

  /**
   * Somebody proposes to a supervisor to use this database. It may wait long behind other changes: the order
   * holds until it is answered. Returns the function that says so.
   */
  propose(to: Container, database: string): () => void {
    const move: Move = { to, database }
    this.tell(database)
    this.#moves.add(move)
    return () => this.#end(move)
  }

  /** The container died: what was proposed to it may be in force or not. */
  forget(container: Container): void {
    this.edits.forget(container.name)
    for (const move of this.#moves) if (move.to === container) this.#end(move)
  }

  rowsOf(id: string): number {
    return this.#rows.get(id) ?? 0
  }

  /** A row is acknowledged to a client. */
  seeRow({ id, rows }: Data): void {
    this.#rows.set(id, rows)
  }

  /** A Postgres has recovered, and shows what it has. */
  seeCluster({ id, rows }: Data): void {
    const acknowledged = this.#rows.get(id) ?? 0
    if (rows < acknowledged)
      this.#world.violate('rows', `${id} has ${rows} rows, and ${acknowledged} were acknowledged`)
  }

  /** The rows of one database are copied to another one, which is to be in force from then on. */
  seeCarried(from: string, to: string): void {
    this.#carried.set(to, from)
  }

  /** A database elsewhere is dropped. */
  checkDropped({ id }: Data): void {
    if ((this.#rows.get(id) ?? 0) > 0) this.#world.violate('cluster', `${id} is dropped with rows in it`)
  }

  /** A cluster with rows goes by the order of its administrator alone. */
  checkRemoval(disk: Disk, path: string): void {
    const { wal } = inCluster(path)
    const text = disk === this.#world.volume ? disk.read(wal) : undefined
    if (text === undefined || text === '') return
    const match = /"id":"([^"]+)"/.exec(text)
    const rows = this.#rows.get(match?.[1] ?? '') ?? 0
    if (rows > 0) this.#world.violate('cluster', `${path} is removed with ${rows} rows in it`)
  }

  seeKey({ id, key, rows }: Data, used: string | undefined): void {
    if (key !== undefined && key !== used && rows > 0)
      this.#world.violate('key', `${id} is used with another key than the one of its data`)
  }

  /** A generation is about to serve. */
  checkServed(
    container: Container,
    { pid, environment }: Mathesar,
    found: { readonly data: Data; readonly isOnDisk: boolean } | undefined,
  ): void {
    const { world } = this
    this.edits.requireAllowed(markerOf(`PUBLIC_URL=${environment.PUBLIC_URL ?? ''}`), 'serves')
    if (found === undefined) return world.violate('gate', `generation ${pid} serves without a database`)
    const { data, isOnDisk } = found
    const missing = container.image.filter((migration) => !data.migrations?.includes(migration))
    if (missing.length > 0) world.violate('gate', `generation ${pid} serves before ${missing.join(', ')}`)
    if (!isOnDisk) world.violate('gate', `generation ${pid} serves before its cluster is on the disk`)
    // A change that could not open it on its way back goes on trying: `story.ts` looks whether it did.
    const hasServed = container.supervisor?.instance?.wasReady === true
    if (data.isClosed && !hasServed) world.violate('serves', `generation ${pid} serves what takes no writes`)
    this.seeKey(data, environment.SECRET_KEY)
    this.#checkCarried(data)
    if (world.isMovedAway && environment.POSTGRES_HOST?.startsWith('/'))
      world.violate('moved', `generation ${pid} serves what was given away`)
    this.#checkLeft(data, environment.POSTGRES_HOST ?? '')
  }

  #checkCarried({ id, rows }: Data): void {
    // Somebody went back before the copy ever served: it is behind from now on, and they know.
    for (const [to, from] of this.#carried) if (from === id) this.#carried.delete(to)
    const from = this.#carried.get(id)
    if (from === undefined) return
    this.#carried.delete(id)
    const acknowledged = this.#rows.get(from) ?? 0
    if (rows < acknowledged)
      this.#world.violate('rows', `${id} has ${rows} rows, and ${acknowledged} were acknowledged in ${from}`)
  }

  #end(move: Move): void {
    if (this.#moves.delete(move)) this.tell(move.database)
  }

  #checkLeft({ id }: Data, host: string): void {
    const database = host.startsWith('/') ? 'embedded' : host
    const isTold = this.#told.delete(database) || [...this.#moves].some((move) => move.database === database)
    const before = this.#lastServed
    const isLeft =
      this.#hasRecord && before !== undefined && before !== id && (this.#rows.get(before) ?? 0) > 0
    if (isLeft && (this.#rows.get(id) ?? 0) === 0 && !isTold)
      this.world.violate('left', `${before} is left for ${id}, which is empty, and nobody said so`)
    this.#lastServed = id
  }

  checkExit(container: Container, { instance }: Supervisor, error: SupervisorError | undefined): void {
    const why = whyExitIsWrong(container, error, this.seenBy(container), instance)
    if (why !== undefined)
      this.world.violate(
        error?.code === 'INTERNAL' ? 'internal' : 'exit code',
        why + (error?.faultStack ?? ''),
      )
    if (error) this.checkText('an error', error.message.replaceAll('[redacted]', ''))
  }

  /** Everything is down: nothing may be left of it. */
  checkLeftovers(container: Container, { clock, gates, watches, name }: Supervisor): void {
    const { world } = this
    for (const { pid, name: process, folder, owner } of container.processes.living)
      if (owner === undefined && !folder.endsWith('/backend'))
        world.violate('leak', `${process} ${pid} outlives ${name}`)
    for (const [madeAt] of clock.left.map((each) => [each] as const))
      world.violate('leak', `a timer outlives ${name}: ${madeAt}`)
    if (gates.some(({ isClosed }) => !isClosed)) world.violate('leak', `a gate of ${name} is left open`)
    if (watches.size > 0) world.violate('leak', `a watcher outlives ${name}`)
  }

  /** Looks at the status of every container. */
  checkStatuses(): void {
    for (const container of this.world.containers)
      checkStatus(container, (text) => this.checkText('the status', text))
  }

  get world(): World {
    return this.#world
  }
}

export const clusterFolder = ({ paths }: Container): string => inVolume(paths).cluster

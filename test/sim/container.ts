import type { SupervisorError } from '../../src/errors.ts'
import type { Answer, Clock } from '../../src/system/ports.ts'
import { inVolume, type Paths, type Place } from '../../src/units/place.ts'
import { unsyncedMark } from '../../src/units/postgres/cluster.ts'
import type { Data } from './database.ts'
import { Disk, DiskError } from './disk.ts'
import { Door } from './door.ts'
import type { Mathesar } from './mathesar.ts'
import { baseOf, inCluster, Postgres } from './postgres.ts'
import type { Operation } from './operation.ts'
import { ProcessTable } from './processes.ts'
import type { Server } from './server.ts'
import { Supervisor } from './supervisor.ts'
import type { World } from './world.ts'

export const paths: Paths = {
  data: '/var/lib/mathesar',
  run: '/run/mathesar',
  app: '/code',
  share: '/share',
  gunicornConfig: '/etc/mathesar/gunicorn.conf.py',
  postgresBin: '/usr/lib/postgresql/17/bin',
  pythonBin: '/usr/local/bin',
  nginx: '/usr/sbin/nginx',
  brotliModule: undefined,
}
/** A folder of the host for archives. */
export const backupFolder = '/srv/backups'
export const configFile = `${inVolume(paths).config}/mathesar.env`

const user = (name: string, uid: number) => ({ name, uid, gid: uid })

export type ContainerOptions = {
  readonly name: string
  /** Migrations of the image. */
  readonly image: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly hasOneUser: boolean
}

type Request = { readonly answer: (generation: Mathesar) => boolean }

/**
 * A container: its processes, its own layer of files, and the supervisor that is its PID 1. The volume is
 * the world's.
 */
export class Container {
  readonly world: World
  readonly name: string
  readonly paths = paths
  readonly layer: Disk
  readonly processes: ProcessTable
  readonly generations = new Set<Mathesar>()
  /** Commands that somebody has typed. */
  readonly operations = new Set<Operation>()
  /** Servers on clusters that are not in force, by the folder of their socket. */
  readonly sides = new Map<string, Server>()
  readonly hasOneUser: boolean
  readonly place: Place
  image: readonly string[]
  supervisor: Supervisor | undefined
  #postgres: { readonly process: Postgres; readonly server: Server } | undefined
  #waiting = new Set<Request>()
  #starts = 0
  #lastFd = 10

  constructor(world: World, { name, image, environment, hasOneUser }: ContainerOptions) {
    this.world = world
    this.name = name
    this.image = image
    this.hasOneUser = hasOneUser
    this.layer = new Disk(world.random)
    this.processes = new ProcessTable(world)
    this.place = {
      paths,
      identities: {
        supervisor: hasOneUser ? user('1000', 1000) : user('root', 0),
        postgres: hasOneUser ? undefined : user('postgres', 5432),
        mathesar: hasOneUser ? undefined : user('mathesar', 8000),
        door: hasOneUser ? undefined : user('door', 8001),
      },
      machine: { memoryBytes: 2 ** 31, shmBytes: 2 ** 26, cpus: 2, processes: 4096, oomScoreAdj: 0 },
      environment,
    }
    this.layer.makeFolder(paths.share)
    this.layer.makeFolder('/run')
    this.layer.makeFolder(backupFolder)
    if (world.random.chance(0.8)) this.layer.write(`${paths.share}/cluster.tar.zst`, 'a cluster')
    this.layer.syncAll()
  }

  get isRunning(): boolean {
    return this.supervisor !== undefined
  }

  isInVolume(path: string): boolean {
    return path.startsWith(paths.data)
  }
  diskOf(path: string): Disk {
    return this.isInVolume(path) ? this.world.volume : this.layer
  }
  nextFds(): number {
    this.#lastFd += 2
    return this.#lastFd
  }

  /** `docker start`. */
  start(): void {
    this.layer.write(`${paths.share}/migrations.json`, JSON.stringify(this.image))
    this.layer.syncAll()
    this.#begin()
  }

  /** PID 1 begins anew in the same container, as `execve` does. */
  startAgain(ended: Supervisor, why: string): void {
    this.world.trace(`${ended.name} starts over: ${why}`)
    this.#stop(ended)
    this.#begin()
  }

  /** PID 1 exits by itself. */
  exit(ended: Supervisor, error: SupervisorError | undefined): void {
    if (ended !== this.supervisor) return // It was killed on its way out.
    this.world.trace(`${ended.name} exits: ${error ? `${error.code}: ${error.message}` : 0}`)
    this.world.oracle.checkExit(this, ended, error)
    this.#stop(ended)
    this.#killAll()
    this.world.story.onExit(this, error)
  }

  /** SIGKILL to PID 1, or the end of everything by a loss of power. */
  kill(): void {
    const { supervisor } = this
    if (supervisor === undefined) return
    this.world.trace(`${supervisor.name} is killed`)
    this.#stop(supervisor)
    this.#killAll()
    this.world.story.onExit(this, undefined)
  }

  onReady(supervisor: Supervisor): void {
    this.world.trace(`${supervisor.name} is ready`)
    this.world.oracle.seeReady(this)
    this.world.story.onReady(this)
  }

  checkEnd(supervisor: Supervisor): void {
    this.world.oracle.checkLeftovers(this, supervisor)
  }

  setPostgres(process: Postgres, server: Server | undefined): void {
    if (server !== undefined) {
      this.#postgres = { process, server }
      const others = this.world.containers.filter((other) => other !== this && other.#postgres)
      if (others.length > 0) this.world.violate('cluster', 'two servers run on one cluster')
    } else if (this.#postgres?.process === process) this.#postgres = undefined
  }

  /** By the host of a client: the folder of the socket, or a name. */
  serverAt(host: string | undefined): Server | undefined {
    if (host === `${paths.run}/postgres`) return this.#postgres?.server
    return host === undefined ? undefined : (this.sides.get(host) ?? this.world.externals.get(host))
  }

  listen(port: number): number {
    if (this.world.faults.strikes('port taken')) throw new DiskError('EADDRINUSE', `0.0.0.0:${port}`)
    return 9
  }

  /** A request waits in the socket until a generation serves. */
  getPage(clock: Clock, timeoutMs: number, signal: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(request)
        cancel()
        signal.removeEventListener('abort', abort)
      }
      const abort = (): void => {
        leave()
        reject(signal.reason as Error)
      }
      const cancel = clock.after(timeoutMs, () => {
        leave()
        reject(new Error('The operation was aborted due to timeout'))
      })
      const request: Request = {
        answer: (generation) => {
          const page = generation.answerPage()
          if (page === undefined) return false
          leave()
          resolve(page)
          return true
        },
      }
      if (signal.aborted) return abort()
      signal.addEventListener('abort', abort, { once: true })
      this.#waiting.add(request)
      this.world.timeline.after(this.world.random.latency(2), () => this.answerWaiting())
    })
  }

  /** A request at the port: nginx takes it as soon as it serves. */
  async askDoor(clock: Clock, timeoutMs: number, signal: AbortSignal): Promise<Answer> {
    for (const endMs = clock.now() + timeoutMs; clock.now() < endMs; await clock.delay(20, signal)) {
      if (this.processes.living.some((one) => one instanceof Door && one.isServing))
        return { status: 200, location: undefined }
    }
    throw new Error('The operation was aborted due to timeout')
  }

  answerWaiting(): void {
    const serving = [...this.generations].filter(({ isServing }) => isServing)
    const [first, ...others] = serving
    if (first === undefined) return
    for (const request of this.#waiting)
      if (!request.answer(this.world.random.pick([first, ...others]))) this.#waiting.delete(request)
  }

  /** A generation is about to serve. */
  checkServed(generation: Mathesar): void {
    if (!this.supervisor?.isAlive) return
    this.world.oracle.checkServed(this, generation, this.#dataOf(generation))
  }

  #dataOf({
    environment,
    server,
  }: Mathesar): { readonly data: Data; readonly isOnDisk: boolean } | undefined {
    if (environment.POSTGRES_HOST !== `${paths.run}/postgres`)
      return server && { data: server.data, isOnDisk: true }
    const { volume } = this.world
    const { cluster } = inVolume(paths)
    const { base, wal } = inCluster(cluster)
    const text = volume.read(wal)
    if (text === undefined) return undefined
    const data = JSON.parse(text) as Data
    const isSynced = volume.readStored(base) === baseOf(data.id)
    return { data, isOnDisk: isSynced && volume.find(unsyncedMark(cluster)) === undefined }
  }

  #begin(): void {
    this.#starts += 1
    this.supervisor = new Supervisor(this, `${this.name}.${this.#starts}`)
    this.world.trace(`${this.supervisor.name} begins`)
    this.world.story.onStart(this, this.supervisor)
    this.supervisor.start()
  }

  #killAll(): void {
    for (const operation of this.operations) operation.kill()
    this.processes.killAll()
  }

  #stop(supervisor: Supervisor): void {
    supervisor.die()
    this.#waiting.clear()
    this.supervisor = undefined
  }
}

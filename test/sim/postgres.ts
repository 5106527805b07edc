import type { ClientConfig } from 'pg'
import { scramVerifier } from '../../src/units/postgres/scram.ts'
import type { Outcome } from '../../src/core/outcome.ts'
import type { Container } from './container.ts'
import { ConnectionError, type Data, PostgresError, whyNoLogin } from './database.ts'
import { DiskError } from './disk.ts'
import { type Parent, Process } from './processes.ts'
import { Server } from './server.ts'

/** The states of a cluster in its control file (pg_control.h, DBState). */
export const shutDown = 1
export const inProduction = 6
export const controlFile = (state: number): string => `${'\0'.repeat(16)}${String.fromCharCode(state)}\0\0\0`

/** Where the log of a cluster begins. */
export const firstLog = '000000010000000000000001'

/**
 * The files of a cluster. `base` stands for what is written once and not synced, `wal` for what every commit
 * syncs.
 */
export const inCluster = (folder: string) => ({
  version: `${folder}/PG_VERSION`,
  control: `${folder}/global/pg_control`,
  base: `${folder}/base`,
  wal: `${folder}/wal`,
  lock: `${folder}/postmaster.pid`,
  log: `${folder}/pg_wal/${firstLog}`,
})

export const baseOf = (id: string): string => `the tables of ${id}`

/** What tar or initdb writes, in its order. */
export const newCluster = (data: Data): readonly (readonly [path: string, text: string])[] => {
  const { version, control, base, wal, log } = inCluster('')
  return [
    [version, '17\n'],
    [control, controlFile(shutDown)],
    [base, baseOf(data.id)],
    [wal, JSON.stringify(data)],
    [log, 'log'],
  ]
}

/** What outlives a postmaster that was killed: it keeps the shared memory, and ends late or never. */
class Backend extends Process {
  protected override hear(signal: NodeJS.Signals): void {
    if (signal === 'SIGQUIT' && !this.world.faults.strikes('postgres is deaf'))
      this.later(20, () => this.exit({ code: 2, signal: null }))
  }
  constructor(...args: ConstructorParameters<typeof Process>) {
    super(...args)
    if (this.world.random.chance(0.8)) this.later(200, () => this.exit({ code: 1, signal: null }))
  }
}

/**
 * The embedded Postgres. It looks at the lock file, the control file and the shared memory as the real one
 * does.
 */
export class Postgres extends Process {
  readonly server: EmbeddedServer
  readonly #container: Container
  readonly #files: ReturnType<typeof inCluster>

  constructor(container: Container, folder: string, parent: Parent) {
    super(container.processes, 'postgres', folder, parent)
    this.#container = container
    this.#files = inCluster(folder)
    this.server = new EmbeddedServer(this, container)
    this.later(this.world.faults.strikes('postgres is slow') ? 2000 : 20, () => this.#begin())
  }

  get #socket(): string {
    return `${this.#container.paths.run}/postgres/.s.PGSQL.5432`
  }

  /** Whether the control file says that everything was written. */
  static isShutDown(control: string | undefined): boolean {
    return control === controlFile(shutDown)
  }

  /** Ends by a fault of its own. */
  panic(why: string): void {
    this.print(`[${this.pid}] PANIC:  ${why}`)
    this.exit({ code: null, signal: 'SIGABRT' })
  }

  protected override hear(signal: NodeJS.Signals): void {
    if (signal === 'SIGQUIT') return this.later(5, () => this.#leave())
    if (signal === 'SIGHUP') return
    if (this.world.faults.strikes('postgres is deaf')) return
    this.server.refuse('57P03', 'the database system is shutting down')
    this.later(60, () => this.#shutDown())
  }

  protected override onEnd(outcome: Outcome | undefined): void {
    this.server.breakAll()
    this.#container.setPostgres(this, undefined)
    if (!outcome?.signal || !this.world.faults.strikes('backends outlive it')) return
    const { table, folder } = this
    for (let count = this.world.random.between(1, 3); count > 0; count--)
      new Backend(table, 'postgres', `${folder}/backend`, { isAlive: false, output: undefined })
  }

  #begin(): void {
    const { world, table } = this
    if (world.faults.strikes('postgres does not start')) return this.#fail('could not create shared memory')
    const others = table.living.filter((one) => one !== this && one.name === 'postgres')
    if (others.length > 0) return this.#fail('pre-existing shared memory block is still in use')
    const lockedBy = Number(world.volume.read(this.#files.lock)?.split('\n')[0])
    if (lockedBy > 0 && lockedBy !== this.pid && table.find(lockedBy))
      return this.#fail(`lock file "postmaster.pid" already exists (PID ${lockedBy})`)
    if (this.#container.layer.find(`${this.#container.paths.run}/etc/postgresql.conf`) === undefined)
      return this.#fail('could not access the server configuration file')
    const why = this.#whyDamaged()
    if (why !== undefined) return this.#fail(why)
    this.#container.setPostgres(this, this.server)
    this.#container.layer.write(this.#socket, 'a socket')
    this.#write('starting')
    this.#recover()
  }

  #recover(): void {
    const { world } = this
    const control = world.volume.read(this.#files.control)
    const isClean = Postgres.isShutDown(control)
    const usualMs = world.faults.strikes('postgres is slow') ? 20_000 : 100
    this.later(isClean ? 20 : usualMs, () => {
      if (!this.#writeControl(inProduction)) return
      this.#write('ready   ')
      this.server.open()
      world.oracle.seeCluster(this.server.data)
      if (world.faults.strikes('postgres killed'))
        this.later(world.random.pick([100, 1000, 20_000]), () => this.signal('SIGKILL'))
      if (world.faults.strikes('backend crashes'))
        this.later(world.random.pick([100, 1000, 20_000]), () => this.#crashBackend())
    })
  }

  /** A backend that dies takes all connections with it, and Postgres recovers. */
  #crashBackend(): void {
    this.server.breakAll()
    this.server.refuse('57P03', 'the database system is in recovery mode')
    this.later(100, () => this.server.open())
  }

  #whyDamaged(): string | undefined {
    const { volume } = this.world
    const { version, base, wal } = this.#files
    if (volume.read(version) === undefined) return `"${this.folder}" is not a database cluster directory`
    try {
      const { id } = this.server.load(volume.read(wal) ?? '')
      if (volume.read(base) === baseOf(id)) return undefined
    } catch {
      /* Said below. */
    }
    this.world.violate('cluster', 'Postgres is started on a cluster that lost a part of its files')
    return 'could not read a file of the cluster'
  }

  #shutDown(): void {
    if (this.#writeControl(shutDown)) this.#leave()
  }

  #leave(): void {
    // What cannot be removed is stale at the next start.
    if (!this.world.volume.isReadOnly) this.world.volume.remove(this.#files.lock)
    this.#container.layer.remove(this.#socket)
    this.exit({ code: 0, signal: null })
  }

  #fail(why: string): void {
    this.print(`[${this.pid}] FATAL:  ${why}`)
    this.exit({ code: 1, signal: null })
  }

  #writeControl(state: number): boolean {
    try {
      this.write(this.#files.control, controlFile(state))
      return true
    } catch (error) {
      this.panic(`could not write the control file: ${(error as DiskError).message}`)
      return false
    }
  }

  /** Writes and syncs. Postgres panics when that fails. */
  write(path: string, text: string): void {
    const { volume, faults } = this.world
    if (path === this.#files.control) volume.requireWritable(path)
    else volume.requireSpace(path)
    if (faults.strikes('sync fails')) throw new DiskError('EIO', path)
    volume.replace(path, text)
  }

  #write(phase: string): void {
    const lines = [this.pid, this.folder, 1, 5432, 'socket', '', '1 1', phase]
    try {
      this.world.volume.write(this.#files.lock, lines.join('\n'))
    } catch (error) {
      this.#fail(`could not write lock file "postmaster.pid": ${(error as DiskError).message}`)
    }
  }
}

type Login = { readonly password: string; readonly verifier: string }

/** Most connections come with the password of the one before: its hash is not made again. */
let last: (Login & { readonly isRight: boolean }) | undefined

const isRight = ({ password, verifier }: Login): boolean => {
  if (last?.password !== password || last.verifier !== verifier) {
    const [, salt = ''] = /:([^$]+)\$/.exec(verifier) ?? []
    const hash = scramVerifier(password, Buffer.from(salt, 'base64'))
    last = { password, verifier, isRight: hash === verifier }
  }
  return last.isRight
}

class EmbeddedServer extends Server {
  readonly #postgres: Postgres
  readonly #container: Container
  #data: Data | undefined
  #refusal: PostgresError | undefined = new PostgresError('57P03', 'the database system is starting up')

  constructor(postgres: Postgres, container: Container) {
    super(container.world)
    this.#postgres = postgres
    this.#container = container
  }

  get data(): Data {
    if (this.#data === undefined) throw new Error('the server has no data yet')
    return this.#data
  }

  load(text: string): Data {
    this.#data = JSON.parse(text) as Data
    return this.#data
  }

  open(): void {
    this.#refusal = undefined
  }
  refuse(code: string, why: string): void {
    this.#refusal = new PostgresError(code, why)
    this.breakAll()
  }

  whyNoConnection({ user = '', database = '', password }: ClientConfig): Error | undefined {
    if (!this.#postgres.isAlive) return new ConnectionError('ECONNREFUSED', 'connect ECONNREFUSED')
    if (this.#refusal) return this.#refusal
    if (user === 'postgres' && this.#container.hasOneUser) {
      const { verifier } = this.data
      if (!isRight({ password: String(password), verifier }))
        return new PostgresError('28P01', 'password authentication failed for user "postgres"')
    }
    return whyNoLogin(this.data, user, database)
  }

  commit(next: Data): void {
    try {
      this.#postgres.write(inCluster(this.#postgres.folder).wal, JSON.stringify(next))
      this.#data = next
    } catch (error) {
      const { code, message } = error as DiskError
      if (code !== 'ENOSPC' || this.world.random.chance(0.5)) this.#postgres.panic(message)
      if (!this.#postgres.isAlive) throw new ConnectionError(undefined, 'Connection terminated unexpectedly')
      throw new PostgresError('53100', `could not extend file: ${message}`)
    }
  }
}

import type { ClientConfig } from 'pg'
import { ConnectionError, type Data, emptyData, PostgresError } from './database.ts'
import type { Fault } from './faults.ts'
import { Server } from './server.ts'
import type { World } from './world.ts'

type Trouble = Extract<Fault, `database ${string}`>
const troubles: readonly [Trouble, ...Trouble[]] = [
  'database away',
  'database unreachable',
  'database starting',
  'database refuses',
  'database full',
]

/** A Postgres elsewhere. It comes, goes and refuses; what it has acknowledged it keeps. */
export class ExternalServer extends Server {
  readonly host: string
  readonly password: string
  #data: Data
  #trouble: Trouble | undefined
  #made = 0
  /** What the comment of its database says. */
  #mark: string | undefined

  constructor(world: World, host: string) {
    super(world)
    this.host = host
    this.password = `password-of-${host}-${world.random.text(12)}`
    const databases = host === 'target' ? [] : ['mathesar']
    this.#data = { ...emptyData(`the database at ${host}`), roles: ['mathesar'], databases }
    this.#live()
  }

  get trouble(): Trouble | undefined {
    return this.#trouble
  }
  get data(): Data {
    return this.#data
  }

  /** Whether Mathesar's database is there. */
  get isThere(): boolean {
    return this.#data.databases.length > 0
  }
  get mark(): string | undefined {
    return this.#mark
  }

  /** Makes the database, and marks it. */
  make(mark: string): void {
    this.#mark = mark
    const id = `database ${++this.#made} at ${this.host}`
    this.#data = { ...emptyData(id), roles: ['mathesar'], databases: ['mathesar'] }
  }

  /** Drops the database if it is marked so. */
  removeMarked(mark: string): void {
    if (this.#mark !== mark) return
    const { oracle, containers } = this.world
    oracle.checkDropped(this.#data)
    for (const { generations } of containers)
      for (const { isServing, server } of generations)
        if (isServing && server === this) this.world.violate('cluster', `${this.#data.id} is dropped in use`)
    this.world.trace(`${this.#data.id} is dropped`)
    this.#mark = undefined
    this.#data = { ...this.#data, databases: [] }
    this.breakAll()
  }

  whyNoConnection({ user, database, password }: ClientConfig): Error | undefined {
    const away = this.whyAway(user)
    if (away !== undefined) return away
    if (password !== this.password)
      return new PostgresError('28P01', `password authentication failed for user "${user}"`)
    if (!this.#data.databases.includes(database ?? ''))
      return new PostgresError('3D000', `database "${database}" does not exist`)
    return undefined
  }

  /** Why nobody gets a connection. */
  whyAway(user?: string): Error | undefined {
    switch (this.#trouble) {
      case 'database away':
        return new ConnectionError('ECONNREFUSED', `connect ECONNREFUSED ${this.host}:5432`)
      case 'database unreachable':
        return new ConnectionError(undefined, 'timeout expired')
      case 'database starting':
        return new PostgresError('57P03', 'the database system is starting up')
      case 'database full':
        return new PostgresError('53300', 'sorry, too many clients already')
      case 'database refuses':
        return new PostgresError('28P01', `password authentication failed for user "${user}"`)
      case undefined:
        return undefined
    }
  }

  commit(next: Data): void {
    this.#data = next
  }

  /** Well from now on. */
  mend(): void {
    this.#trouble = undefined
    this.lockBySomebody(false)
  }

  /** Lives a life of its own: well for a while, then with some trouble for a while. */
  #live(): void {
    const { timeline, random, faults } = this.world
    timeline.after(random.pick([0, 100, 1000, 10_000, 60_000]) * random.next(), () => {
      if (faults.isOver) return this.mend()
      this.#trouble = faults.strikes('database away') ? 'database away' : this.#drawTrouble()
      if (this.#trouble === 'database away' || this.#trouble === 'database starting') this.breakAll()
      if (this.#trouble) this.world.trace(`${this.host}: ${this.#trouble}`)
      if (faults.strikes('another migrates')) this.#lock()
      timeline.after(random.latency(random.pick([200, 3000, 60_000])), () => {
        this.#trouble = undefined
        this.#live()
      })
    })
  }

  #drawTrouble(): Trouble | undefined {
    const trouble = this.world.random.pick(troubles)
    return this.world.faults.strikes(trouble) ? trouble : undefined
  }

  #lock(): void {
    const { timeline, random } = this.world
    this.lockBySomebody(true)
    timeline.after(random.latency(random.pick([500, 5000])), () => this.lockBySomebody(false))
  }
}

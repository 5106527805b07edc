import type { ClientConfig } from 'pg'
import type { Container } from './container.ts'
import { ConnectionError, type Data } from './database.ts'
import { controlFile, inCluster, inProduction, shutDown } from './postgres.ts'
import { type Parent, Process } from './processes.ts'
import { Server } from './server.ts'

/** A server on a cluster that is not in force, without fsync. Nobody but who started it reaches it. */
export class SidePostgres extends Process {
  readonly #container: Container
  readonly #socket: string
  readonly #files: ReturnType<typeof inCluster>

  constructor(container: Container, folder: string, socket: string, parent: Parent) {
    super(container.processes, 'postgres beside', folder, parent)
    this.#container = container
    this.#socket = socket
    this.#files = inCluster(folder)
    this.later(this.world.faults.strikes('postgres is slow') ? 2000 : 30, () => this.#begin())
  }

  protected override hear(signal: NodeJS.Signals): void {
    this.later(30, () => {
      if (signal === 'SIGINT') this.#write(shutDown)
      this.exit({ code: 0, signal: null })
    })
  }

  protected override onEnd(): void {
    this.#container.sides.delete(this.#socket)
  }

  #begin(): void {
    const { volume, faults } = this.world
    const text = volume.read(this.#files.wal)
    if (faults.strikes('postgres does not start') || text === undefined) return this.#fail()
    if (!this.#write(inProduction)) return
    this.#container.sides.set(this.#socket, new Side(this.#container, JSON.parse(text) as Data))
  }

  #write(state: number): boolean {
    try {
      this.world.volume.write(this.#files.control, controlFile(state))
      return true
    } catch {
      this.#fail()
      return false
    }
  }

  #fail(): void {
    this.print(`[${this.pid}] FATAL:  it cannot start`)
    this.exit({ code: 1, signal: null })
  }
}

class Side extends Server {
  readonly data: Data

  constructor({ world }: Container, data: Data) {
    super(world)
    this.data = data
  }

  whyNoConnection({ database = '' }: ClientConfig): Error | undefined {
    return database === 'template1' || this.data.databases.includes(database)
      ? undefined
      : new ConnectionError('3D000', `database "${database}" does not exist`)
  }

  commit(): void {
    this.world.violate('model', 'something is written beside')
  }
}

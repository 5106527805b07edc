import type { Child } from '../../src/system/ports.ts'
import type { Container } from './container.ts'
import { type Parent, Process } from './processes.ts'

/** nginx: it serves some milliseconds after its start, and dies or hears nothing now and then. */
export class Door extends Process {
  #isServing = false
  /** How often it has read its configuration again. */
  #reloads = 0

  constructor(container: Container, folder: string, parent: Parent) {
    super(container.processes, 'nginx', folder, parent)
    const { faults, random } = this.world
    if (faults.strikes('door does not start')) {
      this.later(5, () => {
        this.print('nginx: [emerg] it cannot start')
        this.exit({ code: 1, signal: null })
      })
      return
    }
    this.later(10, () => {
      this.#isServing = true
    })
    if (faults.strikes('door killed'))
      this.later(random.pick([50, 500, 5000, 60_000]), () => this.exit({ code: null, signal: 'SIGKILL' }))
  }

  get isServing(): boolean {
    return this.#isServing && this.isAlive
  }

  /** Each configuration has a worker of its own. */
  get workers(): readonly Child[] {
    return [{ pid: 1e6 * this.pid + this.#reloads, title: 'nginx: worker process' }]
  }

  protected override hear(signal: NodeJS.Signals): void {
    if (signal === 'SIGHUP') this.later(120, () => void (this.#reloads += 1))
    if (signal !== 'SIGQUIT' && signal !== 'SIGTERM') return
    if (signal === 'SIGQUIT' && this.world.faults.strikes('door is deaf')) return
    this.later(5, () => this.exit({ code: 0, signal: null }))
  }
}

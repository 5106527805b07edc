import type { Parts } from '../parts.ts'
import type { ControlServer, Target } from '../server.ts'

const retryMs = 10_000
/** For answers that are on their way: one may be that of the change that closes it. */
const closeAfterMs = 2000

type Place = Extract<Target, { readonly port: number }>
type Options = Pick<Parts, 'entrance' | 'log'> & {
  readonly clock: Pick<Parts['clock'], 'after'>
  readonly listen: (place: Place) => Promise<ControlServer>
}

const nameOf = ({ host, port }: Place): string => `${host.includes(':') ? `[${host}]` : host}:${port}`

/** A port of the console's own, which is where the setting says, and moves with it. */
export class ConsolePort {
  readonly #options: Options
  #wanted = ''
  #said = ''
  #server: ControlServer | undefined
  #cancelRetry = (): void => {}

  constructor(options: Options) {
    this.#options = options
  }

  /** Looks whether it has to open or close. */
  async follow(): Promise<void> {
    const { entrance, clock } = this.#options
    const place = entrance.port
    const wanted = place === undefined ? '' : nameOf(place)
    if (wanted === this.#wanted) return
    this.#wanted = wanted
    this.#cancelRetry()
    const before = this.#server
    this.#server = undefined
    if (before !== undefined) clock.after(closeAfterMs, () => before.close())
    if (place !== undefined) await this.#open(place, wanted)
  }

  close(): void {
    this.#cancelRetry()
    this.#server?.close()
  }

  async #open(place: Place, name: string): Promise<void> {
    const { listen, log, clock } = this.#options
    try {
      const server = await listen(place)
      if (this.#wanted === name) this.#server = server
      else server.close() // The setting has changed meanwhile.
    } catch (error) {
      const why = `cannot open the console on ${name}: ${(error as Error).message}; it is tried again`
      if (why !== this.#said) log.say('warn', why)
      this.#said = why
      if (this.#wanted === name) this.#cancelRetry = clock.after(retryMs, () => void this.#open(place, name))
    }
  }
}

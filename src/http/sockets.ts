import { SupervisorError } from '../errors.ts'
import type { System } from '../system/ports.ts'
import { appSocket, controlSocket, inRun, type Place, runHint } from '../units/place.ts'
import type { Listener } from '../units/results.ts'
import { ConsolePort } from './console/port.ts'
import type { Console } from './console/console.ts'
import { bootMessage, Feed } from './door/feed.ts'
import type { Access } from './exchange.ts'
import type { Parts } from './parts.ts'
import type { ControlServer, Target } from './server.ts'

/** The sockets on which an instance answers. HTTP is loaded when the first child is on its way. */
export class Sockets {
  readonly #place: Place
  readonly #system: System
  readonly #parts: Parts
  readonly #servers: ControlServer[] = []
  #console: Promise<Console> | undefined

  constructor(place: Place, system: System, given: Omit<Parts, 'visitors' | 'console'>) {
    this.#place = place
    this.#system = system
    this.#parts = {
      ...given,
      visitors: { waiting: 0, feed: new Feed({ ...given, render: () => bootMessage(given) }) },
      console: () => (this.#console ??= this.#loadConsole()),
    }
  }

  async open(): Promise<void> {
    this.#followPage() // Somebody may wait for it already.
    await this.#openControl()
    this.#followConsole()
  }

  /** For the commands, in a folder that nobody else may enter. */
  async #openControl(): Promise<void> {
    const { paths, identities } = this.#place
    const { files } = this.#system
    try {
      files.makeFolder(paths.run, 0o755)
      files.makeFolder(inRun(paths).control, 0o700)
    } catch (cause) {
      throw new SupervisorError(
        'VOLUME_NOT_WRITABLE',
        `cannot use ${paths.run} as user ${identities.supervisor.uid}: ${(cause as Error).message}`,
        {
          cause,
          hint: runHint(paths),
        },
      )
    }
    await this.#open({ path: controlSocket(paths), mode: 0o600 }, 'operator')
  }

  /** For a user interface that runs as Mathesar's user: the folder above it lets nobody else in. */
  async openApp(): Promise<void> {
    const {
      paths,
      identities: { supervisor, mathesar },
    } = this.#place
    await this.#open({ path: appSocket(paths), mode: 0o660 }, 'app')
    if (mathesar) this.#system.setOwner(appSocket(paths), { ...supervisor, gid: mathesar.gid }, 0o660)
  }

  /** For the door: the page and the health that everybody may ask for, on the socket that a task opens. */
  #followPage(): void {
    const { instance } = this.#parts
    let isOpen = false
    const follow = (): void => {
      const fd = instance.results.upstream?.page
      if (fd === undefined || isOpen) return
      isOpen = true
      this.#system.inBackground('open the page', () => this.#open({ fd }, 'visitor'))
    }
    instance.subscribe(follow)
    follow()
  }

  /** A port of the console's own, if the setting wants one. */
  #followConsole(): void {
    const port = new ConsolePort({ ...this.#parts, listen: (place) => this.#listen(place, 'console') })
    const follow = (): void => this.#system.inBackground('open the console', () => port.follow())
    this.#parts.instance.subscribe(follow)
    this.#servers.push(port)
    follow()
  }

  /** For everybody who reaches the port, once nobody else serves there. */
  async openPort({ fd }: Pick<Listener, 'fd'>): Promise<void> {
    await this.#open({ fd }, 'visitor')
  }

  close(): void {
    for (const server of this.#servers) server.close()
  }

  async #loadConsole(): Promise<Console> {
    const { Console } = await import('./console/console.ts')
    return new Console(this.#parts)
  }

  async #listen(target: Target, access: Access): Promise<ControlServer> {
    const { listen } = await import('./server.ts')
    return await listen(target, this.#parts, access)
  }

  async #open(target: Target, access: Access): Promise<void> {
    this.#servers.push(await this.#listen(target, access))
  }
}

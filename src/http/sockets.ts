import { SupervisorError } from '../errors.ts'
import type { System } from '../system/ports.ts'
import { appSocket, controlSocket, inDoor, inRun, type Place, runHint } from '../units/place.ts'
import type { Listener } from '../units/results.ts'
import { Feed } from './door/feed.ts'
import type { Access } from './exchange.ts'
import type { ControlOptions, ControlServer, Target } from './server.ts'

/** The sockets on which an instance answers. HTTP is loaded when the first child is on its way. */
export class Sockets {
  readonly #place: Place
  readonly #system: System
  readonly #options: ControlOptions
  readonly #servers: ControlServer[] = []

  constructor(
    place: Place,
    system: System,
    given: Omit<ControlOptions, 'feed' | 'memoryOf' | 'now' | 'after'>,
  ) {
    const { memoryOf, clock } = system
    const options = { ...given, memoryOf, now: clock.now, after: clock.after }
    this.#place = place
    this.#system = system
    this.#options = { ...options, feed: new Feed(options) }
  }

  async open(): Promise<void> {
    await this.#openControl()
    await this.#openPage()
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
    await this.#open({ path: controlSocket(paths), mode: 0o600 }, 'owner')
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

  /** For the door: the page and the health that everybody may ask for. */
  async #openPage(): Promise<void> {
    const { paths } = this.#place
    if (paths.nginx === undefined) return
    this.#system.files.makeFolder(inRun(paths).door, 0o750)
    // The folder keeps everybody but the door out.
    await this.#open({ path: inDoor(paths).page, mode: 0o666 }, 'visitor')
  }

  /** For everybody who reaches the port, once nobody else serves there. */
  async openPort({ fd }: Pick<Listener, 'fd'>): Promise<void> {
    await this.#open({ fd }, 'visitor')
  }

  close(): void {
    for (const server of this.#servers) server.close()
  }

  async #open(target: Target, access: Access): Promise<void> {
    const { listen } = await import('./server.ts')
    this.#servers.push(await listen(target, this.#options, access))
  }
}

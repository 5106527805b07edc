import type { ConsolePlace } from '../../settings/console.ts'
import { isPermitted } from '../../settings/hosts.ts'
import type { Clock } from '../../system/ports.ts'
import { consolePath } from '../../units/place.ts'
import { consolePurposes, type Invitation, SignIn } from '../door/sign-in.ts'

/** A port of its own. */
export type ConsoleAddress = Exclude<ConsolePlace, string>

type Options = {
  readonly clock: Pick<Clock, 'now' | 'elapsed'>
  readonly randomText: (length: number, letters?: string) => string
  /** CONSOLE_CODE. */
  readonly given: string | undefined
  /** CONSOLE, as it is in force. */
  readonly place: () => ConsolePlace
  /** The names and addresses under which Mathesar may be opened. */
  readonly hosts: () => readonly string[]
  /** The address of this port, or that of Mathesar. */
  readonly urlOf: (port: ConsoleAddress | undefined) => string
}

/** How long a command opens the console. */
const openForMs = 60 * 60_000

/** Whether the console is open, where it is, and who may enter: who has given its code, as for the setup. */
export class Entrance {
  readonly #options: Options
  readonly #signIn: SignIn<keyof typeof consolePurposes>
  /** As this process counts: no clock that is set back keeps it open. */
  #openUntilMs = Number.NEGATIVE_INFINITY

  constructor(options: Options) {
    this.#options = options
    this.#signIn = new SignIn({
      ...options,
      now: options.clock.now,
      purposes: consolePurposes,
      tell: () => {},
    })
  }

  /** A port of its own, if it has one: it is not on that of Mathesar then. */
  get port(): ConsoleAddress | undefined {
    const place = this.#options.place()
    return typeof place === 'string' ? undefined : place
  }

  /** When it closes by itself; `undefined` while the setting keeps it open. */
  get closesMs(): number | undefined {
    return this.#options.place() === 'off' ? this.#options.clock.now() + this.#leftMs : undefined
  }

  get isOpen(): boolean {
    return this.#options.place() !== 'off' || this.#leftMs > 0
  }

  /** Whether it may be opened by this header Host: by another name a foreign page could be behind it. */
  takes(host = ''): boolean {
    return isPermitted(host.replace(/:\d{1,5}$/, ''), this.#options.hosts())
  }

  /** The link with this key. */
  linkOf(key: string): string {
    return `${new URL(consolePath, this.#options.urlOf(this.port)).href}#${key}`
  }

  /** Signs the owner in; nobody is while it is closed. */
  get signIn(): Pick<SignIn<keyof typeof consolePurposes>, 'prove' | 'cookies' | 'isSignedIn'> {
    this.#signIn.setOpen(this.isOpen)
    return this.#signIn
  }

  /** Opens it for an hour, unless the setting has it open. */
  open(): Invitation {
    this.#openUntilMs = this.#options.clock.elapsed() + openForMs
    this.#signIn.setOpen(true)
    return this.#signIn.invite()!
  }

  /** Ends what `open` began, and every session. */
  close(): void {
    this.#openUntilMs = Number.NEGATIVE_INFINITY
    this.#signIn.setOpen(false)
  }

  /** For how long a command has it open yet. */
  get #leftMs(): number {
    return this.#openUntilMs - this.#options.clock.elapsed()
  }
}

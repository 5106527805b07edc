import type { Gate } from '../../src/system/gate.ts'
import type { World } from './world.ts'

/** The child's side of a gate. */
export type Visitor = {
  /** Asked to check itself: answers with a line, late or never. */
  readonly ask: (answer: (line: string) => void) => void
  readonly open: () => void
}

/** Two pipes, by the numbers of their ends. Whoever starts with those numbers waits at it. */
export class SimulatedGate {
  readonly fds: readonly [number, number]
  readonly #world: World
  #visitor: Visitor | undefined
  /** The visitor has come and gone: nobody answers any more. */
  #isLeft = false
  #isOpen = false
  #isReleased = false
  #isClosed = false
  #settle: ((answer: string | undefined) => void) | undefined

  constructor(world: World, firstFd: number) {
    this.#world = world
    this.fds = [firstFd, firstFd + 1]
  }

  get isClosed(): boolean {
    return this.#isClosed && this.#isReleased
  }

  attach(visitor: Visitor): void {
    this.#visitor = visitor
    if (this.#isOpen) visitor.open()
  }

  leave(): void {
    this.#visitor = undefined
    this.#isLeft = true
    this.#settle?.(undefined)
  }

  /** The supervisor is dead: its ends are closed. */
  drop(): void {
    this.#settle = undefined
    this.#open()
  }

  /** The port of it. */
  asGate(): Gate {
    return {
      fds: this.fds,
      release: () => {
        this.#isReleased = true
      },
      open: () => this.#open(),
      close: () => {
        this.#open()
        this.#isClosed = true
      },
      check: (signal) => this.#check(signal),
    }
  }

  #open(): void {
    if (this.#isOpen) return
    this.#isOpen = true
    this.#visitor?.open()
  }

  #check(signal: AbortSignal): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#settle = undefined
        reject(signal.reason as Error)
      }
      this.#settle = (answer) => {
        this.#settle = undefined
        signal.removeEventListener('abort', abort)
        resolve(answer)
      }
      signal.addEventListener('abort', abort, { once: true })
      if (signal.aborted) return abort()
      if (this.#isLeft || this.#isOpen) return this.#settle(undefined)
      this.#world.trace(`asks at gate ${this.fds[0]}`)
      this.#visitor?.ask((line) => this.#settle?.(line))
    })
  }
}

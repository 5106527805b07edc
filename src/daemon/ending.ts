import type { System } from '../system/ports.ts'
import type { Instance } from './instance.ts'

type End = 'exit' | 'startOver'

/** How the container goes on once everything is down. The first decision counts. */
export class Ending {
  readonly #decision = Promise.withResolvers<End>()
  #decided: End | undefined
  #isKept = false
  #isRestoring = false

  /** Everything is down, and the container stays for the page. */
  get isKept(): boolean {
    return this.#isKept
  }

  /** Everything is down, and a backup is being restored before the next boot. */
  get isRestoring(): boolean {
    return this.#isRestoring
  }

  get isStartingOver(): boolean {
    return this.#decided === 'startOver'
  }

  /** Resolves when somebody has decided. */
  get decision(): Promise<End> {
    return this.#decision.promise
  }

  keep(): void {
    this.#isKept = true
  }

  restore(isRestoring: boolean): void {
    this.#isRestoring = isRestoring
  }

  /** Somebody stops the container. */
  exit(): void {
    this.#decide('exit')
  }

  /** The next boot reads what was written, in the same container. */
  startOver(): void {
    this.#decide('startOver')
  }

  #decide(end: End): void {
    this.#decided ??= end
    this.#decision.resolve(end)
  }
}

type Lifetime = {
  readonly system: Pick<System, 'inBackground'>
  readonly instance: Pick<Instance, 'stop'>
  readonly ending: Ending
}

/** Stops everything in order, and boots again in the same container. */
export const startOver = ({ system, instance, ending }: Lifetime): void => {
  ending.startOver()
  system.inBackground('stop', () => instance.stop())
}

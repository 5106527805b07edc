import { operationScope, type OperationScope } from '../../src/operations/scope.ts'
import { toSupervisorError, SupervisorError } from '../../src/errors.ts'
import type { InForce } from '../../src/settings/configuration.ts'
import type { Output } from '../../src/system/output.ts'
import { Actor } from './actor.ts'
import type { Parent } from './processes.ts'

export type Ended = { readonly refusal: SupervisorError | undefined }

/** A command that somebody types into a container. It ends with the container at the latest. */
export class Operation extends Actor {
  readonly #whenGone = new Set<() => void>()

  /** Does it. `onEnd` hears how it ended, unless it was killed. */
  run(
    inForce: InForce,
    act: (scope: OperationScope) => Promise<void>,
    onEnd: (ended: Ended) => void = () => {},
  ): void {
    const { container, world } = this
    const { faults, random } = world
    container.operations.add(this)
    world.trace(`somebody types ${this.name}`)
    if (faults.strikes('operation killed'))
      if (random.chance(0.5)) this.dieAfter(random.between(1, 120), () => this.kill())
      else world.timeline.after(random.latency(random.pick([100, 1000, 5000])), () => this.kill())
    const begin = async (): Promise<void> => await act(operationScope(this.system, container.place, inForce))
    begin().then(
      () => this.#end({ refusal: undefined }, onEnd),
      (error: unknown) => this.#end({ refusal: toSupervisorError(error) }, onEnd),
    )
  }

  /** Calls back once its connections are closed: at its end or its death. */
  whenGone(act: () => void): void {
    this.#whenGone.add(act)
  }

  kill(): void {
    if (!this.isAlive) return
    this.world.trace(`${this.name} is killed`)
    this.#leave()
  }

  /** What the supervisor answers, unless one of the two is gone by then. */
  hear<T>(answer: Promise<T>): Promise<T> {
    const { supervisor } = this.container
    if (supervisor === undefined) return Promise.reject(unreachable())
    return new Promise((resolve, reject) => {
      const hangUp = (): void => this.#soon(() => reject(unreachable()))
      const listen = (act: () => void): void => {
        supervisor.sessions.delete(hangUp)
        this.#soon(act)
      }
      supervisor.sessions.add(hangUp)
      answer.then(
        (value) => supervisor.isAlive && listen(() => resolve(value)),
        (error: Error) => supervisor.isAlive && listen(() => reject(error)),
      )
    })
  }

  override asParent(output: Output | undefined): Parent {
    const isAlive = (): boolean => this.isAlive
    return {
      output,
      owner: this,
      get isAlive() {
        return isAlive()
      },
    }
  }

  #soon(act: () => void): void {
    const { timeline, random } = this.world
    timeline.after(random.between(0, 3), () => this.isAlive && act())
  }

  #end(ended: Ended, onEnd: (ended: Ended) => void): void {
    if (!this.isAlive) return
    const { world, name } = this
    const { refusal } = ended
    world.trace(`${name} ends: ${refusal === undefined ? 0 : `${refusal.code}: ${refusal.message}`}`)
    if (refusal) world.oracle.checkText('an error', refusal.message.replaceAll('[redacted]', ''))
    if (refusal?.code === 'INTERNAL') world.violate('internal', `${name}: ${refusal.faultStack}`)
    onEnd(ended)
    this.#leave()
  }

  #leave(): void {
    const { container } = this
    this.die()
    container.operations.delete(this)
    for (const process of container.processes.living) if (process.owner === this) process.killGroup()
    for (const act of this.#whenGone) act()
  }
}

const unreachable = (): SupervisorError =>
  new SupervisorError(
    'DAEMON_UNREACHABLE',
    'cannot tell the outcome: the supervisor ended before it was done',
  )

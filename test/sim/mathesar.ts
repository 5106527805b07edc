import type { Answer as HttpAnswer } from '../../src/system/ports.ts'
import type { Outcome } from '../../src/core/outcome.ts'
import type { Container } from './container.ts'
import type { SimulatedGate } from './gate.ts'
import { type Parent, Process } from './processes.ts'
import type { Server } from './server.ts'

type Environment = Readonly<Record<string, string>>

/** What a setting makes of Mathesar: the words that people of this world write into GUNICORN_CMD_ARGS. */
export const misfits = ['--unfit', '--silent', '--babbling', '--dying', '--deaf'] as const

/** One generation of Mathesar: gunicorn, which imports its code, waits at its gate and then serves. */
export class Mathesar extends Process {
  readonly environment: Environment
  readonly #container: Container
  readonly #gate: SimulatedGate | undefined
  #hasImported = false
  #isServing = false
  #wasToldToEnd = false
  #isGateOpen = false
  #answer: ((line: string) => void) | undefined

  constructor(
    container: Container,
    environment: Environment,
    gate: SimulatedGate | undefined,
    parent: Parent,
  ) {
    super(container.processes, 'gunicorn', container.paths.app, parent)
    this.environment = environment
    this.#container = container
    this.#gate = gate
    container.generations.add(this)
    const { faults, random } = this.world
    if (this.#is('--dying', 'mathesar cannot start'))
      this.later(50, () => {
        this.print('ImproperlyConfigured: it cannot start')
        this.exit({ code: 3, signal: null })
      })
    this.later(faults.strikes('mathesar is slow') ? random.pick([5000, 400_000]) : 80, () => this.#import())
    if (faults.strikes('mathesar killed')) this.later(random.pick([50, 500, 5000, 60_000]), () => this.#die())
    gate?.attach({
      ask: (answer) => {
        this.#answer = answer
        if (this.#hasImported) this.#checkItself()
      },
      open: () => this.#passGate(),
    })
  }

  get isServing(): boolean {
    return this.#isServing
  }

  get wasToldToEnd(): boolean {
    return this.#wasToldToEnd
  }

  /** The database that it was started for. */
  get server(): Server | undefined {
    return this.#container.serverAt(this.environment.POSTGRES_HOST)
  }

  /** Whether it reaches its database. */
  get hasDatabase(): boolean {
    const { POSTGRES_USER: user, POSTGRES_DB: database, POSTGRES_PASSWORD: password } = this.environment
    const server = this.server
    return server !== undefined && server.whyNoConnection({ user, database, password }) === undefined
  }

  /** Whether people can store a row: where its settings let no page be answered, nobody comes so far. */
  get takesRows(): boolean {
    const args = this.environment.GUNICORN_CMD_ARGS ?? ''
    const hasPages = !args.includes('--silent') && !args.includes('--unfit')
    return this.#isServing && hasPages && this.hasDatabase && this.server?.data.isClosed === false
  }

  /** What a page answers; `undefined` for nothing, ever. */
  answerPage(): HttpAnswer | undefined {
    const { faults } = this.world
    if (this.#is('--silent', 'mathesar does not answer')) return undefined
    if (!this.hasDatabase || this.#is('--unfit', 'mathesar answers 500'))
      return { status: 500, location: undefined }
    if (faults.isOver || (this.server?.data.rows ?? 0) > 0) return { status: 200, location: undefined }
    return { status: 302, location: '/complete_installation/' }
  }

  protected override hear(signal: NodeJS.Signals): void {
    if (signal !== 'SIGTERM' && signal !== 'SIGINT' && signal !== 'SIGQUIT') return
    this.#wasToldToEnd = true
    if (signal !== 'SIGQUIT' && this.#is('--deaf', 'mathesar is deaf')) return
    this.later(signal === 'SIGTERM' && this.#isServing ? 50 : 5, () => this.exit({ code: 0, signal: null }))
  }

  protected override onEnd(_: Outcome | undefined): void {
    this.#isServing = false
    this.#gate?.leave()
    this.#container.generations.delete(this)
  }

  #is(misfit: (typeof misfits)[number], fault: Parameters<typeof this.world.faults.strikes>[0]): boolean {
    return this.environment.GUNICORN_CMD_ARGS?.includes(misfit) === true || this.world.faults.strikes(fault)
  }

  #die(): void {
    const { random } = this.world
    this.exit({ code: null, signal: 'SIGKILL' }, random.chance(0.5) ? random.between(1, 4000) : 0)
  }

  #import(): void {
    this.#hasImported = true
    if (this.world.random.chance(0.1))
      this.print(`DEBUG settings: ${this.environment.SECRET_KEY} ${this.environment.POSTGRES_PASSWORD}`)
    if (this.#isGateOpen) this.#serve()
    else if (this.#answer) this.#checkItself()
  }

  #checkItself(): void {
    const { faults } = this.world
    this.later(30, () => {
      const answer = this.#answer
      this.#answer = undefined
      if (this.#isGateOpen || this.#is('--silent', 'candidate says nothing')) return
      if (this.#is('--babbling', 'candidate says nonsense'))
        return answer?.('Traceback (most recent call last)')
      if (!this.hasDatabase || this.#is('--unfit', 'candidate is unfit')) return answer?.('500 ')
      answer?.(faults.isOver ? '200 ' : '302 /complete_installation/?next=/')
    })
  }

  #passGate(): void {
    if (this.#isGateOpen || !this.isAlive) return
    this.#isGateOpen = true
    this.#container.checkServed(this)
    if (this.#hasImported) this.#serve()
  }

  #serve(): void {
    this.later(20, () => {
      this.#isServing = true
      this.world.trace(`gunicorn ${this.pid} serves`)
      this.#container.answerWaiting()
    })
  }
}

import type { Proposal } from '../../src/settings/proposal.ts'
import { configFile, type Container } from './container.ts'
import {
  databaseIn,
  databaseSettings,
  drawHarmless,
  drawMisfit,
  drawRestarting,
  embedded,
  settingsOf,
} from './contents.ts'
import { type Marker, markerOf, urlOf } from './edits.ts'
import type { People } from './people.ts'
import type { World } from './world.ts'

/** `database` is the one that it names. */
type Wish = { readonly marker: Marker; readonly isNew: boolean; readonly database: string | undefined }
type Sets = Readonly<Record<string, string | null>>
type Refusal = { readonly code?: string; readonly message: string; readonly cause?: Error }

/** Programs that change settings and control services by the API. Nobody waits for anybody. */
export class Api {
  readonly #world: World
  readonly #people: People

  constructor(world: World, people: People) {
    this.#world = world
    this.#people = people
  }

  /** Proposes new settings. */
  propose(container: Container): void {
    const { random, faults } = this.#world
    const marker = this.#people.nextMarker()
    let set: Sets = { PUBLIC_URL: urlOf(marker), ...drawHarmless(random) }
    if (faults.strikes('proposal restarts Postgres')) set = { ...set, ...drawRestarting(random) }
    if (faults.strikes('setting that cannot serve')) {
      set = { ...set, ...drawMisfit(random) }
      this.#people.keepBad(marker)
    }
    const database = faults.strikes('proposal moves the database') ? this.#people.moveDatabase() : undefined
    if (database !== undefined) set = { ...set, ...this.#settingsOf(database) }
    this.#send(container, { from: 'api', kind: 'set', set }, { marker, isNew: true, database })
  }

  /** Goes back to a version that was in force. */
  restore(container: Container): void {
    const { config } = container.supervisor ?? {}
    if (config === undefined) return
    const versions = config.store.readHistory().filter(({ result }) => result === 'applied')
    const [first, ...others] = versions
    const chosen = first && this.#world.random.pick([first, ...others])
    const files = chosen && config.store.revision(chosen.version)?.files
    if (files === undefined) return
    const text = files['mathesar.env']
    const marker = markerOf(text)
    this.#world.oracle.edits.pardon(marker)
    const database = databaseIn(text ?? '') ?? embedded
    this.#send(container, { from: 'rollback', kind: 'restore', files }, { marker, isNew: false, database })
  }

  /** Has the settings name another database, which gets what the embedded one has if `seconds` are given. */
  moveTo(container: Container, database: string, seconds?: number): Promise<void> {
    const marker = this.#people.nextMarker()
    const set = { PUBLIC_URL: urlOf(marker), ...this.#settingsOf(database) }
    const carries = seconds === undefined ? {} : { carries: seconds }
    return this.#ask(
      container,
      { from: 'api', kind: 'set', set, ...carries },
      { marker, isNew: true, database },
    )
  }

  control({ supervisor }: Container): void {
    const { world } = this
    const action = world.random.pick(['start', 'stop', 'restart'] as const)
    const service = world.random.pick(['postgres', 'mathesar'] as const)
    supervisor?.instance?.control(action, service).then(
      (state) => world.trace(`${action} ${service}: ${state}`),
      ({ code, message }: Refusal) => {
        if (code !== 'USAGE') world.violate('internal', `${action} ${service}: ${message}`)
      },
    )
  }

  #settingsOf(database: string): Sets {
    const none = Object.fromEntries(databaseSettings.map((name) => [name, null]))
    return { ...none, DATABASE_URL: null, ...settingsOf(this.#world.externals.get(database)) }
  }

  #send(container: Container, proposal: Proposal, wish: Wish): void {
    const { faults } = this.#world
    const base = faults.strikes('proposal with an old base') ? { base: '0123456789ab' } : {}
    const isDryRun = faults.strikes('dry run')
    this.#ask(container, { ...proposal, ...base, isDryRun }, wish).catch(() => {}) // Nobody waits.
  }

  async #ask(container: Container, proposal: Proposal, { marker, isNew, database }: Wish): Promise<void> {
    const { world } = this
    const { edits } = world.oracle
    const { config, name } = container.supervisor ?? {}
    if (config === undefined) return
    const proposed = edits.propose(container.name, marker)
    const endMove = database === undefined ? () => {} : world.oracle.propose(container, database)
    const isHeard = (): boolean => container.supervisor?.config === config
    world.trace(`m${marker} is proposed to ${name}: ${proposal.kind}${proposal.isDryRun ? ', dry run' : ''}`)
    await config.changes.propose(proposal).then(
      ({ result }) => {
        if (!isHeard()) return
        endMove()
        world.trace(`m${marker} is ${result}`)
        if (result === 'left to boot') return edits.leave(proposed)
        if (result !== 'applied') return edits.refuse(proposed, isNew && result === 'planned')
        const inForce = markerOf(config.changes.current.files['mathesar.env'])
        edits.acknowledge(proposed, inForce, world.volume, configFile)
      },
      (refusal: Refusal) => {
        if (!isHeard()) return
        const { code, message, cause } = refusal
        endMove()
        world.trace(`m${marker} is refused: ${code}: ${message}`)
        edits.refuse(proposed, isNew)
        if (code === 'INTERNAL') world.violate('internal', `a change was answered ${message} ${cause?.stack}`)
        throw refusal
      },
    )
  }

  get world(): World {
    return this.#world
  }
}

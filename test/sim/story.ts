import type { SupervisorError } from '../../src/errors.ts'
import { Container } from './container.ts'
import { configFile } from './container.ts'
import { markerOf } from './edits.ts'
import { misfits } from './mathesar.ts'
import type { Supervisor } from './supervisor.ts'
import type { World } from './world.ts'

const image = ['mathesar.0001_initial', 'mathesar.0002_roles']
const upgrade = 'mathesar.0003_welcome'
const mostBoots = 6
const minuteMs = 60_000
/** A service that never gets ready is given up after eight starts of 300 s. */
const longestBootMs = 60 * minuteMs
const longestRunMs = 24 * 60 * minuteMs
/** A task of a change that failed on its way back is run again at least so often. */
const openingMs = 30_000

/** One that was told to end may be deaf, and has nobody any more. */
const servesClosed = ({ generations }: Container): boolean =>
  [...generations].some(
    ({ isServing, wasToldToEnd, server }) => isServing && !wasToldToEnd && server?.data.isClosed,
  )

/**
 * What happens in a run. First trouble: boots, with people, faults and crashes at any moment. Then calm:
 * what runs is stopped, the last container is started once more, and has to serve.
 */
export class Story {
  readonly #world: World
  #part: 'trouble' | 'stopping' | 'last boot' | 'last stop' | 'over' = 'trouble'
  #image: readonly string[] = image
  #hasRepaired = false
  #steps = 0

  constructor(world: World) {
    this.#world = world
  }

  get isOver(): boolean {
    return this.#part === 'over'
  }

  begin(): void {
    const { world } = this
    const { random, faults, timeline } = world
    const hasOneUser = random.chance(0.3)
    const pinned = random.chance(0.1) ? world.externals.get('db') : undefined
    const environment: Record<string, string> = pinned
      ? {
          POSTGRES_HOST: 'db',
          POSTGRES_DB: 'mathesar',
          POSTGRES_USER: 'mathesar',
          POSTGRES_PASSWORD: pinned.password,
        }
      : {}
    if (random.chance(0.7)) environment.UNDO_SPACE = '256'
    if (random.chance(0.15)) environment.SLEEP_AFTER = random.pick(['1s', '10s'])
    if (random.chance(0.1)) environment.SECRET_KEY = world.oracle.addSecret(random.text(50))
    if (pinned) world.oracle.tell('db')
    else if (random.chance(0.25)) world.people.prepare()
    const first = new Container(world, { name: 'a', image, environment, hasOneUser })
    world.addContainer(first).start()
    if (faults.strikes('second container'))
      timeline.after(random.latency(random.pick([50, 2000, 20_000])), () => {
        if (!faults.isOver)
          world
            .addContainer(new Container(world, { name: 'b', image: this.#image, environment, hasOneUser }))
            .start()
      })
    this.#moment()
    this.#visits()
    timeline.after(random.pick([1000, 4000, 12_000, 40_000]), () => this.#calm())
    timeline.after(longestRunMs, () => world.violate('hangs', `the run does not end: ${this.#part}`))
  }

  /** After each event. */
  look(): void {
    this.#steps += 1
    if (this.#steps % 200 === 0) this.world.oracle.checkStatuses()
    if (this.#steps > 400_000) this.world.violate('hangs', 'the run has too many events')
  }

  onStart(container: Container, supervisor: Supervisor): void {
    const { world } = this
    const { faults, random } = world
    world.boots += 1
    world.oracle.seeStart(container)
    if (faults.strikes('killed in a call'))
      supervisor.dieAfter(random.between(1, 120), () => container.kill())
    else if (faults.strikes('power lost in a call'))
      supervisor.dieAfter(random.between(1, 120), () => world.losePower())
    const atMs = random.latency(random.pick([100, 500, 3000, 20_000]))
    world.timeline.after(atMs, () => {
      if (container.supervisor !== supervisor || this.#part !== 'trouble') return
      if (faults.strikes('supervisor killed')) return container.kill()
      if (faults.strikes('power lost')) return world.losePower()
      if (faults.strikes('stop')) return this.#stop(container)
    })
  }

  onReady(container: Container): void {
    const { world } = this
    world.oracle.checkStatuses()
    if (this.#part !== 'last boot') return
    world.timeline.after(20_000, () => {
      if (this.#part !== 'last boot') return
      world.people.visit(container)
      if (!container.supervisor?.instance?.isReady) world.violate('serves', 'it does not stay ready')
      this.#part = 'last stop'
      this.#stop(container)
    })
  }

  onExit(container: Container, error: SupervisorError | undefined): void {
    const { world } = this
    const { random, timeline } = world
    world.oracle.forget(container)
    switch (this.#part) {
      case 'trouble':
        if (world.boots < mostBoots)
          timeline.after(random.latency(random.pick([0, 500, 5000])), () => this.#again(container))
        return
      case 'stopping':
        if (!world.containers.some(({ isRunning }) => isRunning)) this.#bootLast()
        return
      case 'last boot':
        return this.#judge(container, error)
      case 'last stop':
        if (error) world.violate('exit code', `the last stop ends with ${error.code}: ${error.message}`)
        this.#part = 'over'
        return
      case 'over':
    }
  }

  #again(container: Container): void {
    if (this.#part !== 'trouble' || container.isRunning) return
    if (this.world.faults.strikes('image upgraded')) this.#image = [...image, upgrade]
    container.image = this.#image
    if (this.world.random.chance(0.5)) this.world.operations.takeBack(container)
    container.start()
  }

  /** SIGTERM, and the SIGKILL of the platform when the time is over. */
  #stop(container: Container): void {
    const { world } = this
    const { faults, random, timeline } = world
    const { supervisor } = container
    if (supervisor === undefined) return
    const graceMs = (supervisor.instance?.inForce.settings.STOP_GRACE_PERIOD ?? 10) * 1000
    faults.record('stop')
    supervisor.signal('SIGTERM')
    if (faults.strikes('second stop')) timeline.after(random.latency(500), () => supervisor.signal('SIGTERM'))
    timeline.after(graceMs, () => {
      if (container.supervisor !== supervisor) return
      world.violate('hangs', `${supervisor.name} does not exit within ${graceMs} ms`)
      container.kill()
    })
  }

  /** Something may happen, now and again: in bursts, and after long pauses. */
  #moment(): void {
    const { random, timeline, people, operations, containers, faults, volume } = this.world
    timeline.after(random.latency(random.pick([30, 300, 3000])), () => {
      if (this.#part !== 'trouble') return
      for (const container of containers) people.act(container)
      for (const container of containers) operations.act(container)
      if (faults.strikes('disk full'))
        this.#for(
          () => (volume.isFull = true),
          () => (volume.isFull = false),
        )
      if (faults.strikes('disk read-only'))
        this.#for(
          () => (volume.isReadOnly = true),
          () => (volume.isReadOnly = false),
        )
      this.#moment()
    })
  }

  #for(begin: () => void, end: () => void): void {
    const { random, timeline } = this.world
    begin()
    timeline.after(random.latency(random.pick([100, 2000, 20_000])), end)
  }

  #visits(): void {
    const { random, timeline, people, containers } = this.world
    timeline.after(random.latency(random.pick([50, 500, 4000])), () => {
      if (this.#part !== 'trouble') return
      for (const container of containers) people.visit(container)
      this.#visits()
    })
  }

  #calm(): void {
    const { world } = this
    world.trace('calm')
    world.faults.end()
    world.volume.isFull = false
    world.volume.isReadOnly = false
    for (const server of world.externals.values()) server.mend()
    this.#part = 'stopping'
    if (!world.containers.some(servesClosed)) return this.#stopAll()
    // A way back that failed is gone on with: its databases take writes again, without another start.
    world.timeline.after(openingMs, () => {
      if (world.containers.some(servesClosed))
        world.violate('serves', 'what serves takes no writes, and nobody mends it')
      this.#stopAll()
    })
  }

  #stopAll(): void {
    const { world } = this
    const running = world.containers.filter(({ isRunning }) => isRunning)
    for (const container of running) this.#stop(container)
    if (running.length === 0) this.#bootLast()
  }

  #bootLast(): void {
    const { containers, timeline, random } = this.world
    const [container] = containers
    timeline.after(random.between(0, 1000), () => {
      this.#part = 'last boot'
      if (container === undefined) return
      container.image = this.#image
      container.start()
    })
    timeline.after(longestBootMs, () => {
      if (this.#part === 'last boot') this.world.violate('serves', 'the last boot does not end')
    })
  }

  /**
   * The last boot ended. That is right when what is on the disk cannot serve; somebody puts it right then.
   */
  #judge(container: Container, error: SupervisorError | undefined): void {
    const { world } = this
    if (error?.code === 'MOVED' && world.operations.takeBack(container)) return this.#bootLast()
    const why = `${error?.code}: ${error?.message}`
    if (this.#hasRepaired || error === undefined || !this.#isBadOnDisk())
      return world.violate('serves', `the last boot does not serve: ${why}`)
    this.#hasRepaired = true
    world.people.repair()
    this.#bootLast()
  }

  #isBadOnDisk(): boolean {
    const { volume, people, faults, hasLostEdits } = this.world
    const text = volume.read(configFile)
    const content = people.contents.get(markerOf(text))
    const isMisfit = misfits.some((misfit) => text?.includes(misfit))
    const isHalf = faults.counts.has('edit is half-written') || hasLostEdits
    return content?.isBad === true || isMisfit || people.hasWrittenBadYaml || isHalf
  }

  get world(): World {
    return this.#world
  }
}

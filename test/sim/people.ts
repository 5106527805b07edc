import { Api } from './api.ts'
import { configFile, type Container } from './container.ts'
import {
  type Content,
  databaseIn,
  drawContent,
  embedded,
  meansEmbedded,
  settingsOf,
  textOf,
} from './contents.ts'
import { tampering } from './database.ts'
import { type Marker, urlOf } from './edits.ts'
import type { World } from './world.ts'

const sso = configFile.replace('mathesar.env', 'sso.yml')

/** People who edit files by hand, and Mathesar's own users. */
export class People {
  /** What somebody wrote, by its number. */
  readonly contents = new Map<Marker, Content>()
  hasWrittenBadYaml = false
  hasWritten = false
  readonly #api: Api
  readonly #world: World
  #lastMarker = 0
  /** The database that people want at present. */
  #wanted = embedded

  constructor(world: World) {
    this.#world = world
    this.#api = new Api(world, this)
  }

  /** Something that people do at some moment, or nothing. */
  act(container: Container): void {
    const { faults } = this.#world
    if (faults.strikes('edit')) this.edit()
    if (faults.strikes('proposal')) this.#api.propose(container)
    if (faults.strikes('restore')) this.#api.restore(container)
    if (faults.strikes('service controlled')) this.#api.control(container)
    if (faults.strikes('reload signal')) container.supervisor?.signal('SIGHUP')
    if (faults.strikes('edit is of YAML')) this.#writeYaml()
    if (faults.strikes('role changed by the app')) this.#tamper(container)
  }

  get api(): Api {
    return this.#api
  }

  /** People want another database from now on. */
  want(database: string): void {
    this.#wanted = database
  }

  /** Somebody stores a row, where a page can be had. Who finds a Mathesar that sleeps wakes it. */
  visit({ generations, supervisor }: Container): void {
    const sleeper = supervisor?.instance?.sleeper
    if (sleeper?.isAsleep && this.#world.random.chance(0.5)) void sleeper.wake().catch(() => {})
    for (const generation of generations) {
      const { server, takesRows } = generation
      if (!takesRows || server === undefined) continue
      try {
        const next = { ...server.data, rows: server.data.rows + 1 }
        server.commit(next)
        this.#world.oracle.seeRow(next)
      } catch {
        /* Not acknowledged. */
      }
    }
  }

  /** Writes mathesar.env by hand. */
  edit(): void {
    const { world } = this
    if (world.faults.strikes('file emptied')) return this.#write('', 0)
    if (world.faults.strikes('file removed')) return this.#remove()
    if (world.faults.strikes('edit moves the database')) this.#wanted = this.#otherDatabase()
    const content = drawContent(world, this.nextMarker(), world.externals.get(this.#wanted))
    this.contents.set(content.marker, content)
    this.#writeContent(content)
  }

  /** A volume whose mathesar.env names an external database from the beginning. */
  prepare(): void {
    const { world } = this
    this.#wanted = 'db'
    world.volume.makeFolder(configFile.slice(0, configFile.lastIndexOf('/')))
    this.repair()
    world.volume.syncAll()
  }

  /** What somebody writes who puts things right. */
  repair(): void {
    const { world } = this
    const marker = this.nextMarker()
    const server = world.externals.get(this.#wanted)
    const named = server === undefined ? meansEmbedded : settingsOf(server)
    const given = { PUBLIC_URL: urlOf(marker), ...named }
    const content: Content = { marker, given, broken: '', isBad: false }
    this.contents.set(content.marker, content)
    this.#writeContent(content)
    world.volume.remove(sso)
  }

  nextMarker(): Marker {
    this.#lastMarker += 1
    return this.#lastMarker
  }

  /** Remembers that somebody proposed settings which cannot serve. */
  keepBad(marker: Marker): void {
    this.contents.set(marker, { marker, given: {}, broken: '', isBad: true })
  }

  /** From now on people want this database. */
  moveDatabase(): string {
    this.#wanted = this.#otherDatabase()
    return this.#wanted
  }

  #otherDatabase(): string {
    const there = [...this.#world.externals.values()].filter(({ isThere }) => isThere)
    return this.#world.random.pick([embedded, ...there.map(({ host }) => host)])
  }

  /** What Mathesar does to its own role. */
  #tamper(container: Container): void {
    const server = container.serverAt(`${container.paths.run}/postgres`)
    const serves = [...container.generations].some((one) => one.isServing && one.server === server)
    if (
      server === undefined ||
      !serves ||
      server.whyNoConnection({ user: 'mathesar', database: 'mathesar_django' })
    )
      return
    const { command } = this.#world.random.pick(tampering)
    try {
      server.commit({ ...server.data, undone: [...new Set([...server.data.undone, command])] })
    } catch {
      /* Not acknowledged. */
    }
  }

  #writeYaml(): void {
    const { random } = this.#world
    const isBad = random.chance(0.3)
    this.#put(
      sso,
      isBad
        ? random.pick(['a: [\n', '- no mapping\n', 'providers: !none {}\nversion: 2\n'])
        : 'version: 2\nproviders: {}\n',
    )
    this.hasWrittenBadYaml ||= isBad
  }

  #writeContent(content: Content): void {
    const { world } = this
    const text = textOf(content)
    const writeAll = (): void => this.#write(text, content.marker)
    if (!world.faults.strikes('edit is half-written')) return writeAll()
    const cut = world.random.between(0, text.length)
    const half = text.slice(0, world.random.chance(0.5) ? cut : text.indexOf('\n', cut) + 1)
    this.#write(half, content.marker, 0)
    if (world.random.chance(0.6))
      world.timeline.after(world.random.latency(world.random.pick([20, 300, 2000])), () => {
        if (!world.faults.isOver) writeAll()
      })
  }

  #write(text: string, ...markers: readonly Marker[]): void {
    this.#world.trace(
      `somebody writes ${markers.map((marker) => `m${marker}`).join(' ')}: ${JSON.stringify(text)}`,
    )
    const database = databaseIn(text)
    if (database !== undefined) this.#world.oracle.tell(database)
    this.#world.oracle.edits.edit(...markers)
    this.#put(configFile, text)
  }

  #remove(): void {
    this.#world.trace('somebody removes mathesar.env')
    this.#world.oracle.edits.edit(0)
    if (!this.#world.volume.isReadOnly) this.#world.volume.remove(configFile)
  }

  /** In place as a shell does, or whole as an editor does. On a full disk the first leaves an empty file. */
  #put(path: string, text: string): void {
    const { volume, random, oracle } = this.#world
    const isInPlace = random.chance(0.5)
    this.hasWritten = true
    try {
      if (volume.find(path.slice(0, path.lastIndexOf('/'))) === undefined) return
      volume.requireSpace(path)
      if (isInPlace) volume.write(path, text)
      else volume.put(path, volume.create(text))
    } catch {
      this.#world.trace('and cannot')
      if (!isInPlace || volume.isReadOnly || volume.find(path) === undefined) return
      volume.overwrite(path, '')
      if (path === configFile) oracle.edits.edit(0)
      else this.hasWrittenBadYaml = true
    }
  }

  get world(): World {
    return this.#world
  }
}

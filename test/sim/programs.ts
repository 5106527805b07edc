import { errorTable } from '../../src/errors.ts'
import { rememberLeft } from '../../src/units/left.ts'
import { readPromotion } from '../../src/units/promotion.ts'
import type { Outcome } from '../../src/core/outcome.ts'
import type { Command } from '../../src/core/unit.ts'
import { oftenEmpty } from '../../src/units/postgres/folder.ts'
import type { ProgramResult } from '../../src/system/ports.ts'
import type { Container } from './container.ts'
import { type Data, emptyData, internalDatabase } from './database.ts'
import type { DiskError } from './disk.ts'
import { newCluster } from './postgres.ts'
import { type Parent, Process } from './processes.ts'
import type { Server } from './server.ts'
import type { World } from './world.ts'

const done: Outcome = { code: 0, signal: null }
const failed: Outcome = { code: 1, signal: null }
const failedToCarry: Outcome = { code: errorTable.PROMOTE_FAILED.exitCode, signal: null }

/** With what it writes at its end. */
type Steps = Iterator<void, string | void>

/** A program that runs to its end: steps with a pause before each. A step that throws fails it. */
class Program extends Process {
  readonly lines: string[] = []
  /** What it wrote to its standard output. */
  written = ''
  readonly #steps: Steps
  readonly #failed: Outcome

  constructor(container: Container, command: Command, steps: Steps, parent: Parent) {
    super(container.processes, command.argv.at(-1) ?? '', command.cwd ?? '/', parent)
    this.#steps = steps
    this.#failed = command.argv.includes('--copy') ? failedToCarry : failed
    this.#next()
  }

  say(line: string): void {
    this.lines.push(line)
    this.print(line)
  }

  protected override hear(signal: NodeJS.Signals): void {
    this.exit({ code: null, signal })
  }

  #next(): void {
    const { faults, random } = this.world
    this.later(faults.strikes('program is slow') ? random.pick([2000, 60_000]) : 15, () => {
      if (faults.strikes('program fails')) return this.#fail('it failed')
      if (faults.strikes('program is killed')) return this.exit({ code: null, signal: 'SIGKILL' })
      try {
        const { done: isDone, value } = this.#steps.next()
        if (isDone) {
          this.written = value ?? ''
          return this.exit(done)
        }
      } catch (error) {
        return this.#fail((error as Error).message)
      }
      this.#next()
    })
  }

  #fail(why: string): void {
    this.say(why)
    this.exit(this.#failed)
  }
}

/** tar or initdb: a whole cluster, none of it synced. */
function* makeCluster(container: Container, folder: string): Iterator<void> {
  const { volume } = container.world
  for (const name of oftenEmpty) container.world.volume.makeFolder(`${folder}/${name}`)
  for (const [path, text] of newCluster(emptyData(container.world.nameCluster()))) {
    try {
      const full = folder + path
      volume.makeFolder(full.slice(0, full.lastIndexOf('/')))
      volume.write(full, text)
    } catch (error) {
      const { code, message } = error as DiskError
      throw new Error(code === 'ENOSPC' ? 'tar: cannot write: No space left on device' : message)
    }
    yield
  }
}

/** tar with a copy of a cluster as its input: another cluster from then on, with the same rows. */
function* unpackCluster({ world }: Container, folder: string, copy: string): Iterator<void> {
  const data: Data = { ...(JSON.parse(copy) as Data), id: world.nameCluster() }
  const { volume, oracle } = world
  oracle.seeRow(data)
  for (const name of oftenEmpty) volume.makeFolder(`${folder}/${name}`)
  for (const [path, text] of newCluster(data)) {
    const full = folder + path
    volume.makeFolder(full.slice(0, full.lastIndexOf('/')))
    volume.write(full, text)
    yield
  }
}

/** Where the supervisor's superuser connects to. */
const ownServer = (container: Container): Server => {
  const server = container.serverAt(`${container.paths.run}/postgres`)
  const why =
    server === undefined
      ? new Error('no such socket')
      : server.whyNoConnection({ user: 'mathesar', database: 'mathesar_django' })
  if (server === undefined || why !== undefined) throw new Error(`error: ${why?.message}`)
  return server
}

function* copyCluster(container: Container): Iterator<void, string> {
  yield
  return JSON.stringify(ownServer(container).data)
}

/** The files of the volume, as a program has them that syncs what it writes. */
const filesOf = ({ volume }: World) => ({
  readIfThere: (path: string) => volume.read(path),
  writeWhole: (path: string, text: string) => {
    volume.write(path, text)
    volume.syncAll()
    return true
  },
  removeWhole: () => {},
})

/**
 * The copy of a promotion: it completes what a command that still lives has begun. The server that is left
 * takes no writes from then on.
 */
function* carryAll(container: Container, { env }: Command): Iterator<void> {
  const { world, operations } = container
  const where = { system: { files: filesOf(world) }, place: container.place }
  const { mark, copies } = readPromotion(where) ?? {}
  const target = world.externals.get(new URL(env.DATABASE_URL ?? '').hostname)
  const snapshot = copies?.[0]?.snapshot
  if (snapshot === undefined || target?.mark === undefined || target.mark !== mark)
    throw new Error('supervisor: nothing was prepared there')
  yield
  if (![...operations].some(({ name }) => name === snapshot))
    throw new Error('supervisor: the snapshot does not exist')
  rememberLeft(where, { url: null, closed: [internalDatabase], toFinish: [] })
  yield
  const own = ownServer(container)
  own.commit({ ...own.data, isClosed: true })
  yield
  const { data } = ownServer(container)
  yield
  const why = target.whyAway()
  if (why !== undefined) throw new Error(`supervisor: ${why.message}`)
  const { id, roles, databases } = target.data
  target.commit({ ...data, id, roles, databases, undone: [], hasSelfGrant: true, isClosed: false })
  world.oracle.seeCarried(data.id, id)
}

function* syncVolume({ world }: Container): Iterator<void> {
  yield
  if (world.faults.strikes('sync fails')) throw new Error('sync: error syncing: Input/output error')
  world.volume.syncAll()
}

function* dump({ world }: Container, { argv }: Command): Iterator<void> {
  yield
  if (world.faults.strikes('program fails')) throw new Error('pg_dump: error: it failed')
  world.volume.write(argv.at(-1)!.replace('--file=', ''), 'a dump')
}

/** Django's migrations: all of them are there, or none. */
function* migrate(container: Container, { env }: Command): Iterator<void> {
  const { world } = container
  const server = container.serverAt(env.POSTGRES_HOST)
  const login = { user: env.POSTGRES_USER, database: env.POSTGRES_DB, password: env.POSTGRES_PASSWORD }
  for (const migration of container.image) {
    yield
    const why = server === undefined ? new Error('no such host') : server.whyNoConnection(login)
    if (why) throw new Error(`django.db.utils.OperationalError: ${why.message}`)
    if (world.faults.strikes('migration fails')) throw new Error(`ERROR ${migration}: it failed`)
  }
  if (server === undefined) return
  world.oracle.seeKey(server.data, env.SECRET_KEY)
  server.commit({
    ...server.data,
    migrations: [...new Set([...(server.data.migrations ?? []), ...container.image])],
    key: server.data.key ?? env.SECRET_KEY,
  })
}

/** The parsers of Mathesar: a tag is none that they know. */
function* checkConfig({ env }: Command): Iterator<void> {
  yield
  for (const [name, text] of Object.entries(env))
    if (/: !/.test(text)) throw new Error(`ERROR ${name.slice('PROPOSED_'.length)}, line 1: it has a tag`)
}

/** Those that make folders or empty files of their own. */
function* makeThings(container: Container, { argv: [program, ...args] }: Command): Iterator<void> {
  const { volume } = container.world
  for (const path of args.filter((arg) => arg.startsWith('/')))
    if (program === 'mkdir') volume.makeFolder(path)
    else volume.write(path, '')
  yield
}

const stepsOf = (container: Container, command: Command, input: string | undefined): Steps => {
  const [program] = command.argv
  const folder = command.cwd ?? ''
  if (command.argv.includes('--copy')) return carryAll(container, command)
  if (program === 'tar' && input !== undefined)
    return unpackCluster(container, command.argv[command.argv.indexOf('--directory') + 1] ?? '', input)
  if (program === 'pg_basebackup') return copyCluster(container)
  if (program === 'pg_verifybackup' || program === 'find') return [undefined][Symbol.iterator]()
  if (program === 'tar' || program.endsWith('/initdb')) return makeCluster(container, folder)
  if (program === 'mkdir' || program === 'truncate') return makeThings(container, command)
  if (program === 'sync') return syncVolume(container)
  if (program === 'pg_dump') return dump(container, command)
  if (command.argv.at(-1)?.endsWith('check_config.py')) return checkConfig(command)
  if (command.argv.at(-1)?.endsWith('migrate.py')) return migrate(container, command)
  container.world.violate('model', `no program ${command.argv.join(' ')}`)
  return [][Symbol.iterator]()
}

/** Runs a program to its end; an aborted signal kills it. */
export const runProgram = async (
  container: Container,
  command: Command,
  parent: Parent,
  signal: AbortSignal | undefined,
  input?: string,
): Promise<ProgramResult & { readonly written: string }> => {
  if (container.world.faults.strikes('program cannot start'))
    return { outcome: { code: 126, signal: null }, lines: ['cannot start it: spawn EAGAIN'], written: '' }
  const program = new Program(container, command, stepsOf(container, command, input), parent)
  const kill = (): void => program.killGroup()
  signal?.addEventListener('abort', kill, { once: true })
  if (signal?.aborted) kill()
  const outcome = await program.ended
  signal?.removeEventListener('abort', kill)
  signal?.throwIfAborted()
  return { outcome, lines: program.lines, written: program.written }
}

// Loaded on the way, these would take time that is not ours.
import '../../../src/units/fingerprint.ts'
import '../../../src/units/postgres/scram.ts'
import { Instance } from '../../../src/daemon/instance.ts'
import { units } from '../../../src/units/index.ts'
import type { Unit } from '../../../src/units/unit.ts'
import { errorWith } from './files.ts'
import type { FakeProcess } from './processes.ts'
import { createScope } from './scope.ts'

type Options = Parameters<typeof createScope>[0] & {
  readonly units?: readonly Unit[]
  readonly isUnproven?: boolean
  readonly whenUp?: () => Promise<void>
  readonly carry?: () => Promise<string>
}

/** What a control file says of the data, 1 after a clean shutdown. */
const controlFile = (state: number): Buffer => {
  const bytes = Buffer.alloc(8192)
  bytes.writeUInt32LE(state, 16)
  return bytes
}
const isPostgres = ({ command }: FakeProcess): boolean => command.argv[0].endsWith('/postgres')

/**
 * The real units, kept up by a real instance, with programs and services that do at once what is asked of
 * them.
 */
export const createImage = (options: Options = {}) => {
  const at = createScope(options)
  const { scope, disk, processes, database, replies, clock } = at
  const lockFile = '/data/postgres/postmaster.pid'

  replies.program = async ({ unit, command }, signal) => {
    await clock.delay(40, signal)
    if (unit === 'cluster') disk.put(`${command.cwd}/PG_VERSION`, '17\n')
    return { outcome: { code: 0, signal: null }, lines: [] }
  }
  let hasDatabase = false
  database.answerWith((text) => {
    hasDatabase ||= text.startsWith('CREATE DATABASE')
    if (text.startsWith('SELECT 1 FROM pg_database')) return hasDatabase ? [{}] : []
    return text.includes('pg_try_advisory') ? [{ locked: true }] : []
  })
  replies.get = async () => {
    if (processes.gates.some(({ isOpen, isClosed }) => isOpen && !isClosed))
      return { status: 200, location: undefined }
    throw errorWith('ETIMEDOUT') // What waits at its gate accepts no connection.
  }
  processes.answerWith(async () => '200 ')
  processes.onStart((process) => {
    if (!isPostgres(process)) return
    disk.put(lockFile, `${process.pid}\n\n\n\n\n\n\nready\n`)
    disk.put('/data/postgres/global/pg_control', controlFile(6))
  })
  processes.onSignal((process, signal) => {
    if (!isPostgres(process)) return void (signal === 'SIGTERM' && process.exit({ code: 0 }))
    if (signal !== 'SIGINT' && signal !== 'SIGQUIT') return
    disk.files.remove(lockFile)
    disk.put('/data/postgres/global/pg_control', controlFile(signal === 'SIGINT' ? 1 : 6))
    process.exit({ code: 0 })
  })

  const instance = new Instance({
    system: scope.system,
    place: scope.place,
    units: options.units ?? units,
    inForce: scope.inForce,
    startedAtMs: clock.now(),
    carrying: { carry: options.carry ?? (async () => ''), letGo: () => () => {} },
    isUnproven: () => options.isUnproven ?? false,
    ...(options.whenUp === undefined ? {} : { whenUp: options.whenUp }),
  })
  const running = (name: 'postgres' | 'mathesar'): readonly FakeProcess[] =>
    processes.alive.filter((process) => isPostgres(process) === (name === 'postgres'))

  return {
    ...at,
    instance,
    /** The processes of a service that are alive, the oldest first. */
    running,
    /** Boots, and has the time pass that it takes. */
    boot: async (): Promise<void> => {
      void instance.start()
      await clock.advance(1000)
    },
    stateOf: (name: string): string | undefined =>
      instance.status().units.find((unit) => unit.name === name)?.state,
  }
}

import { basename, dirname } from 'node:path/posix'
import { isArchiveName } from '../../src/core/archive-name.ts'
import { SupervisorError } from '../../src/errors.ts'
import type { Streams, System } from '../../src/system/ports.ts'
import { units } from '../../src/units/index.ts'
import type { TaskUnit, Unit } from '../../src/units/unit.ts'
import type { Fault } from './faults.ts'
import type { Invariant } from './world.ts'

/** The product without one of its safeguards. */
export type Mutant = {
  readonly units: readonly Unit[]
  readonly changeSystem: (system: System) => System
  readonly changeStreams?: (streams: Streams, system: System) => Streams
  /** What has to happen for it to show, so that few runs are enough. */
  readonly stories?: readonly Fault[]
}

/** The product as it is. */
export const original: Mutant = { units, changeSystem: (system) => system }

const changeTask = (name: TaskUnit['name'], change: (unit: TaskUnit) => TaskUnit): Mutant => ({
  ...original,
  units: units.map((unit) => (unit.kind === 'task' && unit.name === name ? change(unit) : unit)),
})

const changeFiles = (change: (files: System['files']) => Partial<System['files']>): Mutant => ({
  ...original,
  changeSystem: (system) => ({ ...system, files: { ...system.files, ...change(system.files) } }),
})

const withoutWriting = (isMeant: (path: string, text: string) => boolean): Mutant =>
  changeFiles(({ writeWhole }) => ({
    writeWhole: (path, text, mode, mayReplace) =>
      isMeant(path, text) || writeWhole(path, text, mode, mayReplace),
  }))

const isSecret = (path: string): boolean => path.endsWith('/secret_key')
const isManifest = (path: string): boolean => path.endsWith('/manifest.json')
const isUnsyncedMark = (path: string): boolean => path.endsWith('/supervisor.unsynced')

/**
 * Each with what the simulation has to find then. Those that begin with a letter and a number are faults
 * that the product had.
 */
export const mutants: readonly {
  readonly name: string
  readonly breaks: Invariant
  readonly mutant: Mutant
}[] = [
  {
    name: 'S1: a connection that breaks in a task is an internal error, and not tried again',
    breaks: 'internal',
    mutant: {
      ...original,
      units: units.map((unit) =>
        unit.kind === 'task'
          ? {
              ...unit,
              run: (scope, signal) =>
                unit.run(scope, signal).catch((error: unknown) => {
                  throw error instanceof SupervisorError && error.isPassing ? error.cause : error
                }),
            }
          : unit,
      ),
    },
  },
  {
    name: 'R12: what Mathesar did to its own role is not undone',
    breaks: 'serves',
    mutant: {
      ...original,
      changeSystem: (system) => ({
        ...system,
        withClient: (ways, use) =>
          system.withClient(ways, (client) =>
            use({
              query: async (text, values) =>
                text.includes('CASE WHEN setrole = 0')
                  ? { rows: [], rowCount: 0 }
                  : await client.query(text, values),
            }),
          ),
      }),
    },
  },
  {
    name: 'B2: a mathesar.env that names no database, empty or not, means the embedded one',
    breaks: 'left',
    mutant: {
      ...original,
      stories: ['file emptied', 'file removed', 'proposal moves the database'],
      changeSystem: (system) => ({
        ...system,
        readConfigFiles: (folder, names) => {
          const seen = system.readConfigFiles(folder, names)
          const text = seen.files['mathesar.env'] ?? ''
          const means = text.includes('POSTGRES_') ? text : `${text}\nPOSTGRES_HOST=\n`
          return { ...seen, files: { ...seen.files, 'mathesar.env': means } }
        },
      }),
    },
  },
  {
    name: 'Mathesar serves before the migrations are done',
    breaks: 'gate',
    mutant: {
      ...original,
      units: units.map((unit) =>
        unit.kind === 'service' && unit.servesAfter ? { ...unit, servesAfter: [] } : unit,
      ),
    },
  },
  {
    name: 'a new cluster is not synced',
    breaks: 'gate',
    mutant: changeTask('sync', (unit) => ({ ...unit, run: async () => undefined })),
  },
  {
    name: 'a synced cluster still counts as new, and the volume forgets that it has served',
    breaks: 'left',
    mutant: changeFiles(({ isThere, readIfThere }) => ({
      isThere: (path) => isUnsyncedMark(path) || isThere(path),
      readIfThere: (path, limitBytes) => (isManifest(path) ? undefined : readIfThere(path, limitBytes)),
    })),
  },
  {
    name: 'the secret key is made anew at each boot, and the volume forgets that it has served',
    breaks: 'key',
    mutant: changeFiles(({ readIfThere, isThere }) => ({
      readIfThere: (path, limitBytes) =>
        isSecret(path) || isManifest(path) ? undefined : readIfThere(path, limitBytes),
      isThere: (path) => !path.endsWith('/PG_VERSION') && isThere(path),
    })),
  },
  {
    name: 'mathesar.env is not written',
    breaks: 'acknowledged',
    mutant: withoutWriting((path) => path.endsWith('/mathesar.env')),
  },
  {
    name: 'what an undo or a restore leaves behind stays where it is',
    breaks: 'whole',
    mutant: changeFiles(({ renameWhole }) => ({
      renameWhole: (from, to) => {
        if (!from.endsWith('/undo')) renameWhole(from, to)
      },
    })),
  },
  {
    name: 'the journal of an undo or a restore is not written',
    breaks: 'acknowledged',
    mutant: withoutWriting((path) => path.endsWith('/journal.json')),
  },
  {
    name: 'the mark of a move is not written',
    breaks: 'moved',
    mutant: withoutWriting((path, text) => isManifest(path) && text.includes('"moved"')),
  },
  {
    name: 'a promotion keeps the mark of what it has put in force',
    breaks: 'cluster',
    mutant: {
      ...changeFiles(({ removeWhole }) => ({
        removeWhole: (path) => {
          if (!path.endsWith('/promotion.json')) removeWhole(path)
        },
      })),
      stories: ['promotion', 'operation killed'],
    },
  },
  {
    name: 'an archive has its name from the beginning',
    breaks: 'archive',
    mutant: {
      ...original,
      stories: ['backup', 'operation killed'],
      changeStreams: (streams, { files }) => ({
        ...streams,
        createFile: async (path) => {
          let text = ''
          return {
            write: async (chunk) => files.writeInPlace(path, (text += chunk.toString())),
            finish: async () => {},
            abort: async () => files.remove(path),
          }
        },
      }),
    },
  },
  {
    name: 'an archive gets its name before it is on the disk',
    breaks: 'archive',
    mutant: {
      ...original,
      stories: ['backup', 'power lost'],
      changeStreams: (streams, { files }) => ({
        ...streams,
        createFile: async (path) => {
          const upload = await streams.createFile(`${path}.part`)
          let text = ''
          return {
            ...upload,
            write: async (chunk) => void (text += chunk.toString()),
            finish: async () => {
              files.link(text, path)
              files.syncFile(dirname(path))
              await upload.abort()
            },
          }
        },
      }),
    },
  },
  {
    name: 'the newest archive gives way, and the older ones stay',
    breaks: 'archive',
    mutant: {
      ...changeFiles(({ listFolder, removeWhole }) => ({
        removeWhole: (path) => {
          const last = listFolder(dirname(path)).filter(isArchiveName).toSorted().at(-1)
          removeWhole(last !== undefined && isArchiveName(basename(path)) ? `${dirname(path)}/${last}` : path)
        },
      })),
      stories: ['backup'],
    },
  },
  {
    name: 'the log knows no secrets',
    breaks: 'secret',
    mutant: {
      ...original,
      changeSystem: (system) => ({ ...system, log: { ...system.log, addSecret: () => {} } }),
    },
  },
]

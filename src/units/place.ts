import type { User } from '../core/unit.ts'
import type { Files } from '../system/files.ts'

/** Where things are. All absolute. */
export type Paths = {
  /** What must last. */
  readonly data: string
  /** Sockets and generated files of this run. */
  readonly run: string
  /** Mathesar's code. */
  readonly app: string
  /** The cluster template and the list of migrations, both made with the image. */
  readonly share: string
  readonly gunicornConfig: string
  /** Folder of `postgres` and `initdb`; `undefined` in an image without a server. */
  readonly postgresBin: string | undefined
  readonly pythonBin: string
  /** The web server in front of Mathesar; `undefined` where there is none, and Mathesar has the port. */
  readonly nginx: string | undefined
  /** nginx's module for files that Brotli has compressed already, where it has one. */
  readonly brotliModule: string | undefined
}

/** The files of a volume, for what keeps something there: as far as it needs them. */
export type Volume<Calls extends keyof Files = keyof Files> = {
  readonly system: { readonly files: Pick<Files, Calls> }
  readonly place: { readonly paths: Pick<Paths, 'data'> }
}

/** Who runs what. Without root there is one user, and nobody to change to. */
export type Identities = {
  readonly supervisor: User
  readonly postgres: User | undefined
  readonly mathesar: User | undefined
  readonly door: User | undefined
}

/**
 * What the container may use: bytes of memory and of /dev/shm, processors, and how many processes, of which
 * each thread is one.
 */
export type Machine = {
  readonly memoryBytes: number
  readonly shmBytes: number
  readonly cpus: number
  readonly processes: number
  /** oom_score_adj of the supervisor, as the container was started with it. */
  readonly oomScoreAdj: number
}

/** What stays the same as long as the container runs. */
export type Place = {
  readonly paths: Paths
  readonly identities: Identities
  readonly machine: Machine
  /** The environment that the container was started with. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

export const inVolume = ({ data }: Pick<Paths, 'data'>) => ({
  cluster: `${data}/postgres`,
  secrets: `${data}/secrets`,
  config: `${data}/config`,
  history: `${data}/history`,
  media: `${data}/media`,
  temporary: `${data}/tmp`,
  /** What the door holds of requests and answers that are larger than its memory for them. */
  buffer: `${data}/buffer`,
  /** Dumps of an external internal database, of before an upgrade. */
  kept: `${data}/kept`,
  /** What the volume says of the installation on it. */
  manifest: `${data}/manifest.json`,
  /** Archives, unless they go elsewhere. */
  backups: `${data}/backups`,
  /** What the volume remembers of them. */
  backupRecord: `${data}/backups.json`,
  /** What the next backup builds on: the manifest of the last one, for Postgres to read. */
  chain: `${data}/chain`,
  /** Which releases of Mathesar there are, as it was last told. */
  updateRecord: `${data}/updates.json`,
  /** What was begun on another server: see `units/promotion.ts`. */
  promotion: `${data}/promotion.json`,
  /** Servers that were left for another: see `units/left.ts`. */
  left: `${data}/left.json`,
  /** Copies of the cluster, to go back to a moment. */
  undo: `${data}/undo`,
  /** The cluster of a moment that is served beside; gone at the next start. */
  past: `${data}/past`,
  /** What a restore brought and has not put in place yet, or took away and keeps. */
  restore: `${data}/restore`,
  /** Whoever holds it makes or restores a backup. */
  operationLock: `${data}/.operation.lock`,
  /** Whoever holds it has the volume to itself. */
  lock: `${data}/.lock`,
  /** Which run that is, and its signs of life. */
  holder: `${data}/.holder`,
  beat: `${data}/.beat`,
})

export const inRun = ({ run }: Pick<Paths, 'run'>) => ({
  /** Whoever holds it has the folder to itself: containers that share /dev/shm would use the same one. */
  lock: `${run}/.lock`,
  control: `${run}/control`,
  /** The host string that Mathesar stores for its own server: it must never change. */
  postgresSocket: `${run}/postgres`,
  /** The same for the server of a moment that is gone. */
  pastSocket: `${run}/yesterday`,
  etc: `${run}/etc`,
  /** Checked copies of the config files that Mathesar reads itself. */
  app: `${run}/app`,
  /** The sockets behind the door, in a folder that the door alone may enter. */
  door: `${run}/door`,
  /** In place of those of the volume where it cannot be written. */
  media: `${run}/media`,
  temporary: `${run}/tmp`,
  buffer: `${run}/buffer`,
})

/** The hosts that Mathesar takes, for it to read at each request. Its folder keeps others from writing it. */
export const hostsFile = (paths: Pick<Paths, 'run'>): string => `${inRun(paths).app}/hosts`

/** What is behind the door. */
export const inDoor = (paths: Pick<Paths, 'run'>) => ({
  /** Mathesar's socket, which the supervisor holds. */
  mathesar: `${inRun(paths).door}/mathesar.sock`,
  /** Leads to it while Mathesar serves. Where it is missing, the supervisor's page answers. */
  serving: `${inRun(paths).door}/serving.sock`,
  /** While it is there, each answer ends its connection: the container or nginx's worker is about to stop. */
  draining: `${inRun(paths).door}/draining`,
  /** The supervisor's own: health, and the page. */
  page: `${inRun(paths).door}/page.sock`,
})

/**
 * Where platforms ask how it is: the supervisor answers, by any name. The last are Mathesar's own, which it
 * has from 0.12 on: they must not wake it, and must be there while it boots.
 */
export const probePaths: readonly string[] = [
  '/livez',
  '/readyz',
  '/startupz',
  ...['/healthz/live', '/healthz/ready'].flatMap((path) => [path, `${path}/`]),
]

/** Where Mathesar creates its first administrator. */
export const setupPath = '/complete_installation/'
/** The door's own name for handing a request on to Mathesar's form there. */
export const setupHandover = '@setup'
/** The same for any request to Mathesar. */
export const mathesarHandover = '@mathesar'
/** What the door asks Mathesar before it takes in a large body: whether its sender may. */
export const maySendPath = '/supervisor/may-send'
/** The console in the browser, and all that is below it. */
export const consolePath = '/supervisor/console'
/** What the door answers by itself. */
export const doorPath = '/supervisor/door'
/** What the door asks the supervisor for where Mathesar does not answer. */
export const awayPath = '/supervisor/away'
/** And where it could not for want of its database: `database_away.py` knows the name of the location. */
export const databaseAwayPath = '/supervisor/away/database'
export const databaseHandover = '@database'

/** Mathesar touches it for each request of a visitor, as long as that lasts. */
export const activityFile = (paths: Pick<Paths, 'run'>): string => `${inRun(paths).app}/activity`

/** What the keeper of undo has Postgres do in its time. */
export const undoConfig = (paths: Pick<Paths, 'run'>): string => `${inRun(paths).etc}/undo.conf`

/** A program of ours in Python, or a file that Python reads, beside the configuration of gunicorn. */
export const ownProgram = ({ gunicornConfig }: Pick<Paths, 'gunicornConfig'>, name: string): string =>
  gunicornConfig.replace(/[^/]*$/, name)

/** What to do where the folder of the run cannot be used. */
export const runHint = ({ run }: Pick<Paths, 'run'>): string =>
  `Give the container a folder for sockets that this user may write: \`--tmpfs ${run}\`.`

/** What the commands talk to. */
export const controlSocket = (paths: Pick<Paths, 'run'>): string => `${inRun(paths).control}/supervisor.sock`

/** What a user interface may talk to, with `UI_MAY_EDIT_CONFIG`: the configuration alone. */
export const appSocket = (paths: Pick<Paths, 'run'>): string => `${inRun(paths).app}/config.sock`

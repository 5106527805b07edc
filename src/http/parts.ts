import type { Status } from '../core/status.ts'
import type { Instance } from '../daemon/instance.ts'
import type { PastKeeper } from '../daemon/past.ts'
import type { Progress } from '../daemon/progress.ts'
import type { Sleeper } from '../daemon/sleeper.ts'
import type { Backups } from '../daemon/backups.ts'
import type { Changes } from '../daemon/config/changes.ts'
import type { Store } from '../daemon/config/store.ts'
import type { Refusal } from '../settings/hosts.ts'
import type { InForce } from '../settings/configuration.ts'
import type { Log } from '../system/log.ts'
import type { Clock, System } from '../system/ports.ts'
import type { Archive } from './archives.ts'
import type { BackupWork } from './console/backups.ts'
import type { Console } from './console/console.ts'
import type { Entrance } from './console/entrance.ts'
import type { Feed } from './door/feed.ts'
import type { Login } from './door/login.ts'
import type { SignIn, setupPurposes } from './door/sign-in.ts'
import type { Restoring } from './door/restore.ts'
import type { Setup } from './door/setup.ts'
import type { Measures } from './metrics.ts'

/** The units, and whether Mathesar serves. */
type InstancePart = Pick<
  Instance,
  | 'isReady'
  | 'wasReady'
  | 'isServing'
  | 'isBackSoon'
  | 'isStopping'
  | 'results'
  | 'control'
  | 'subscribe'
  | 'timeInState'
> & { readonly sleeper: Pick<Sleeper, 'isAsleep' | 'wake' | 'stayAwake'> }

/** The settings, their history, and what may change them. */
type ConfigPart = {
  readonly changes: Pick<Changes, 'current' | 'isChanging' | 'problem' | 'propose'>
  readonly store: Pick<Store, 'readHistory' | 'revision'>
  readonly inForce: Pick<InForce, 'values'>
  readonly isNew: boolean
  /** Throws unless the database of the current settings can be used, within seconds. */
  readonly tryDatabase: () => Promise<void>
  /** The door refused a request for its Host. */
  readonly seeRefused: (refusal: Refusal) => void
}

/** What people and monitors are told. */
type ReportPart = {
  /** Without the memory of the units. */
  readonly status: () => Status
  readonly memoryOf: System['memoryOf']
  readonly measures: () => Measures
  /** What a unit wrote while not everything was up. */
  readonly signsOf: Progress['signsOf']
  readonly backupProblems: Backups['problems']
}

/** The container as a whole. */
type ContainerPart = {
  /** Whether everything is down, and the container stays for the page. */
  readonly isKept: () => boolean
  /** The same, while a backup is being restored. */
  readonly isRestoring: () => boolean
  /** Stops everything in order, and boots again in the same container. */
  readonly startOver: () => void
  /** Stops Mathesar and Postgres while `act` goes on; visitors wait. */
  readonly rest: (act: () => Promise<void>) => Promise<void>
}

/** Those who come while Mathesar does not serve. */
type VisitorsPart = {
  /** How many wait for Mathesar. */
  waiting: number
  /** What their open pages are told. */
  readonly feed: Pick<Feed, 'follow'>
}

/** An installation that nobody has set up yet. */
type SetupPart = Pick<Setup, 'isDone' | 'expect'> & {
  /** Signs its owner in, by the setup code. */
  readonly signIn: Pick<
    SignIn<keyof typeof setupPurposes>,
    'isOpen' | 'isSignedIn' | 'prove' | 'cookies' | 'invite'
  >
  /** The link with this key. */
  readonly linkOf: (key: string) => string
}

/** Who runs Mathesar, for pages that ask for their login. */
type AdministratorsPart = Pick<Login, 'prove'>

/** The backups, for the pages. */
type ArchivesPart = {
  /** Those of each place, the newest first. */
  readonly list: () => Promise<readonly Archive[]>
  /** Begins one, unless one is under way. */
  readonly begin: () => void
  /** What comes of it. */
  readonly work: BackupWork
}

/** What the routes act on, by capability. Each handler names those that it uses: `Pick<Parts, 'log'>`. */
export type Parts = {
  readonly clock: Pick<Clock, 'now' | 'elapsed' | 'after'>
  readonly log: Pick<Log, 'say' | 'tail' | 'follow'>
  readonly instance: InstancePart
  readonly config: ConfigPart
  readonly report: ReportPart
  readonly container: ContainerPart
  readonly visitors: VisitorsPart
  readonly setup: SetupPart
  readonly administrators: AdministratorsPart
  /** Who may use the console. */
  readonly entrance: Pick<
    Entrance,
    'takes' | 'isOpen' | 'port' | 'closesMs' | 'signIn' | 'open' | 'close' | 'linkOf'
  >
  /** Loads the console. */
  readonly console: () => Promise<Pick<Console, 'answer'>>
  readonly archives: ArchivesPart
  /** Restores in the browser. */
  readonly restoring: Restoring
  readonly past: Pick<PastKeeper, 'serve' | 'end'>
}

import type { LogEvent } from '../core/log-lines.ts'
import type { Command, Policy } from '../core/unit.ts'
import type { ErrorCode } from '../errors.ts'
import type { InForce } from '../settings/configuration.ts'
import type { ProcessLook, System } from '../system/ports.ts'
import type { Place } from './place.ts'
import type { Results, TaskName } from './results.ts'

/** All that a unit may use. It imports no wrapper of the system: it gets the system here. */
export type Scope<Reads extends TaskName = TaskName> = {
  readonly system: System
  readonly place: Place
  readonly inForce: InForce
  readonly results: Pick<Results, Reads>
  /**
   * A database may start beside the container, so a boot waits for it.
   * A change is tried against one that is there.
   */
  readonly isBoot: boolean
  /**
   * Says in the status what the unit is busy with, and what keeps it; `null` when it no longer is. What a
   * task leaves there when it is done stays.
   */
  readonly report: (detail: string | null, code?: ErrorCode) => void
}

/** The system, and where it acts: what there is whatever the settings are. */
export type Where = Pick<Scope<never>, 'system' | 'place'>

export type ServiceName = 'postgres' | 'mathesar' | 'door'
export type UnitName = TaskName | ServiceName

type UnitBase = {
  /** Units that must be done or ready before this one starts. */
  readonly needs: readonly UnitName[]
  /** One sentence for status and docs. */
  readonly description: string
  /** Why these settings leave the unit out, if they do. */
  readonly skip?: (inForce: InForce, place: Place) => string | undefined
}

/** A oneshot task: it runs once in a boot, is idempotent, and returns its entry of `Results`. */
export type TaskUnit = UnitBase & {
  readonly kind: 'task'
  readonly name: TaskName
  readonly run: (scope: Scope, signal: AbortSignal) => Promise<Results[TaskName]>
}

/** A service: it stays up. */
export type ServiceUnit = UnitBase & {
  readonly kind: 'service'
  readonly name: ServiceName
  /**
   * Units that must be done before the service may serve. It starts, and imports its code, meanwhile. After
   * its own `fds` it gets two more, the gate: on the first it reads `?`, a wish to check itself, and the end
   * of file, which opens the gate; on the second it answers each wish with a line.
   */
  readonly servesAfter?: readonly UnitName[]
  /** At a stop it goes after these, which it does not need. */
  readonly stopsAfter?: (inForce: InForce) => readonly UnitName[]
  readonly policy: (inForce: InForce) => Policy
  readonly command: (scope: Scope) => Promise<Command>
  /**
   * One readiness probe. Resolves with `undefined` when ready, else with the reason. `before` is the reason
   * of the probe before, if that one failed.
   */
  readonly probe: (scope: Scope, signal: AbortSignal, before?: string) => Promise<string | Error | undefined>
  /**
   * Called when the service begins to serve, and when it has been away for longer than a moment:
   * see `daemon/serving.ts`.
   */
  readonly onServing?: (scope: Scope, isServing: boolean) => void
  /** Called when the container is about to stop, and serves on for a while (DRAIN_DELAY). */
  readonly onDraining?: (scope: Scope) => void
  /**
   * Has its first process read its files again. Resolves once it goes by them; throws where it does not take
   * them, and then goes on as before.
   */
  readonly reload?: (scope: Scope, pid: number, signal: AbortSignal) => Promise<void>
  /** Why its processes hang for ever, if they do: then they are killed and started again. */
  readonly whyHung?: (scope: Scope, now: ProcessLook, before?: ProcessLook) => string | undefined
  /** What the answer to `?` means: `undefined` when the generation is fit to serve, else the reason. */
  readonly readCheck?: (answer: string) => string | undefined
  /** Once its last process is gone: why its data was not left cleanly shut down; `undefined` when it was. */
  readonly whyUnclean?: (scope: Scope) => string | undefined
  /** What to type when it died again and again, if its own files say more than its last lines. */
  readonly crashHint?: (scope: Scope) => string | undefined
  /**
   * Where it may stop as long as nobody wants it (SLEEP_AFTER): when somebody last did, in milliseconds since
   * 1970; now while somebody still does.
   */
  readonly lastUsedMs?: (scope: Scope) => Promise<number>
  /** Signals to the container that are meant for this service. */
  readonly forwards?: readonly NodeJS.Signals[]
  /** What a line of its output says, where that is in a form of its own. */
  readonly readLine?: (line: string) => LogEvent
  /** Lines of its log that hold this text are shown to whoever watches. */
  readonly watchedText?: string
  /** A line of its log that holds this text is a reason to probe at once. */
  readonly troubleText?: string
}

export type Unit = TaskUnit | ServiceUnit

type Narrow<U extends { readonly needs: readonly UnitName[] }, Reads extends UnitName> = Omit<U, 'needs'> & {
  readonly needs: readonly Reads[]
}
type Readable<Reads extends UnitName> = Scope<Extract<Reads, TaskName>>

/**
 * Declares a task. To read a result that is not among its needs is a type error,
 * and so is to return another task's.
 */
export const defineTask = <const Name extends TaskName, const Reads extends UnitName>(
  unit: Narrow<Omit<TaskUnit, 'kind' | 'name' | 'run'>, Reads> & {
    readonly name: Name
    readonly run: (scope: Readable<Reads>, signal: AbortSignal) => Promise<Results[Name]>
  },
): TaskUnit => ({ ...unit, kind: 'task' })

/** Declares a service. What it may read is what it needs. */
export const defineService = <const Reads extends UnitName>(
  unit: Narrow<
    Omit<ServiceUnit, 'kind' | 'command' | 'probe' | 'crashHint' | 'whyUnclean' | 'onServing' | 'lastUsedMs'>,
    Reads
  > & {
    readonly command: (scope: Readable<Reads>) => Promise<Command>
    readonly probe: (
      scope: Readable<Reads>,
      signal: AbortSignal,
      before?: string,
    ) => Promise<string | Error | undefined>
    readonly crashHint?: (scope: Readable<Reads>) => string | undefined
    readonly whyUnclean?: (scope: Readable<Reads>) => string | undefined
    readonly onServing?: (scope: Readable<Reads>, isServing: boolean) => void
    readonly lastUsedMs?: (scope: Readable<Reads>) => Promise<number>
  },
): ServiceUnit => ({ ...unit, kind: 'service' })

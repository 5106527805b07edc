import {
  type ConfigFiles,
  type Configuration,
  editsToPersist,
  versionOf,
} from '../../settings/configuration.ts'
import { editConfig } from '../../settings/env-file.ts'
import type { HistoryEntry, Origin } from '../../settings/history.ts'
import { describeError } from '../../core/message.ts'
import { type Change, changesBetween, type Plan, planOf } from '../../settings/plan.ts'
import { filesWanted, type Proposal, refusePinnedEdits, templateText } from '../../settings/proposal.ts'
import type { Environment } from '../../settings/table.ts'
import type { Problem } from '../../core/status.ts'
import { SupervisorError, toSupervisorError } from '../../errors.ts'
import type { Store } from './store.ts'

/** How a proposal ended when it did not fail. `version` is the one in force now. */
export type ChangeResult = {
  readonly result: 'applied' | 'unchanged' | 'planned'
  readonly version: string
  readonly changes: readonly Change[]
  readonly warnings: readonly string[]
}

type Deps = {
  readonly boot: Configuration
  /** Files that were put aside at boot, and why. */
  readonly rejected: { readonly files: ConfigFiles; readonly error: SupervisorError } | undefined
  readonly environment: Environment
  /** What lies in the config folder, settled. */
  readonly look: () => Promise<ConfigFiles>
  /** The same at this moment, settled or not. */
  readonly read: () => ConfigFiles
  readonly check: (files: ConfigFiles) => Promise<Configuration>
  /** Carries the plan out, or throws with everything as it was. Calls `record` at the point of no return. */
  readonly apply: (
    plan: Plan,
    next: Configuration,
    report: (step: string) => void,
    record: () => void,
  ) => Promise<void>
  /** Whether everything stops: then nothing is carried out, and files that lie in the folder are left to the next boot. */
  readonly isStopping: () => boolean
  /** Whether Mathesar has ever been ready here: before that, what has no new generation is not proved. */
  readonly isProven: () => boolean
  readonly store: Store
  readonly now: () => number
  readonly log: (level: 'info' | 'warn', message: string) => void
}

/** How many proposals that came one way may wait. Each may hold half a MiB, and take minutes; those that come another way must still have their turn. */
const waitingLimit = 16

type Waiting = {
  readonly proposal: Proposal
  readonly way: string
  readonly report: (step: string) => void
  readonly resolve: (result: ChangeResult) => void
  readonly reject: (error: SupervisorError) => void
}

/** Proposals that wait behind a running change and can be carried out as one: plain edits, which name what they set. */
const canMerge = ({ set, base, dryRun }: Proposal): boolean =>
  set !== undefined && base === undefined && !dryRun

/**
 * The changes of the configuration, one at a time: whoever proposes, and by whatever way, each is a transaction that is checked,
 * planned, carried out, proved and recorded, or leaves everything as it was.
 */
export const createChanges = ({
  boot,
  rejected,
  environment,
  look,
  read,
  check,
  apply,
  isStopping,
  isProven,
  store,
  now,
  log,
}: Deps) => {
  let current = boot
  const last = store.readHistory().at(-1)
  /** The boot before this one: then this one has the good files. */
  const wentBack = last?.from === 'boot' && last.result !== 'applied'
  let problem: Problem | undefined = wentBack
    ? {
        unit: 'config',
        code: null,
        message: last.why ?? `the boot failed with version ${last.version}`,
        hint: `Settings of before are in force; the refused file lies beside as ${store.rejectedName}.`,
      }
    : undefined
  /** Files in the folder that were refused and are not put aside, yet or ever (a read-only mount): they are not tried again. */
  let ignored = rejected && versionOf(rejected.files)
  let working = false
  /** Resolves when nothing waits any more. */
  let rested = Promise.resolve()
  const waiting: Waiting[] = []

  const note = (
    from: Origin,
    version: string,
    result: HistoryEntry['result'],
    changes: readonly Change[],
    why: string | null,
  ): void => store.note({ at: new Date(now()).toISOString(), from, version, result, changes, why })

  /** Refused files that lie in the folder go beside, and the good ones come back. */
  const putBack = (files: ConfigFiles, error: SupervisorError): void => {
    const told = describeError(error)
    problem = {
      unit: 'config',
      ...told,
      hint: `Settings of before are in force; the refused file lies beside as ${store.rejectedName}. ${told.hint}`,
    }
    try {
      store.keepRejected(files, current.files)
      // An edit that was made meanwhile is not written over: its turn comes.
      if (versionOf(read()) === versionOf(files)) store.write(current.files)
      ignored = undefined
    } catch {
      ignored = versionOf(files)
    }
  }

  /** One transaction. `onDisk` says that the wanted files lie in the folder already. */
  const transact = async (
    proposal: Proposal,
    files: ConfigFiles,
    report: (step: string) => void,
  ): Promise<ChangeResult> => {
    const { from } = proposal
    const onDisk = !proposal.set && !proposal.files && !proposal.revision
    let changes: readonly Change[] = []
    let next: Configuration
    const refuse = (result: 'rejected' | 'rolled back', error: SupervisorError): never => {
      if (!proposal.dryRun && !(onDisk && isStopping())) {
        log('warn', `configuration ${versionOf(files)} (${from}) is ${result}: ${error.message}`)
        try {
          note(from, versionOf(files), result, changes, error.message)
        } catch {
          /* A full disk: the log has it. */
        }
        if (onDisk && versionOf(files) !== current.version) putBack(files, error)
      }
      throw error
    }
    try {
      report('checking')
      next = await check(files)
      if (onDisk || proposal.files) refusePinnedEdits(files, current)
      if (!onDisk && !proposal.dryRun && next.version !== current.version) store.requireWritable()
    } catch (thrown) {
      return refuse('rejected', toSupervisorError(thrown))
    }
    changes = changesBetween(current, next)
    const plan = planOf(changes, proposal.reload || (next.version !== current.version && !isProven()))
    const result = { version: next.version, changes, warnings: next.warnings }
    if (proposal.dryRun) return { ...result, result: 'planned' }
    if (next.version === current.version && changes.length === 0 && !plan.generation)
      return { ...result, result: 'unchanged' }
    try {
      await apply(plan, next, report, () => {
        store.keep(next.version, next.files)
        if (!onDisk && ![current.version, ignored].includes(versionOf(read())))
          throw new SupervisorError(
            'CONFIG_CONFLICT',
            'cannot write the change: the files were edited meanwhile',
          )
        try {
          if (!onDisk) store.write(next.files)
          note(from, next.version, 'applied', changes, null)
        } catch (error) {
          if (!onDisk && versionOf(read()) === next.version) store.write(current.files)
          throw error
        }
      })
    } catch (thrown) {
      const error = toSupervisorError(thrown)
      return refuse(
        'rolled back',
        error.code === 'INTERNAL'
          ? new SupervisorError(
              'CONFIG_ROLLED_BACK',
              `cannot apply the change: ${(thrown as Error).message}`,
              { cause: thrown },
            )
          : error,
      )
    }
    current = next
    problem = undefined
    ignored = undefined
    log(
      'info',
      `configuration ${next.version} (${from}) is in force${changes.length > 0 ? `: ${changes.map(({ name }) => name).join(', ')}` : ''}`,
    )
    for (const warning of next.warnings) log('warn', warning)
    return { ...result, result: 'applied' }
  }

  /** An edit of a file that nobody has seen yet comes before what was proposed on top of it. */
  const catchUp = async (report: (step: string) => void): Promise<ConfigFiles> => {
    const onDisk = await look()
    const version = versionOf(onDisk)
    if (version === current.version || version === ignored) return onDisk
    await transact({ from: 'file' }, onDisk, report).catch(() => {})
    return onDisk
  }

  const run = async ({ proposal, report }: Pick<Waiting, 'proposal' | 'report'>): Promise<ChangeResult> => {
    const plain = !proposal.set && !proposal.files && !proposal.revision
    const onDisk = plain ? await look() : await catchUp(report)
    if (plain && !proposal.reload && versionOf(onDisk) === ignored)
      return { result: 'unchanged', version: current.version, changes: [], warnings: [] }
    return await transact(
      proposal,
      filesWanted(proposal, current, plain && versionOf(onDisk) !== ignored ? onDisk : current.files),
      report,
    )
  }

  const work = async (): Promise<void> => {
    working = true
    for (let first = waiting.shift(); first !== undefined; first = waiting.shift()) {
      const batch = [first]
      while (canMerge(first.proposal) && waiting[0] && canMerge(waiting[0].proposal))
        batch.push(waiting.shift()!)
      const merged: Proposal =
        batch.length === 1
          ? first.proposal
          : {
              from: first.proposal.from,
              set: Object.assign({}, ...batch.map(({ proposal }) => proposal.set)) as Record<
                string,
                string | null
              >,
            }
      try {
        const result = await run({
          proposal: merged,
          report: (step) => batch.forEach(({ report }) => report(step)),
        })
        for (const { resolve } of batch) resolve(result)
      } catch (thrown) {
        if (batch.length === 1) first.reject(toSupervisorError(thrown))
        // Together they failed: each for itself tells whose fault it is.
        else
          for (const one of batch)
            await run(one).then(one.resolve, (error) => one.reject(toSupervisorError(error)))
      }
    }
    working = false
  }

  /**
   * Proposes a change; resolves when it is in force, and rejects when everything is as it was. `report` hears of each step. `way`
   * is how it came. That the files were edited is never lost: of so many that tell of it, the next to have its turn sees the last edit.
   */
  const propose = (
    proposal: Proposal,
    report: (step: string) => void = () => {},
    way: string = proposal.from,
  ): Promise<ChangeResult> =>
    new Promise((resolve, reject) => {
      if (waiting.filter((other) => other.way === way).length >= waitingLimit) {
        return reject(
          new SupervisorError(
            'CONFIG_CONFLICT',
            `cannot take one more change: ${waitingLimit} wait already`,
            { hint: 'Try again when they are done: `supervisor config history` shows what came of each.' },
          ),
        )
      }
      waiting.push({ proposal, way, report, resolve, reject })
      if (!working) rested = work()
    })

  const recordBoot = async (): Promise<void> => {
    if (rejected) {
      note('boot', versionOf(rejected.files), 'rejected', [], rejected.error.message)
      putBack(rejected.files, rejected.error)
      if (current !== boot) problem = undefined // It was mended before the boot was through.
    }
    await catchUp(() => {}) // An edit of these first seconds.
    const text = editConfig(
      current.files['mathesar.env'] ?? templateText(),
      editsToPersist(current, environment),
    )
    const before = store.lastGood()
    try {
      const next = await check({ ...current.files, 'mathesar.env': text })
      if (next.version !== current.version) store.write(next.files)
      current = next
      store.protect()
    } catch {
      /* A folder that cannot be written: the environment alone serves. */
    }
    // What was refused at boot has been told then: an entry after it keeps the next start from telling it again.
    if (before?.version === current.version && !wentBack && !rejected) return
    const changes =
      before === undefined
        ? []
        : await check(before.files).then(
            (good) => changesBetween(good, current),
            () => [],
          )
    store.keep(current.version, current.files)
    note('boot', current.version, 'applied', changes, null)
  }

  /** After a boot that went well: what the environment gave is written into the file, and the configuration is the good one. Waits for its turn. */
  const settle = async (): Promise<void> => {
    while (working) await rested
    working = true
    await recordBoot().catch((error: Error) =>
      log('warn', `cannot record the configuration: ${error.message}`),
    )
    rested = work()
  }

  return {
    propose,
    settle,
    get current() {
      return current
    },
    get changing() {
      return working
    },
    get problem() {
      return problem
    },
  }
}

export type Changes = ReturnType<typeof createChanges>

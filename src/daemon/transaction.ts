import type { Plan } from '../settings/plan.ts'
import type { Candidate, Service } from './service.ts'

/** What a change acts upon; `before` and `after` are the contexts of the two configurations. */
type Ground<Context> = {
  readonly before: Context
  readonly after: Context
  readonly signal: AbortSignal
  readonly service: (name: string) => Service<Context>
  readonly runTask: (name: string, context: Context) => Promise<void>
  readonly adopt: (context: Context) => void
  readonly isEmbedded: (context: Context) => boolean
  readonly report: (step: string) => void
  /** The point of no return: writes the file and the history. */
  readonly record: () => void
}

/**
 * Carries out a plan: each step leaves word of how to undo it. Whatever fails before `record` is undone in reverse order, and the
 * old generation has served all the time. After `record` nothing can fail: the new generation is told to serve, the old one to finish.
 */
export const carryOut = async <Context>(plan: Plan, ground: Ground<Context>): Promise<void> => {
  const { before, after, signal, service, runTask, adopt, isEmbedded, report, record } = ground
  const mathesar = service('mathesar')
  const postgres = service('postgres')
  // One that a person has stopped stays stopped: the settings wait for its start.
  const generation = plan.generation && !['stopped', 'waiting'].includes(mathesar.state.name)
  const undo: (() => void | Promise<void>)[] = []
  let candidate: Candidate | undefined

  const restartPostgres = async (): Promise<void> => {
    const { restarts } = postgres
    postgres.restart()
    await postgres.reached('starting', 'backoff', 'failed', 'stopped')
    const state = await postgres.reached('ready', 'backoff', 'failed', 'stopped')
    if (state !== 'ready')
      throw new Error(`Postgres is ${state} instead of ready (after ${postgres.restarts - restarts} starts)`)
  }

  try {
    undo.push(() => runTask('config', before))
    await runTask('config', after)

    if (plan.database) {
      report('preparing the other database')
      if (isEmbedded(after) && postgres.pid === null) undo.push(() => postgres.stop())
      for (const task of ['secrets', 'cluster']) await runTask(task, after)
      if (isEmbedded(after)) {
        postgres.adopt(after)
        postgres.start()
        if ((await postgres.reached('ready', 'failed', 'stopped')) !== 'ready')
          throw new Error('the embedded Postgres does not start')
      }
      for (const task of ['database', 'migrations', 'sync']) await runTask(task, after)
    }

    if (plan.postgres === 'reload') {
      report('Postgres reads its settings again')
      await runTask('cluster', after)
      postgres.signal('SIGHUP')
      undo.push(async () => {
        await runTask('cluster', before)
        postgres.signal('SIGHUP')
      })
    }

    if (generation) {
      report('starting a new generation of Mathesar')
      candidate = await mathesar.prepare(after)
      undo.push(candidate.discard)
    }

    if (plan.postgres === 'restart') {
      // Requests wait in the held socket from here on, until the new generation serves.
      report('restarting Postgres')
      if (generation) {
        undo.push(() => mathesar.start())
        await mathesar.drain()
      }
      await runTask('cluster', after)
      undo.push(async () => {
        await runTask('cluster', before)
        await restartPostgres()
      })
      await restartPostgres()
    }

    if (candidate) {
      report('proving the new generation')
      await candidate.check(signal)
    }
    signal.throwIfAborted()
    record()
  } catch (error) {
    // While everything stops there is nothing to go back to; the next boot makes what it needs anew.
    if (signal.aborted) throw error
    report('going back')
    // One step that cannot be undone must not keep the others.
    for (const back of undo.reverse())
      await Promise.resolve()
        .then(back)
        .catch((failed: Error) => report(`cannot undo a step: ${failed.message}`))
    throw error
  }
  adopt(after)
  const retired = candidate?.promote().catch(() => mathesar.restart())
  if (!plan.database || isEmbedded(after)) return
  await retired // What it has begun still needs the database that it began with.
  await postgres.stop()
}

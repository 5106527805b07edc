import { minuteOf } from '../../core/moment.ts'
import { inWords } from '../../core/outcome.ts'
import type { Command } from '../../core/unit.ts'
import { SupervisorError } from '../../errors.ts'
import { changeRecord } from '../backup-record.ts'
import { type CopiedFrom, trust } from '../holder.ts'
import { inVolume, ownProgram } from '../place.ts'
import { defineTask, type Scope } from '../unit.ts'
import { asPostgres, checkAll } from './programs.ts'
import { asSuperuser } from './connection.ts'
import { asSuperuserOf, libpqEnvironment } from './libpq.ts'
import { wayBackHint } from './way-back.ts'

/**
 * The theory of a torn copy.
 *
 * Whoever copies the files of a database that runs gets each as it was at a moment of its own. The log makes
 * them one state again, if it has everything from before the first file was copied until after the last one.
 * Three things tell when it has not. A checkpoint between: what was changed before it is not replayed. A page
 * that is newer than the end of the log: the log was copied first, or a part of it was gone. And what does
 * not agree: pages with their checksums, tables with their rows, indexes with their tables.
 */
const tornError = (scope: Scope<never>, { host, since }: CopiedFrom, why: string): SupervisorError =>
  new SupervisorError(
    'VOLUME_TORN',
    `cannot serve this copy of a volume: it was taken while Postgres wrote (in container ${host}, which ` +
      `ran since ${minuteOf(since)} UTC), and ${why}`,
    { hint: `${wayBackHint(scope)} \`-e ON_TORN=serve\` starts on it as it is.` },
  )

/** Before Postgres writes anything into it. */
export const requireNoCheckpointBetween = (scope: Scope<'volume'>): void => {
  const copied = scope.results.volume.holder?.copied
  if (!copied?.isCheckpointBetween || scope.inForce.settings.ON_TORN === 'serve') return
  throw tornError(scope, copied, 'a checkpoint came in between: changes may be missing, and nobody can tell')
}

type ProofScope = Scope<'volume' | 'secrets' | 'cluster'>

const run = async ({ system }: ProofScope, command: Command, signal: AbortSignal) => {
  const ran = await system.runProgram('proof', command, signal)
  signal.throwIfAborted()
  return ran
}

/** Why pages are newer than the log, if some are. */
const whyNewer = async (scope: ProofScope, signal: AbortSignal): Promise<string | undefined> => {
  const { paths } = scope.place
  const program = ownProgram(paths, 'newest_page.py')
  const argv = [`${paths.pythonBin}/python3`, program, inVolume(paths).cluster] as const
  const command = asPostgres(scope.place, argv, { PATH: '/usr/bin:/bin' })
  const { outcome, lines } = await run(scope, command, signal)
  const newest = /^newest (\d+)$/m.exec(lines.join('\n'))?.[1]
  if (outcome.code !== 0 || newest === undefined)
    return `its pages cannot be read: ${lines.at(-1) ?? inWords(outcome)}`
  const end = await asSuperuser(scope, async (client) => {
    const text = "SELECT (pg_current_wal_insert_lsn() - '0/0')::text AS at"
    return (await client.query<{ at: string }>(text)).rows[0]!.at
  })
  return BigInt(newest) > BigInt(end) ? 'pages in it are newer than the end of its log' : undefined
}

/** What does not agree, if something does not. */
const whyContradictory = async (scope: ProofScope, signal: AbortSignal): Promise<string | undefined> => {
  const { place, results } = scope
  const env = libpqEnvironment(place, {
    ...asSuperuserOf(place.paths, results.secrets.superuserPassword),
    PGDATABASE: undefined,
  })
  const { outcome, lines } = await run(scope, asPostgres(place, checkAll, env), signal)
  return outcome.code === 0 ? undefined : `its parts do not agree: ${lines.at(0) ?? inWords(outcome)}`
}

/** A copy that was taken while Postgres wrote is proved before anybody is served. */
export const proof = defineTask({
  name: 'proof',
  needs: ['volume', 'secrets', 'cluster', 'postgres'],
  description: 'proves a volume that was copied while Postgres wrote',
  skip: ({ database }) => (database.kind === 'external' ? 'the database is external' : undefined),
  run: async (scope, signal) => {
    const { system, inForce, results, report } = scope
    const copied = results.volume.holder?.copied
    if (!copied) return undefined
    const say = system.log.say
    if (inForce.settings.ON_TORN === 'serve') {
      say('warn', 'this volume was copied while Postgres wrote, and may be torn: it is not proved (ON_TORN)')
    } else {
      say('warn', 'this volume was copied while Postgres wrote: each page and index is looked at first')
      report('proves this copy of a volume')
      const why = (await whyNewer(scope, signal)) ?? (await whyContradictory(scope, signal))
      if (why !== undefined) throw tornError(scope, copied, why)
      say('info', 'the copy is whole: each page, table and index agrees')
    }
    changeRecord(scope, () => ({ chain: undefined })) // It may be newer than the cluster.
    trust(scope)
    return undefined
  },
})

import { dayMs } from '../../core/amounts.ts'
import { minuteOf } from '../../core/moment.ts'
import { runBackgroundJob } from '../../daemon/background-job.ts'
import type { Ending } from '../../daemon/ending.ts'
import type { Instance } from '../../daemon/instance.ts'
import type { StopRequests } from '../../daemon/stop-requests.ts'
import { type ErrorCode, type SupervisorError } from '../../errors.ts'
import type { Sockets } from '../../http/sockets.ts'
import type { InForce } from '../../settings/configuration.ts'
import type { System } from '../../system/ports.ts'
import { readHolder } from '../../units/holder.ts'
import type { Place } from '../../units/place.ts'
import { archivesIn } from '../../units/postgres/way-back.ts'
import { folderOf, readJournal, setAside } from '../../units/swap.ts'
import { supervisorCommand } from './boot-again.ts'

type Surroundings = {
  readonly system: System
  readonly place: Place
  readonly instance: Pick<Instance, 'inForce' | 'results'>
  readonly ending: Pick<Ending, 'restore'>
  readonly stops: Pick<StopRequests, 'signal'>
  readonly sockets: Pick<Sockets, 'openPort'>
}

/** How a boot on a torn cluster fails. */
const tells = new Set<ErrorCode>(['VOLUME_TORN', 'CLUSTER_DAMAGED', 'DATABASE_LOST'])

/** Whether it is the cluster of the volume that failed: not another server, nor another service. */
const isOfCluster = ({ code, service }: SupervisorError, { database }: InForce): boolean =>
  database.kind === 'embedded' &&
  (tells.has(code) || (code === 'SERVICE_CRASH_LOOP' && service === 'postgres'))

/** Nobody can be asked here whether a state that was kept before may go: it may be all that there is. */
const sayWhatIsAside = ({ system }: Surroundings, folder: string): void =>
  system.log.say(
    'warn',
    `the state that was kept from before an earlier restore is in ${folder} now; ` +
      '`supervisor restore --forget` removes it, too',
  )

const sayWhatIsLost = (surroundings: Surroundings, atMs: number): void => {
  const { system } = surroundings
  const journal = readJournal(surroundings)
  const kept = folderOf(surroundings, journal?.outgoing ?? '')
  system.log.say(
    'warn',
    `the backup of ${minuteOf(atMs)} UTC is restored: what was written after it is missing. The torn ` +
      `copy is kept in ${kept}: \`docker run --rm --volumes-from CONTAINER -v ./saved:/saved IMAGE ` +
      `rescue ${kept} --salvage /saved\` saves what can be read of it, and \`supervisor restore --forget\` ` +
      'removes it',
  )
}

/** Why an archive cannot be restored, if it cannot. Rejects where a stop is asked for meanwhile. */
const whyNotRestored = async (
  { system, place, stops }: Surroundings,
  path: string,
): Promise<string | undefined> => {
  const args = ['restore', path, '--replace']
  const job = { name: 'restore', args, niceness: 0, limitMs: dayMs }
  return (await runBackgroundJob({ system, place, program: supervisorCommand() }, job, stops.signal))?.message
}

/**
 * After a boot that failed on a copy that was taken while Postgres wrote: restores the newest backup in the
 * volume that is whole. The command proves it, and what is there is not touched before. Resolves with whether
 * another boot finds it.
 */
export const bringBack = async (error: SupervisorError, surroundings: Surroundings): Promise<boolean> => {
  const { system, place, instance, ending, stops, sockets } = surroundings
  if (!isOfCluster(error, instance.inForce) || instance.inForce.settings.ON_TORN !== 'restore') return false
  if (!readHolder({ system, place })?.copied) return false
  const archives = archivesIn(system, place)
  if (archives.length === 0) return false
  const { listener } = instance.results
  const earlier = setAside(surroundings)
  ending.restore(true)
  if (listener !== undefined) await sockets.openPort(listener)
  for (const { path, atMs } of archives) {
    if (stops.signal.aborted) break
    system.log.say('warn', `${error.message}: restoring the backup of ${minuteOf(atMs)} UTC in the volume`)
    const why = await whyNotRestored(surroundings, path).catch((error: Error) => error.message)
    if (why === undefined) {
      sayWhatIsLost(surroundings, atMs)
      if (earlier !== undefined) sayWhatIsAside(surroundings, earlier.folder)
      return true
    }
    system.log.say('warn', `${path} cannot be restored: ${why}`)
  }
  earlier?.takeBack()
  ending.restore(false)
  return false
}

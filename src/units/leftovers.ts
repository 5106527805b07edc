import { toSupervisorError } from '../errors.ts'
import { refusalOf } from './refusal.ts'
import { leftIn, namedIn, readJournal } from './swap.ts'
import type { Scope } from './unit.ts'

/** What lies in the volume and is of no use any more. */

/** What the names in the volume begin with that only wait to be removed. */
const leftover = '.left-'

const removeAll = async ({ system }: Scope<never>, paths: readonly string[]): Promise<void> => {
  const env = { PATH: '/usr/bin:/bin' }
  await system.runProgram('volume', {
    argv: ['nice', '-n', '19', 'rm', '-rf', '--', ...paths],
    env,
    cwd: '/',
  })
}

/**
 * Puts aside what is left of temporary files: it is of another user's making, in as many folders and as deep
 * as that one liked, and a disk may take milliseconds to remove each.
 */
export const putAside = async (scope: Scope<never>, folder: string): Promise<void> => {
  const { system, place } = scope
  if (system.files.removeSmall(folder)) return
  try {
    system.files.renameWhole(folder, `${place.paths.data}/${leftover}${system.randomText(8)}`)
  } catch {
    await removeAll(scope, [folder]) // A mount stays, and is empty then.
  }
}

const leftoversIn = ({ system, place: { paths } }: Scope<never>): readonly string[] =>
  system.files
    .listFolder(paths.data)
    .filter((name) => name.startsWith(leftover))
    .map((name) => `${paths.data}/${name}`)

/** Nobody waits for it. What is cut off goes on with the next start. */
export const removeLeftovers = (scope: Scope<never>): void => {
  const paths = leftoversIn(scope)
  if (paths.length === 0) return
  scope.system.inBackground('remove what temporary files are left', () => removeAll(scope, paths))
}

/** What a restore left that was cut off. An operation may be at work on it, but on a full disk it cannot. */
const cutOffIn = (scope: Scope<never>): readonly string[] => leftIn(scope, namedIn(readJournal(scope)))

const forgetHint =
  'Free some space on that file system and start the container again; no data was touched. The state ' +
  'from before the last restore is kept there, too: `docker run --rm -v VOLUME:/var/lib/mathesar IMAGE ' +
  'restore --forget` removes it.'

/** Throws where the volume is full or read-only. It is not to be full of what only waits to be removed. */
export const requireRoom = async (scope: Scope<never>, folder: string): Promise<void> => {
  const { system, place } = scope
  const isFull = (error: unknown): boolean => toSupervisorError(error).code === 'VOLUME_FULL'
  const tryIt = (): unknown => {
    try {
      return system.files.requireSpace(folder, 64 * 1024)
    } catch (error) {
      return error
    }
  }
  let failure = tryIt()
  if (failure === undefined) return
  const left = isFull(failure) ? [...leftoversIn(scope), ...cutOffIn(scope)] : []
  if (left.length > 0) {
    system.log.say('warn', `${place.paths.data} is full: what was cut off before is removed from it`)
    await removeAll(scope, left)
    failure = tryIt()
    if (failure === undefined) return
  }
  const keepsBefore = readJournal(scope)?.isDone === true
  throw refusalOf(scope, place.paths.data, failure, isFull(failure) && keepsBefore ? forgetHint : undefined)
}

import type { Command } from '../../core/unit.ts'
import { inWords, lastOf } from '../../core/outcome.ts'
import { SupervisorError } from '../../errors.ts'
import type { Place } from '../place.ts'
import type { Scope, UnitName } from '../unit.ts'

/**
 * The environment of a Postgres program: of the container's only where programs are, for others may hold
 * secrets. Without a server the client programs are found by it.
 */
export const postgresEnvironment = ({
  paths: { postgresBin },
  environment,
}: Pick<Place, 'paths' | 'environment'>): Record<string, string> => ({
  PATH: [...(postgresBin === undefined ? [] : [postgresBin]), environment.PATH ?? '/usr/bin:/bin'].join(':'),
  LANG: 'C.UTF-8',
  LC_ALL: 'C.UTF-8',
  TZ: 'UTC',
})

/** The major version of the server that is here, as its folder says. */
export const majorOf = ({ paths: { postgresBin = '' } }: Pick<Place, 'paths'>): number | undefined => {
  const major = /(\d+)\/bin$/.exec(postgresBin)?.[1]
  return major === undefined ? undefined : Number(major)
}

/** Parameters on the command line of a server, where they win over all files. */
export const asArguments = (parameters: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(parameters).flatMap(([name, value]) => ['-c', `${name}=${value}`])

/** A program as Postgres's user, in a folder that everybody may enter. */
export const asPostgres = (
  place: Pick<Place, 'paths' | 'environment' | 'identities'>,
  argv: Command['argv'],
  env: Command['env'] = postgresEnvironment(place),
): Command => ({ argv, env, user: place.identities.postgres, cwd: '/' })

/** Reads every page of every table, and compares every index with its table. */
export const checkAll = [
  'pg_amcheck',
  '--all',
  '--install-missing',
  '--heapallindexed',
  '--no-password',
] as const

/** The line that says why a program failed: tar and initdb write more after it. */
const reasonIn = (lines: readonly string[]): string =>
  lines.find((line) => /: Cannot |error:|FATAL:|PANIC:/.test(line)) ?? lastOf(lines)

/** Runs a program in the cluster's folder, as its user. */
export const runOnCluster = async (
  scope: Scope<never>,
  unit: UnitName,
  folder: string,
  argv: Command['argv'],
  signal: AbortSignal,
): Promise<void> => {
  const { system, place } = scope
  const command = { argv, env: postgresEnvironment(place), user: place.identities.postgres, cwd: folder }
  const { outcome, lines } = await system.runProgram(unit, command, signal)
  if (outcome.code === 0) return
  if (lines.some((line) => line.includes('No space left')))
    throw new SupervisorError('VOLUME_FULL', `cannot make the cluster in ${folder}: no space left`)
  throw new SupervisorError(
    'CLUSTER_NOT_MADE',
    `cannot make the cluster in ${folder}: ${argv[0]} ${inWords(outcome)}: ${reasonIn(lines)}`,
  )
}

import { readServedVersion } from '../manifest.ts'
import { inRun } from '../place.ts'
import type { Scope } from '../unit.ts'

/**
 * Whether another Mathesar than this version served last: then no record of what a connected database has is
 * believed.
 */
export const isAfterAnother = (scope: Scope<never>, version: string | null): boolean => {
  const served = readServedVersion(scope)
  return served !== undefined && served !== version
}

/**
 * How long visitors wait for databases on other servers, one of which may answer nothing; those on Mathesar's
 * own server are brought along before anybody comes, each in about a second.
 */
const elsewhereAtMostSeconds = 15

export type How = {
  readonly isAll: boolean
  /** Whether visitors wait meanwhile. */
  readonly isAwaited: boolean
}

/** What `user_databases.py` is told. */
export const databasesEnvironment = (
  { place: { environment, paths } }: Scope<never>,
  { isAll, isAwaited }: How,
): Readonly<Record<string, string>> => ({
  PGCONNECT_TIMEOUT: '5',
  PAST_HOST: inRun(paths).pastSocket,
  ...(isAll ? { UPGRADE_ALL: '1' } : {}),
  ...(isAwaited ? { ELSEWHERE_AT_MOST_S: String(elsewhereAtMostSeconds) } : {}),
  // A trial on a copy leaves the servers of others alone.
  ...(environment.SUPERVISOR_TRIAL ? { UPGRADE_ON_HOST: inRun(paths).postgresSocket } : {}),
})

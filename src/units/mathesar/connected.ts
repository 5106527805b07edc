import { readAppVersion, readServedVersion } from '../manifest.ts'
import { inRun } from '../place.ts'
import type { Scope } from '../unit.ts'

/** Whether another Mathesar served last: then no record of what a connected database has is believed. */
export const isAfterAnother = (scope: Scope<never>): boolean => {
  const served = readServedVersion(scope)
  return served !== undefined && served !== readAppVersion(scope)
}

/** What `user_databases.py` is told of the databases that it may touch. */
export const databasesEnvironment = (
  { place: { environment, paths } }: Scope<never>,
  { isAll }: { readonly isAll: boolean },
): Readonly<Record<string, string>> => ({
  PGCONNECT_TIMEOUT: '5',
  PAST_HOST: inRun(paths).pastSocket,
  ...(isAll ? { UPGRADE_ALL: '1' } : {}),
  // A trial on a copy leaves the servers of others alone.
  ...(environment.SUPERVISOR_TRIAL ? { UPGRADE_ON_HOST: inRun(paths).postgresSocket } : {}),
})

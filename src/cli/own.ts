import { readSetup, type Setup } from '../daemon/config/boot-trial.ts'
import { SupervisorError } from '../errors.ts'
import { isServing, keepAwake } from '../http/client.ts'
import type { InForce } from '../settings/configuration.ts'
import { environment } from '../system/environment.ts'
import { readPlace } from '../system/machine.ts'
import { requireOwner } from '../system/owner.ts'
import { readPaths } from '../system/paths.ts'
import { reads } from '../system/system.ts'
import { type AppScope, appScopeOf } from '../units/mathesar/environment.ts'
import { inRun, type Place } from '../units/place.ts'
import { readSecret } from '../units/secret-files.ts'

/** Where a command is that reads the volume itself: as the supervisor's own user. */
export const readOwnPlace = (): Place => {
  requireOwner(inRun(readPaths(environment)).control)
  return readPlace(environment)
}

/** What the container is to be, for a command. */
export const readOwnSetup = async (): Promise<Setup> => await readSetup(reads, readOwnPlace())

type Own = { readonly place: Pick<Place, 'paths'>; readonly inForce: Pick<InForce, 'database'> }

/** Wakes what a command asks. Throws where that is the embedded Postgres, and it does not run. */
export const wakeDatabase = async ({ place, inForce }: Own, what: string, command: string): Promise<void> => {
  await keepAwake()
  const socket = `${inRun(place.paths).postgresSocket}/.s.PGSQL.5432`
  if (inForce.database.kind === 'external' || reads.files.isThere(socket)) return
  throw new SupervisorError('DATABASE_UNREACHABLE', `cannot ${what}: Postgres does not run here`, {
    hint: (await isServing())
      ? '`supervisor start postgres` starts one that was stopped; `supervisor status` says what it waits for.'
      : `Type it in the container that serves: \`docker exec CONTAINER supervisor ${command}\`.`,
  })
}

/** What a command needs that runs Django beside Mathesar. */
export const readAppScope = async (): Promise<AppScope> => {
  const { place, configuration: inForce } = await readOwnSetup()
  const secretKey = inForce.settings.SECRET_KEY ?? readSecret({ system: reads, place }, 'secret_key') ?? ''
  return appScopeOf(place, inForce, { secretKey, isKeyPending: false, superuserPassword: undefined })
}

import { SupervisorError } from '../errors.ts'
import type { InForce } from '../settings/configuration.ts'
import type { Streams, System } from '../system/ports.ts'
import { inVolume, type Place } from '../units/place.ts'
import { isForbidden } from '../units/refusal.ts'
import { readSecret, type SecretName, secretPath } from '../units/secret-files.ts'
import type { Scope } from '../units/unit.ts'

/** All that an operation may use: what a unit may, and streams. */
export type OperationScope = Scope<'secrets' | 'cluster'> & { readonly system: System & Streams }

const readKept = (where: { system: System; place: Place }, name: SecretName): string | undefined => {
  try {
    return readSecret(where, name)
  } catch (cause) {
    if (!isForbidden(cause)) throw cause
    const { uid } = where.place.identities.supervisor
    throw new SupervisorError(
      'VOLUME_NOT_WRITABLE',
      `cannot read ${secretPath(where, name)} as user ${uid}: the volume is another user's`,
      { cause, hint: 'Give the `--user` that the container on it ran with, or none. Nothing was changed.' },
    )
  }
}

/** The scope on a volume that has served. What tasks of a boot would say is read from it. */
export const operationScope = (system: System & Streams, place: Place, inForce: InForce): OperationScope => {
  const secretKey = inForce.settings.SECRET_KEY ?? readKept({ system, place }, 'secret_key') ?? ''
  const superuserPassword = readKept({ system, place }, 'postgres_password')
  const { BACKUP_S3_ACCESS_KEY: accessKey, BACKUP_S3_SECRET_KEY: secret } = inForce.settings
  system.log.addSecret(secretKey, superuserPassword, accessKey, secret)
  return {
    system,
    place,
    inForce,
    results: {
      secrets: { secretKey, isKeyPending: false, superuserPassword },
      cluster: { isFresh: false, wasShutDown: undefined },
    },
    isBoot: false,
    report: () => {},
  }
}

/** Refuses a second operation on the volume, for as long as this process lives. */
export const lockOperations = ({ system, place }: Pick<OperationScope, 'system' | 'place'>): void => {
  if (system.lock(inVolume(place.paths).operationLock)) return
  throw new SupervisorError(
    'VOLUME_IN_USE',
    `cannot begin: another backup, restore or copy for undo is at work on ${place.paths.data}`,
    { hint: 'Wait until it is done, and try again.' },
  )
}

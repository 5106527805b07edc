import { SupervisorError } from '../errors.ts'
import { readManifest } from './manifest.ts'
import { inVolume } from './place.ts'
import { isForbidden, refusalOf } from './refusal.ts'
import { readSecret, type SecretName, secretPath, writeSecret } from './secret-files.ts'
import { defineTask, type Scope } from './unit.ts'

const keyLength = 50

const readKept = (scope: Scope<never>, name: SecretName): string | undefined => {
  try {
    return readSecret(scope, name)
  } catch (cause) {
    const path = secretPath(scope, name)
    if (isForbidden(cause)) throw refusalOf(scope, path, cause)
    throw new SupervisorError('SECRETS_MISSING', `cannot read ${path}: ${(cause as Error).message}`, {
      cause,
    })
  }
}

const refuseToReplace = (scope: Scope<never>, name: SecretName): never => {
  throw new SupervisorError(
    'SECRETS_MISSING',
    `cannot find ${secretPath(scope, name)}, but the volume holds data that was encrypted with it`,
  )
}

type Key = { readonly secretKey: string; readonly isKeyPending: boolean }

const chooseKey = (scope: Scope<'volume'>, hasData: boolean): Key => {
  const { system, inForce, results } = scope
  const given = inForce.settings.SECRET_KEY
  // Given, else the volume would have to be writable.
  if (results.volume.isEphemeral) return { secretKey: given!, isKeyPending: false }
  const kept = readKept(scope, 'secret_key')
  if (kept !== undefined && given !== undefined && given !== kept) {
    system.log.say(
      'warn',
      `SECRET_KEY differs from ${secretPath(scope, 'secret_key')}, and cannot decrypt what that one ` +
        'encrypted',
    )
  }
  if (kept !== undefined) return { secretKey: given ?? kept, isKeyPending: false }
  if (given === undefined && hasData) return refuseToReplace(scope, 'secret_key')
  const secretKey = given ?? system.randomText(keyLength)
  // Whether an external database holds what another key encrypted is known once it answers:
  // the task `key` keeps it then.
  const isKeyPending = given === undefined && inForce.database.kind === 'external'
  if (!isKeyPending) writeSecret(scope, 'secret_key', secretKey)
  return { secretKey, isKeyPending }
}

const choosePassword = (scope: Scope<'volume'>, hasData: boolean): string => {
  const kept = readKept(scope, 'postgres_password')
  if (kept !== undefined) return kept
  // Root can always reach the superuser through the socket and set a new password. A single user cannot.
  if (hasData && scope.place.identities.postgres === undefined)
    return refuseToReplace(scope, 'postgres_password')
  const password = scope.system.randomText(keyLength)
  writeSecret(scope, 'postgres_password', password)
  return password
}

/**
 * SECRET_KEY and the password of the embedded superuser: made once, kept in the volume,
 * readable by the supervisor alone.
 */
export const secrets = defineTask({
  name: 'secrets',
  needs: ['volume'],
  description: 'makes or reads the secret key and the superuser password',
  run: async (scope) => {
    const { system, place, inForce } = scope
    const hasData =
      !scope.results.volume.isEphemeral &&
      (system.files.isThere(`${inVolume(place.paths).cluster}/PG_VERSION`) ||
        readManifest(scope).cluster !== undefined)
    const key = chooseKey(scope, hasData)
    const superuserPassword =
      inForce.database.kind === 'embedded' ? choosePassword(scope, hasData) : undefined
    for (const secret of [key.secretKey, superuserPassword]) system.log.addSecret(secret)
    return { ...key, superuserPassword }
  },
})

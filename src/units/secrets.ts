import type { TaskUnit } from '../core/unit.ts'
import { SupervisorError } from '../errors.ts'
import { type Context, inVolume } from './place.ts'

/** SECRET_KEY and the password of the embedded superuser: made once, kept in the volume, readable by the supervisor alone. */
export const secrets: TaskUnit<Context> = {
  name: 'secrets',
  kind: 'task',
  needs: ['volume'],
  does: 'makes or reads the secret key and the superuser password',
  run: async ({ paths, settings, database, identities, files, made, addSecret, randomText, log }) => {
    const { secrets: folder, cluster } = inVolume(paths)
    const hasData = files.isThere(`${cluster}/PG_VERSION`)
    const given = settings.SECRET_KEY.value

    const readKept = (path: string): string | undefined => {
      try {
        return files.readIfThere(path)?.trim() || undefined
      } catch (cause) {
        throw new SupervisorError('SECRETS_MISSING', `cannot read ${path}: ${(cause as Error).message}`, {
          cause,
        })
      }
    }
    const keep = (name: string, value: string | undefined, mayMake: boolean, later = false): string => {
      if (made.ephemeral) return value! // Given, else the volume would have to be writable.
      const path = `${folder}/${name}`
      const kept = readKept(path)
      if (kept !== undefined) {
        if (value !== undefined && value !== kept)
          log(
            'warn',
            `SECRET_KEY differs from ${path}: the given one is used, and cannot decrypt what the kept one encrypted`,
          )
        return value ?? kept
      }
      if (value === undefined && !mayMake)
        throw new SupervisorError(
          'SECRETS_MISSING',
          `cannot find ${path}, but the volume holds data that was encrypted with it`,
        )
      const fresh = value ?? randomText(50)
      const write = (): void => void files.writeWhole(path, fresh, 0o600)
      if (later && value === undefined) made.keepSecretKey = write
      else write()
      return fresh
    }

    // Whether an external database holds what another key encrypted is known once it answers: `migrations` keeps a new key.
    made.secretKey = keep('secret_key', given, !hasData, database.kind === 'external')
    addSecret(made.secretKey)
    if (database.kind === 'embedded') {
      // Root can always reach the superuser through the socket and set a new one; a single user cannot.
      made.postgresPassword = keep(
        'postgres_password',
        undefined,
        !hasData || identities.postgres !== undefined,
      )
      addSecret(made.postgresPassword)
    }
  },
}

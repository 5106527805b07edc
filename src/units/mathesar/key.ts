import { SupervisorError } from '../../errors.ts'
import { inTransaction, withDatabase } from '../postgres/connection.ts'
import { secretPath, writeSecret } from '../secret-files.ts'
import { defineTask } from '../unit.ts'
import { readInternal } from './applied.ts'

/**
 * A key that was made in this boot is kept only with an external database that holds nothing yet:
 * what is stored there needs the key that encrypted it.
 */
export const key = defineTask({
  name: 'key',
  needs: ['database', 'secrets'],
  description: 'keeps a new secret key once the external database is seen to be empty',
  run: async (scope) => {
    const {
      inForce: { database },
      results: { secrets },
    } = scope
    if (database.kind !== 'external' || !secrets.isKeyPending) return undefined
    const { applied } = await withDatabase(scope, (client) =>
      inTransaction(client, () => readInternal(client)),
    )
    if (applied.length > 0) {
      throw new SupervisorError(
        'SECRETS_MISSING',
        `cannot find ${secretPath(scope, 'secret_key')}, but the database (${database.host}, ` +
          `${database.name}) is that of an earlier installation, which encrypted stored passwords ` +
          'with its key',
        {
          hint:
            'Give the key of that installation with `-e SECRET_KEY=…`, or start on the volume that has ' +
            'it. With another SECRET_KEY all works but those passwords.',
        },
      )
    }
    writeSecret(scope, 'secret_key', secrets.secretKey)
    return undefined
  },
})

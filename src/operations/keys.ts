import type { Lock } from '../system/ports.ts'
import type { OperationScope } from './scope.ts'

/** What opens an archive here, if anything does: a secret key of a recipient, or the passphrase. */
export const keyOf = ({ inForce: { settings } }: Pick<OperationScope, 'inForce'>): Lock | undefined => {
  const { BACKUP_IDENTITY: identity, BACKUP_PASSPHRASE: passphrase } = settings
  // `age-keygen` writes comments around it.
  if (identity !== undefined) return { keys: identity.match(/AGE-SECRET-KEY-[0-9A-Z-]+/g) ?? [identity] }
  return passphrase === undefined ? undefined : { passphrase }
}

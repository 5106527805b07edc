import { SupervisorError } from '../errors.ts'
import type { InForce } from '../settings/configuration.ts'
import type { Lock } from '../system/ports.ts'

/** How archives are encrypted, and opened again, as the settings say. */
type Here = { readonly inForce: Pick<InForce, 'settings'> }

/** How archives are locked here, if they are. */
export const lockOf = ({ inForce: { settings } }: Here): Lock | undefined => {
  const { BACKUP_PASSPHRASE: passphrase, BACKUP_RECIPIENTS: keys } = settings
  if (passphrase !== undefined && keys !== undefined)
    throw new SupervisorError(
      'SETTING_INVALID',
      'cannot encrypt with BACKUP_PASSPHRASE and for BACKUP_RECIPIENTS at once: age knows one or the other',
    )
  if (passphrase !== undefined) return { passphrase }
  return keys === undefined ? undefined : { keys }
}

/** What opens an archive here, if anything does: a secret key of a recipient, or the passphrase. */
export const keyOf = ({ inForce: { settings } }: Here): Lock | undefined => {
  const { BACKUP_IDENTITY: identity, BACKUP_PASSPHRASE: passphrase } = settings
  // `age-keygen` writes comments around it.
  if (identity !== undefined) return { keys: identity.match(/AGE-SECRET-KEY-[0-9A-Z-]+/g) ?? [identity] }
  return passphrase === undefined ? undefined : { passphrase }
}

/** How archives are encrypted, for a record that is not secret. */
export const lockInWords = (lock: Lock | undefined): string => {
  if (lock === undefined) return 'none'
  return 'passphrase' in lock ? 'passphrase' : lock.keys.toSorted().join(',')
}

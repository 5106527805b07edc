import type { System } from '../system/ports.ts'
import { inVolume, type Place } from './place.ts'

/** The secrets that a volume keeps, each in a file that the supervisor alone may read. */
export type SecretName = 'secret_key' | 'postgres_password'

type Where = { readonly system: Pick<System, 'files'>; readonly place: Pick<Place, 'paths'> }

export const secretPath = ({ place }: Pick<Where, 'place'>, name: SecretName): string =>
  `${inVolume(place.paths).secrets}/${name}`

/** Blanks and line breaks at its ends are those of an editor; an empty one is none. */
export const readSecret = (where: Where, name: SecretName): string | undefined =>
  where.system.files.readIfThere(secretPath(where, name))?.trim() || undefined

export const writeSecret = (where: Where, name: SecretName, value: string): void =>
  void where.system.files.writeWhole(secretPath(where, name), value, 0o600)

/** Has the disk keep a secret that an earlier start wrote, and was killed before it had its name there. */
export const persistSecret = (where: Where, name: SecretName): void => {
  const { files } = where.system
  const path = secretPath(where, name)
  if (files.isThere(path)) files.syncFile(path)
}

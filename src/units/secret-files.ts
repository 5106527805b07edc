import { inVolume, type Volume } from './place.ts'

/** The secrets that a volume keeps, each in a file that the supervisor alone may read. */
export type SecretName = 'secret_key' | 'postgres_password'

export const secretPath = ({ place }: Pick<Volume, 'place'>, name: SecretName): string =>
  `${inVolume(place.paths).secrets}/${name}`

/** Blanks and line breaks at its ends are those of an editor; an empty one is none. */
export const readSecret = (volume: Volume, name: SecretName): string | undefined =>
  volume.system.files.readIfThere(secretPath(volume, name))?.trim() || undefined

export const writeSecret = (volume: Volume, name: SecretName, value: string): void =>
  void volume.system.files.writeWhole(secretPath(volume, name), value, 0o600)

/** Has the disk keep a secret that an earlier start wrote, and was killed before it had its name there. */
export const persistSecret = (volume: Volume, name: SecretName): void => {
  const { files } = volume.system
  const path = secretPath(volume, name)
  if (files.isThere(path)) files.syncFile(path)
}

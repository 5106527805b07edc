import { SupervisorError } from '../errors.ts'
import type { Streams } from './ports.ts'
import { asBuffers, asWebStream } from './web-stream.ts'

/**
 * The work that a try at a passphrase costs, as a power of two: 64 MiB of memory and some tenths of a second.
 * The programs of age take 2¹⁸, 256 MiB: more than many of these containers have.
 */
const scryptWorkFactor = 16

/** A key has a checksum: one that was copied badly is refused. What age says of it shows all of it. */
const asKey = (setting: string, add: () => void): void => {
  try {
    add()
  } catch {
    throw new SupervisorError('SETTING_INVALID', `cannot use ${setting}: one in it is not an age key`, {
      hint: 'Copy it again, whole, as `age-keygen` wrote it.',
    })
  }
}

/** Encrypts as a stream: what comes out can be opened by any program of age. */
export const encrypt: Streams['encrypt'] = async function* (bytes, to) {
  const { Encrypter } = await import('age-encryption')
  const encrypter = new Encrypter()
  encrypter.setScryptWorkFactor(scryptWorkFactor)
  if ('passphrase' in to) encrypter.setPassphrase(to.passphrase)
  else for (const key of to.keys) asKey('BACKUP_RECIPIENTS', () => encrypter.addRecipient(key))
  yield* asBuffers(await encrypter.encrypt(asWebStream(bytes)))
}

/** Throws at the first byte that was altered, and where the stream is cut off. */
export const decrypt: Streams['decrypt'] = async function* (bytes, by) {
  const { Decrypter } = await import('age-encryption')
  const decrypter = new Decrypter()
  if ('passphrase' in by) decrypter.addPassphrase(by.passphrase)
  else for (const key of by.keys) asKey('BACKUP_IDENTITY', () => decrypter.addIdentity(key))
  yield* asBuffers(await decrypter.decrypt(asWebStream(bytes)))
}

import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

/**
 * A password is hashed 4,096 times so that it takes milliseconds: as long as several boots in virtual time.
 * Here once is enough. Whoever imports this has it for the whole thread.
 */
const { pbkdf2Sync } = crypto
Object.assign(crypto, {
  pbkdf2Sync: (
    password: crypto.BinaryLike,
    salt: crypto.BinaryLike,
    _: number,
    length: number,
    digest: string,
  ) => pbkdf2Sync(password, salt, 1, length, digest),
})
syncBuiltinESMExports()

import { promisify } from 'node:util'
import { RateLimit } from '../../core/rate-limit.ts'
import type { Proof } from './sign-in.ts'

/** Each try takes the processor a quarter of a second. Mathesar's own login has no such limit. */
const tries = { burst: 5, everyMs: 5000 }
/** Django has a million by now. Mathesar's user may write any number there. */
const mostIterations = 10_000_000

/** Stands for who is no administrator: the answer takes as long as with the Django of Mathesar 0.11. */
const nobody = `pbkdf2_sha256$600000$nobody$${'A'.repeat(43)}=`

const kept = /^pbkdf2_sha256\$(\d{1,8})\$([^$]+)\$([A-Za-z0-9+/]{43}=)$/

/**
 * Whether a password is what Django keeps as `pbkdf2_sha256$ITERATIONS$SALT$HASH`, the hash in base64.
 * What it keeps in another way is nobody's.
 */
export const isPasswordOf = async (stored: string, password: string): Promise<boolean> => {
  const [, iterations, salt, hash] = kept.exec(stored) ?? []
  if (hash === undefined || salt === undefined) return false
  const { pbkdf2, timingSafeEqual } = process.getBuiltinModule('node:crypto')
  const rounds = Number(iterations)
  if (rounds === 0 || rounds > mostIterations) return false
  const made = await promisify(pbkdf2)(password, salt, rounds, 32, 'sha256')
  return timingSafeEqual(made, Buffer.from(hash, 'base64'))
}

/** The login of Mathesar's administrators, for what a page of the supervisor lets them do. */
export class Login {
  readonly #limit = new RateLimit(tries)
  readonly #passwordOf: (username: string) => Promise<string | undefined>
  readonly #now: () => number

  /** `passwordOf` reads what Django keeps of the password of an active administrator. */
  constructor(passwordOf: (username: string) => Promise<string | undefined>, now: () => number) {
    this.#passwordOf = passwordOf
    this.#now = now
  }

  /** Whether an administrator has this name and password. Rejects where the database does not say. */
  async prove(username: string, password: string): Promise<Proof> {
    const nowMs = this.#now()
    const waitMs = this.#limit.waitMs(nowMs)
    if (waitMs > 0) return { is: 'unheard', waitMs }
    this.#limit.take(nowMs)
    const stored = await this.#passwordOf(username.normalize('NFKC')) // As Django keeps it.
    const isRight = await isPasswordOf(stored ?? nobody, password)
    return { is: isRight && stored !== undefined ? 'right' : 'wrong' }
  }
}

import { promisify } from 'node:util'
import { RateLimit } from '../../core/rate-limit.ts'
import type { Proof } from './sign-in.ts'

/** Each try takes the processor half a second. Mathesar's own login has no such limit. */
const tries = { burst: 5, everyMs: 5000 }
/** Mathesar's user may write any number there. */
const mostIterations = 3_000_000

/**
 * What each try takes, whoever is named: else its time would tell who is an administrator. Django 4.2 has
 * 600,000, and Django 5.2 this.
 */
const leastIterations = 1_000_000

const kept = /^pbkdf2_sha256\$(\d{1,8})\$([^$]+)\$([A-Za-z0-9+/]{43}=)$/

/**
 * Whether a password is what Django keeps as `pbkdf2_sha256$ITERATIONS$SALT$HASH`, the hash in base64.
 * What it keeps in another way is nobody's, and takes as long.
 */
export const isPasswordOf = async (stored: string, password: string): Promise<boolean> => {
  const { pbkdf2, timingSafeEqual } = process.getBuiltinModule('node:crypto')
  const derive = async (salt: string, rounds: number): Promise<Buffer | undefined> =>
    rounds > 0 ? await promisify(pbkdf2)(password, salt, rounds, 32, 'sha256') : undefined
  const [, digits, salt = '', hash = ''] = kept.exec(stored) ?? []
  const given = Number(digits ?? 0)
  const rounds = given > mostIterations ? 0 : given
  const made = await derive(salt, rounds)
  await derive(salt, leastIterations - rounds)
  return made !== undefined && timingSafeEqual(made, Buffer.from(hash, 'base64'))
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

  /**
   * Whether an administrator has this name and password. Rejects where the database does not say. Only who is
   * heard has `isServing` asked, which wakes Mathesar where it sleeps.
   */
  async prove(
    username: string,
    password: string,
    isServing: () => Promise<boolean>,
  ): Promise<Proof | { readonly is: 'away' }> {
    const nowMs = this.#now()
    const waitMs = this.#limit.waitMs(nowMs)
    if (waitMs > 0) return { is: 'unheard', waitMs }
    this.#limit.take(nowMs)
    if (!(await isServing())) return { is: 'away' }
    const name = username.normalize('NFKC') // As Django keeps it. Postgres takes no NUL.
    const stored = name.includes('\0') ? undefined : await this.#passwordOf(name)
    return { is: (await isPasswordOf(stored ?? '', password)) ? 'right' : 'wrong' }
  }
}

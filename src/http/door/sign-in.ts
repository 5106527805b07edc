import { RateLimit } from '../../core/rate-limit.ts'
import { consolePath, setupPath } from '../../units/place.ts'

/** For what the setup code signs in, and where the browser shows the cookie. */
export const setupPurposes = { setup: setupPath, supervisor: '/supervisor/' } as const
/** The same of the code of the console. */
export const consolePurposes = { console: consolePath } as const

const nameOf = (purpose: string): string => `mathesar_${purpose}_owner`

/** What comes of a code that somebody gives. */
export type Proof =
  | { readonly is: 'right' }
  | { readonly is: 'wrong' }
  /** Too many were wrong: this one was not looked at. */
  | { readonly is: 'unheard'; readonly waitMs: number }
  /** No code counts: there is an administrator, or the console is closed. */
  | { readonly is: 'over' }

/** What an owner needs to come in. */
export type Invitation = {
  /** What people type, such as `7QXM-2R4K`; `undefined` for one that the owner chose: it is never shown. */
  readonly code: string | undefined
  /** The fragment of the link. */
  readonly key: string
  /** When both are replaced; milliseconds since 1970. */
  readonly expiresMs: number
}

/** The same as a command gets it. */
export type ShownInvitation = {
  /** `null` where the owner chose it. */
  readonly code: string | null
  /** Carries a key of its own, in its fragment. */
  readonly link: string
  /** When both are replaced, in ISO 8601. */
  readonly expiresAt: string
}

export const showInvitation = (
  { code, key, expiresMs }: Invitation,
  linkOf: (key: string) => string,
): ShownInvitation => ({
  code: code ?? null,
  link: linkOf(key),
  expiresAt: new Date(expiresMs).toISOString(),
})

type Options<Purpose extends string> = {
  /** A cookie goes to the paths of its purpose alone: Mathesar never sees the one for the supervisor. */
  readonly purposes: Readonly<Record<Purpose, string>>
  readonly now: () => number
  /** Of these letters, when they are given. */
  readonly randomText: (length: number, letters?: string) => string
  /** SETUP_CODE or CONSOLE_CODE. */
  readonly given: string | undefined
  /** Tells the owner of an invitation, where one is wanted. */
  readonly tell: (invitation: Invitation) => void
}

/** How long a code lasts, and a cookie. */
const lifeMs = 30 * 60_000
/** The clock of another container may be ahead, and any clock is set back a bit. */
const slackMs = 60_000
/** 900 wrong ones in the life of a code: of 2^40 that is one in a billion. */
const wrongCodes = { burst: 10, everyMs: 2000 }
/** Mathesar may set some of the same name, which the browser sends first: of so many one may be ours. */
const mostCookies = 50
/** Without letters that look like digits (Crockford). */
const letters = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** Node's crypto takes 5 ms to load: not in a boot. */
const crypto = (): typeof import('node:crypto') => process.getBuiltinModule('node:crypto')

/** Whether two texts are the same, in a time that tells nothing of either. */
const isSame = (one: string, other: string): boolean => {
  const { createHash, timingSafeEqual } = crypto()
  const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(hashOf(one), hashOf(other))
}

/** A code as it was meant. */
const plain = (code: string): string =>
  code.toUpperCase().replace(/[\s-]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1')

/**
 * Signs the owner in. The proof is a code, which is typed, or the key in the link, which is too
 * long to guess: so wrong codes of others cannot keep out who has the link. It gives cookies that are signed,
 * not remembered. All of it ends when it is closed, and begins again, with another code, should it be opened.
 */
export class SignIn<Purpose extends string> {
  readonly #options: Options<Purpose>
  readonly #limit = new RateLimit(wrongCodes)
  #invitation: Invitation | undefined
  #signingKey: string | undefined
  /** Cookies that last no longer are of sessions that were ended. */
  #endedMs = 0
  #isOpen = true
  #isTold = false

  constructor(options: Options<Purpose>) {
    this.#options = options
  }

  /** Whether a code counts. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  setOpen(isOpen: boolean): void {
    if (isOpen === this.#isOpen) return
    this.#isOpen = isOpen
    this.#signingKey = undefined
    this.#invitation = undefined
    if (!isOpen) this.#endedMs = this.#options.now() + lifeMs
  }

  /** What is asked for now. It is another one when its time is over, and `undefined` when nothing is. */
  invite(): Invitation | undefined {
    if (!this.#isOpen) return undefined
    const { now, randomText, given } = this.#options
    if (this.#invitation !== undefined && now() < this.#invitation.expiresMs) return this.#invitation
    const code = `${randomText(4, letters)}-${randomText(4, letters)}`
    this.#invitation = {
      code: given === undefined ? code : undefined,
      key: randomText(26),
      expiresMs: now() + lifeMs,
    }
    if (this.#isTold) this.#options.tell(this.#invitation)
    return this.#invitation
  }

  /** Tells the owner what is asked for now, and each time that it is replaced. */
  tell(): void {
    const invitation = this.invite()
    if (invitation !== undefined) this.#options.tell(invitation)
    this.#isTold = true
  }

  /** Looks at a code, or at the key of a link. */
  prove(text: string): Proof {
    const invitation = this.invite()
    if (invitation === undefined) return { is: 'over' }
    const { code, key } = invitation
    const nowMs = this.#options.now()
    if (isSame(text.trim(), key)) return { is: 'right' }
    const waitMs = this.#limit.waitMs(nowMs)
    if (waitMs > 0) return { is: 'unheard', waitMs }
    const isRight =
      code === undefined ? isSame(text.trim(), this.#options.given ?? key) : isSame(plain(text), plain(code))
    if (isRight) return { is: 'right' }
    this.#limit.take(nowMs)
    return { is: 'wrong' }
  }

  /** What a browser gets that has given the right code, for one purpose or all: headers Set-Cookie. */
  cookies(isSecure: boolean, only?: Purpose): readonly string[] {
    const untilMs = this.#options.now() + lifeMs
    this.#endedMs = Math.min(this.#endedMs, untilMs - 1) // The clock may have been set back.
    const until = String(untilMs)
    const rest = `HttpOnly; SameSite=Strict; Max-Age=${lifeMs / 1000}${isSecure ? '; Secure' : ''}`
    return Object.entries<string>(this.#options.purposes)
      .filter(([purpose]) => only === undefined || purpose === only)
      .map(
        ([purpose, path]) =>
          `${nameOf(purpose)}=${until}.${this.#sign(purpose, until)}; Path=${path}; ${rest}`,
      )
  }

  /** Whether a request with this header Cookie comes from a browser that gave the right code. */
  isSignedIn(cookie: string | undefined, purpose: Purpose): boolean {
    if (!this.#isOpen) return false
    const pattern = new RegExp(`(?:^|; )${nameOf(purpose)}=(\\d{1,16})\\.([\\w-]{43})(?=;|$)`, 'g')
    return [...(cookie ?? '').matchAll(pattern)]
      .slice(0, mostCookies)
      .some(
        ([, until = '', signature = '']) =>
          isSame(signature, this.#sign(purpose, until)) && this.#isInForce(Number(until)),
      )
  }

  /** A code of the owner's own signs the same way again after the sessions were ended. */
  #isInForce(untilMs: number): boolean {
    const leftMs = untilMs - this.#options.now()
    return untilMs > this.#endedMs && leftMs > 0 && leftMs <= lifeMs + slackMs
  }

  /**
   * By a code of the owner's own, every container that has it knows the cookies of the others: a load
   * balancer may send each request to another one. Mathesar sees a signature, hence the slow derivation.
   */
  #makeSigningKey(): string {
    const { given, randomText } = this.#options
    if (given === undefined) return randomText(40)
    return crypto().scryptSync(given, 'mathesar: who has given the setup code', 32).toString('hex')
  }

  #sign(purpose: string, until: string): string {
    this.#signingKey ??= this.#makeSigningKey()
    return crypto().createHmac('sha256', this.#signingKey).update(`${purpose} ${until}`).digest('base64url')
  }
}

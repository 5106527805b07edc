import { excerpt } from '../../core/message.ts'
import { isTlsFailure } from '../../settings/tls.ts'

/** What pg throws: an error of the system, one that the server sent (it has a severity), or one a way. */
type Failure = {
  readonly code?: string
  readonly message?: string
  readonly severity?: string
  readonly errors?: readonly unknown[]
}

const asFailure = (error: unknown): Failure => error as Failure

/** How much of a server's sentence is shown. Poolers send short ones; anybody may answer on a port. */
const sentenceLimit = 500

/** Whether the server itself answered, if only to refuse. */
export const isAnswer = (error: unknown): boolean => asFailure(error).severity !== undefined

/** SQLSTATE of what the server sent, or the code of the system. */
export const codeOf = (error: unknown): string => asFailure(error).code ?? ''

/** Both of two ways to connect failed: then what holds for each of them holds. */
const forAll = (error: unknown, holds: (error: unknown) => boolean): boolean =>
  asFailure(error).errors?.every((each) => forAll(each, holds)) ?? holds(error)

/** Why, in the words of the server where it has answered; else the code of the system. */
export const sentenceOf = (error: unknown): string => {
  const { code, message, errors } = asFailure(error)
  if (code !== undefined && /^E[A-Z]+$/.test(code)) return code
  return excerpt(message || errors?.map(sentenceOf).join('; ') || 'no reason given', sentenceLimit)
}

const passingCodes = /^(08|57|53300|25P0[34]|ECONN|EPIPE$|ENOENT$|ETIMEDOUT$|EHOSTUNREACH$|EAI_AGAIN$)/
const passingWords =
  /^Connection (terminated|ended)|timeout expired|^Query read timeout|not queryable|it takes no writes$/

/**
 * Whether the connection broke, or the server was just stopping, starting, full or busy: it may be back in a
 * moment. SQLSTATE classes 08 and 57, too many connections, and what ends an idle session.
 */
export const isBroken = (error: unknown): boolean =>
  forAll(error, (each) => {
    const { code = '', message = '' } = asFailure(each)
    return passingCodes.test(code) || passingWords.test(message)
  })

/** A handshake that was cut off, as by a server that is just stopping, says nothing yet. */
const isTlsRefusal = (error: unknown): boolean =>
  isTlsFailure(error) && !/disconnected before|error establishing/.test(asFailure(error).message ?? '')

/** What poolers and hosts send for a wrong user or password, under codes that mean other things, too. */
const refusingWords =
  /authentication failed|no such (user|database)|unsupported startup parameter|Tenant or user not found/

/**
 * Whether waiting will not change the server's mind: SQLSTATE classes 28 (authorization) and 3D (no such
 * database), 26000 (Neon: no endpoint), permission denied, and TLS.
 */
export const isRefusal = (error: unknown): boolean =>
  forAll(
    error,
    (each) =>
      (isAnswer(each) &&
        (/^(28|3D|26|42501)/.test(codeOf(each)) || refusingWords.test(asFailure(each).message ?? ''))) ||
      /password must be a string/.test(asFailure(each).message ?? '') ||
      isTlsRefusal(each),
  )

/** Whether the server has no database of that name; a pooler may just not know of it. */
export const isNoDatabase = (error: unknown): boolean =>
  forAll(error, (each) => codeOf(each) === '3D000' && !asFailure(each).message?.startsWith('no such'))

/** Whether the server was reached, and says why it serves nobody now. */
export const isAnsweredByAll = (error: unknown): boolean => forAll(error, isAnswer)

/** Also where the server speaks of it: with `disable`, or where it takes TLS alone and ours failed. */
export const isAboutTls = (error: unknown): boolean =>
  forAll(error, (each) => isTlsRefusal(each) || (asFailure(each).message ?? '').endsWith(', no encryption'))

import type { SupervisorError } from '../errors.ts'

/** How long a message may be, in UTF-16 units. The last lines of a service fit, with a traceback or two. */
export const messageLimit = 16 * 1024
const cutMark = ' […] '

/** C0 except tab and line feed, DEL, C1, and the marks that reverse the direction of text. */
const unprintable = /[[\p{Cc}\u202a-\u202e\u2066-\u2069]--[\t\n]]/gv

/**
 * Text without the characters that act on a terminal instead of being shown. What another process wrote goes
 * through here before it is part of a message of ours: else Mathesar's own user could drive the terminal of
 * an administrator.
 */
export const printable = (text: string): string => text.replace(unprintable, '')

/**
 * The same, at most `limit` long. The middle is left out: the beginning says what failed, the end mostly why.
 */
export const excerpt = (text: string, limit = messageLimit): string => {
  if (text.length <= limit) return printable(text)
  const half = Math.floor((limit - cutMark.length) / 2)
  return printable(text.slice(0, half).toWellFormed() + cutMark + text.slice(-half).toWellFormed())
}

/** The first few of many in words, and the number of the others. */
export const firstFew = <T>(
  items: readonly T[],
  inWords: (item: T) => string,
  { limit = 5, others = 'more' } = {},
): string[] => {
  const rest = items.length - limit
  return [
    ...items.slice(0, limit).map(inWords),
    ...(rest > 0 ? [`and ${rest.toLocaleString('en-US')} ${others}`] : []),
  ]
}

/** An error as people and programs get it. */
export const describeError = ({ code, message, hint }: SupervisorError) => ({
  code,
  message: excerpt(message),
  hint: excerpt(hint),
})

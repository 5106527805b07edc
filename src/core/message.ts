import type { SupervisorError } from '../errors.ts'

/** How long a message may be, in UTF-16 units. The last lines of a service fit, with a traceback or two. */
export const messageLimit = 16 * 1024
const cutMark = ' […] '

/** C0 but tab and line feed, DEL, C1, and the marks that turn the direction of text around (U+202A–202E, U+2066–2069). */
const unprintable = /[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g

/**
 * Text without the characters that act on a terminal instead of being shown. What another process wrote goes through here before it
 * is part of a message of ours: else Mathesar's own user could drive the terminal of an administrator.
 */
export const printable = (text: string): string => text.replace(unprintable, '')

/** The same, no longer than `limit`. The middle is left out: the beginning says what failed, the end mostly why. */
export const excerpt = (text: string, limit = messageLimit): string => {
  if (text.length <= limit) return printable(text)
  const half = Math.floor((limit - cutMark.length) / 2)
  return printable(text.slice(0, half).toWellFormed() + cutMark + text.slice(-half).toWellFormed())
}

/** The first of many in words, and the number of the others. */
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

/** An error as people and programs are told of it. */
export const describeError = ({ code, message, hint }: SupervisorError) => ({
  code,
  message: excerpt(message),
  hint: excerpt(hint),
})

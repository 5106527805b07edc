import { listItems } from '../core/text.ts'
import { isAddress } from './addresses.ts'
import { whyNotPlaces } from './backup-places.ts'
import { consolePlaceOf, whyNotConsole } from './console.ts'
import { durationOf, whyNotDuration } from './duration.ts'
import {
  isJsonObject,
  whyNotArguments,
  whyNotHosts,
  whyNotInteger,
  whyNotNames,
  whyNotNetworks,
  whyNotOrigins,
  whyNotRecipients,
  whyNotServer,
  whyNotWebUrl,
} from './forms.ts'
import { whyNotNotifyUrl } from './notify-url.ts'
import { whyNotRetention } from './retention.ts'
import { whyNotSchedule } from './schedule.ts'
import { whyNotUpdateNotice } from './update-notice.ts'

/** What a setting permits of the values of its kind. */
export type Limits = {
  readonly choices?: readonly string[]
  /** Of an integer; of a text its length. */
  readonly min?: number
  readonly max?: number
  /** The least number above `min`. */
  readonly orFrom?: number
}

/** A kind of values, all written as text. */
type Form<Value> = {
  /** Why a text is none; `undefined` when it is one. `shown` stands for it in the sentence. */
  readonly whyNot: (text: string, limits: Limits, shown: string) => string | undefined
  /** The value of a text that is one. */
  readonly parse: (text: string) => Value
}

/** The words that Mathesar takes for true. */
export const isTrue = (text: string | undefined): boolean =>
  text !== undefined && ['true', 'True', 't'].includes(text)

/** The items of a comma-separated list. */
export const itemsOf = (text: string): readonly string[] => listItems(text).filter((item) => item !== '')

const asIs = (text: string): string => text

/** Refuses what `isOne` does not take, in these words. */
const unless =
  (isOne: (text: string) => boolean, what: string): Form<unknown>['whyNot'] =>
  (text, _, shown) =>
    isOne(text) ? undefined : `${shown} is ${what}`

const isBoolean = (text: string): boolean => isTrue(text) || ['false', 'False', 'f'].includes(text)
const isPath = (text: string): boolean => text.startsWith('/')

const whyNotText: Form<string>['whyNot'] = (text, { min = 0 }, shown) => {
  if (text.includes('\0')) return `${shown} holds a zero byte`
  if (!text.isWellFormed()) return `${shown} holds half a character` // No environment and no URL takes it.
  return text.length < min ? `${shown} has fewer than ${min} characters` : undefined
}

const whyNotChoice: Form<string>['whyNot'] = (text, { choices = [] }, shown) =>
  choices.includes(text) ? undefined : `${shown} is none of ${choices.join(', ')}`

// oxfmt-ignore
export const kinds = {
  text: { whyNot: whyNotText, parse: asIs },
  integer: { whyNot: whyNotInteger, parse: Number },
  boolean: { whyNot: unless(isBoolean, 'neither true nor false'), parse: isTrue },
  choice: { whyNot: whyNotChoice, parse: asIs },
  url: { whyNot: whyNotWebUrl, parse: asIs },
  address: { whyNot: unless(isAddress, 'not an IP address such as 127.0.0.1 or ::'), parse: asIs },
  json: { whyNot: unless(isJsonObject, 'not a JSON object'), parse: asIs },
  path: { whyNot: unless(isPath, 'not an absolute path'), parse: asIs },
  hosts: { whyNot: whyNotHosts, parse: itemsOf },
  origins: { whyNot: whyNotOrigins, parse: itemsOf },
  server: { whyNot: whyNotServer, parse: asIs },
  arguments: { whyNot: whyNotArguments, parse: asIs },
  networks: { whyNot: whyNotNetworks, parse: itemsOf },
  names: { whyNot: (text, { choices = [] }) => whyNotNames(text, choices), parse: itemsOf },
  recipients: { whyNot: whyNotRecipients, parse: itemsOf },
  places: { whyNot: whyNotPlaces, parse: itemsOf },
  schedule: { whyNot: whyNotSchedule, parse: asIs },
  retention: { whyNot: whyNotRetention, parse: asIs },
  notify: { whyNot: whyNotNotifyUrl, parse: asIs },
  console: { whyNot: whyNotConsole, parse: consolePlaceOf },
  updates: { whyNot: whyNotUpdateNotice, parse: asIs },
  duration: { whyNot: whyNotDuration, parse: durationOf },
} as const satisfies Record<string, Form<unknown>>

export type Kind = keyof typeof kinds

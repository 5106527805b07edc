import * as v from 'valibot'
import { about } from '../check.ts'

export const string = (description: string) => about(v.string(), description)
export const boolean = (description: string) => about(v.boolean(), description)
/** A whole number. */
export const integer = v.pipe(v.number(), v.integer())
/** A whole number from 0 on. */
export const natural = v.pipe(integer, v.minValue(0))
export const count = (description: string) => about(natural, description)
export const list = <Schema extends v.GenericSchema>(items: Schema, description: string) =>
  about(v.array(items), description)
export const orNull = <Schema extends v.GenericSchema>(schema: Schema, description: string) =>
  about(v.nullable(schema), description)
export const oneOf = <const Options extends readonly string[]>(options: Options, description: string) =>
  about(v.picklist(options), description)

/** The content of an answer in plain text. */
export const plain = { 'text/plain': v.string() }

/** What each of several values means, for a description. */
export const inWords = (meanings: Readonly<Record<string, string>>): string =>
  Object.entries(meanings)
    .map(([value, meaning]) => `\`${value}\`: ${meaning}.`)
    .join(' ')

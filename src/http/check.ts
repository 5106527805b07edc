import * as v from 'valibot'

/** How much of a name that came in is repeated. Values never are: one may be a secret. */
const nameLimit = 40

const inWords = ({ path, message }: v.BaseIssue<unknown>): string => {
  const field = path?.map(({ key }) => String(key).slice(0, nameLimit)).join('.')
  return field === undefined ? message : `${field} ${message}`
}

/**
 * Holds what came in to a schema. `refuse` throws, and gets the first thing that is wrong: the field and what
 * it must be, such as "base must be a string". Each part of a schema needs a message of its own: those of the
 * library repeat values.
 */
export const check = <Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  refuse: (why: string) => never,
): v.InferOutput<Schema> => {
  const { success, issues, output } = v.safeParse(schema, value, { abortEarly: true })
  return success ? output : refuse(inWords(issues[0]))
}

/** A text of at most `limit` UTF-16 units. */
export const text = (limit: number, form = 'must be a string') =>
  v.pipe(v.string(form), v.maxLength(limit, `must be at most ${limit} characters long`))

/** An object with these fields and no other. */
export const onlyFields = <const Fields extends v.ObjectEntries>(fields: Fields) =>
  v.strictObject(fields, `is not a known field: there is ${Object.keys(fields).join(', ')}`)

/** Adds a sentence to a schema. A component of the OpenAPI document is then written out where it is used. */
export const about = <Schema extends v.GenericSchema>(schema: Schema, description: string) =>
  v.pipe(schema, v.description(description))

import { removeField } from '../page/field.ts'
import type { DescribedSetting } from '../settings/configuration.ts'

/** What a field of one line shows of a value. */
const shown = (value: string | null): string => (value ?? '').replace(/[\r\n]/g, '')

/** What differs from what is in force. A secret that is left empty stays. */
export const editsIn = (
  form: URLSearchParams,
  fields: readonly DescribedSetting[],
): Readonly<Record<string, string | null>> =>
  Object.fromEntries(
    fields.flatMap(({ name, secret, pinned, value }): [string, string | null][] => {
      const typed = form.get(name)
      if (pinned) return []
      if (secret && form.has(`${removeField}${name}`)) return [[name, null]]
      if (typed === null || typed === shown(value)) return []
      if (typed === '') return secret ? [] : [[name, null]]
      return [[name, typed]]
    }),
  )

/** A setting as it was typed, for a form that comes again. What was typed for a secret does not. */
export const withTyped = (field: DescribedSetting, form: URLSearchParams): DescribedSetting =>
  field.secret || field.pinned ? field : { ...field, value: form.get(field.name) ?? field.value }

import type { DescribedSetting } from '../settings/configuration.ts'
import { escape } from './render.ts'

/** Before the name of a secret that is to be taken away: an empty field leaves it as it is. */
export const removeField = 'remove:'

const attributesOf = ({ kind, min, max, secret, value }: DescribedSetting): string => {
  if (secret) return ' type="password" autocomplete="new-password"'
  const range = `${min === undefined ? '' : ` min="${min}"`}${max === undefined ? '' : ` max="${max}"`}`
  const type = kind === 'integer' ? ` type="number"${range}` : ' type="text"'
  return `${type} value="${escape(value ?? '')}" autocomplete="off" autocapitalize="off" spellcheck="false"`
}

const choicesOf = ({ kind, choices }: DescribedSetting): readonly string[] | undefined => {
  if (kind === 'boolean') return ['true', 'false']
  return kind === 'choice' ? choices : undefined
}

/** What a setting is typed or chosen in. A secret is never in it. */
export const renderInput = (field: DescribedSetting): string => {
  const { name, value, pinned } = field
  const choices = choicesOf(field)
  const common = `id="${name}" name="${name}" aria-describedby="${name}-about"${pinned ? ' disabled' : ''}`
  if (choices === undefined) return `<input ${common}${attributesOf(field)}>`
  const options = ['', ...choices].map(
    (choice) => `<option${choice === (value ?? '') ? ' selected' : ''}>${escape(choice)}</option>`,
  )
  return `<select ${common}>${options.join('')}</select>`
}

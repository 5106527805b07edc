import * as v from 'valibot'
import { type ErrorCode, errorTable } from '../../errors.ts'
import { actionInWords } from '../../settings/plan.ts'
import type { Action as ActionName } from '../../settings/table.ts'
import { yamlNames } from '../../settings/yaml-files.ts'
import { about } from '../check.ts'
import { inWords, oneOf, orNull, string } from './parts.ts'

export const Version = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{12}$/),
  v.description('Names the content of the config files: the first 12 hexadecimal digits of a hash.'),
)

export const Time = v.pipe(
  v.string(),
  v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
  v.metadata({ format: 'date-time' }),
  v.description('ISO 8601, UTC.'),
)

export const ErrorBody = about(
  v.strictObject({
    code: oneOf(Object.keys(errorTable) as ErrorCode[], 'Stays the same from version to version.'),
    message: string('"cannot X: why". Never holds the value of a secret.'),
    hint: string('What to do next.'),
  }),
  'Every answer with a status of 400 or more, other than the 503 of status and health.',
)

export const Action = oneOf(
  Object.keys(actionInWords) as ActionName[],
  `What a change needs. ${inWords(actionInWords)}`,
)

export const Change = about(
  v.strictObject({
    name: string(`Name of the setting, or ${yamlNames.join(' or ')}.`),
    action: Action,
  }),
  'One thing that differs, and the least that brings it into force.',
)

export const Problem = about(
  v.strictObject({
    unit: string('The unit that has it, `config` or `supervisor`.'),
    code: orNull(v.string(), 'Code of the error, if it is one.'),
    message: string('What is wrong.'),
    hint: orNull(v.string(), 'What to do next.'),
  }),
  'What keeps something from being as it should.',
)

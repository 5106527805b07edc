import * as v from 'valibot'
import { isRecord } from '../core/record.ts'
import { SupervisorError } from '../errors.ts'
import { fileLimitBytes } from '../settings/configuration.ts'
import { settingNames } from '../settings/table.ts'
import { about, check, onlyFields, text } from './check.ts'
import { bodyHint, bodyLimitBytes } from './exchange.ts'

const nameLimit = 80

/** The library's `record` takes a list for an object, and drops these names: both are refused before it. */
const isDictionary = (value: unknown): boolean =>
  isRecord(value) && !['__proto__', 'constructor', 'prototype'].some((name) => Object.hasOwn(value, name))

const setOfSettings = v.pipe(
  v.unknown(),
  v.check(isDictionary, 'must be an object of strings and nulls'),
  v.record(text(nameLimit), v.nullable(text(fileLimitBytes, 'must be a string or null'))),
  v.maxEntries(settingNames.length, `must not name more than the ${settingNames.length} settings`),
)

const common = {
  base: v.exactOptional(
    about(
      text(nameLimit),
      'The version that the change was made from. When it is no longer the current one, the change is ' +
        'refused with CONFIG_CONFLICT.',
    ),
  ),
  dryRun: v.exactOptional(about(v.boolean('must be true or false'), 'true: check and plan, and do nothing.')),
}

const set = about(
  setOfSettings,
  'Settings to set; null takes the line out of the file. Comments and order of the file stay. Without ' +
    '`base`, requests that wait for each other are carried out as one.',
)
const carries = v.exactOptional(
  about(
    v.pipe(v.number('must be seconds'), v.integer(), v.minValue(1), v.maxValue(86_400)),
    'The external database that is set gets what the database in force has within so many seconds, while ' +
      'requests wait: what `supervisor promote` asks for once it has prepared that server.',
  ),
)
const file = about(text(fileLimitBytes), `The whole of mathesar.env, at most ${fileLimitBytes / 1024} KiB.`)
const rollback = about(
  text(nameLimit),
  'A version of the history, or `previous`: the last that was applied before the current one.',
)
const reload = v.literal(true, 'must be true')

/** The ways to change the configuration, by the field that only this way has. */
export const ways = {
  set: about(onlyFields({ set, carries, ...common }), 'Sets settings.'),
  file: about(onlyFields({ file, ...common }), 'Replaces mathesar.env.'),
  rollback: about(onlyFields({ rollback, ...common }), 'Goes back to an earlier version.'),
  reload: about(
    onlyFields({ reload, ...common }),
    'Reads the files again, and creates a new generation of Mathesar in any case.',
  ),
}
const names = ['set', 'file', 'rollback', 'reload'] as const satisfies readonly (keyof typeof ways)[]

/** The body of a request to change the configuration. */
export const changeRequest = about(
  v.union(Object.values(ways)),
  `Exactly one of \`set\`, \`file\`, \`rollback\` and \`reload\`. At most ${bodyLimitBytes / 1024} KiB.`,
)
export type ChangeRequest = v.InferOutput<typeof changeRequest>

const refuse = (why: string): never => {
  throw new SupervisorError('CONFIG_INVALID', `cannot change the configuration: ${why}`, { hint: bodyHint })
}

/** Reads a body. It is held to the schema of its way alone, which gives one reason, not one for each way. */
export const readChangeRequest = (body: unknown): ChangeRequest => {
  if (!isRecord(body)) return refuse('the body must be a JSON object')
  const [name, ...others] = names.filter((each) => Object.hasOwn(body, each))
  if (name === undefined || others.length > 0)
    return refuse('give exactly one of set, file, rollback and reload')
  return check(ways[name], body, refuse)
}

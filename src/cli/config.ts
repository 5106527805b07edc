import { readFileSync } from 'node:fs'
import type { DescribedSetting } from '../settings/configuration.ts'
import { printable } from '../core/message.ts'
import { actionInWords } from '../settings/plan.ts'
import { decodeText } from '../core/text.ts'
import { renderTable } from '../core/table.ts'
import type { ChangeResult } from '../daemon/config/change.ts'
import { SupervisorError } from '../errors.ts'
import { didYouMean } from '../settings/near-names.ts'
import { settingNames } from '../settings/table.ts'
import { askJson, follow } from '../http/client.ts'
import type { ShownConfig, ShownHistory } from '../http/config.ts'
import { parseArguments, type Usage, usageOf } from './arguments.ts'
import { editInTerminal } from './edit.ts'
import { reads } from '../system/system.ts'
import { readOwnPlace } from './own.ts'
import { checkFiles, readContent } from '../daemon/config/boot-trial.ts'

const usage: Usage = usageOf('config', 'run this')
/**
 * Values and reasons may be of Mathesar's own user, and must not drive the terminal of whoever looks at them.
 */
const say = (text: string): void => void process.stdout.write(`${printable(text)}\n`)
const read = (): Promise<ShownConfig> => askJson('GET', '/v1/config')

const printJson = (value: unknown): number => {
  say(JSON.stringify(value, null, 2))
  return 0
}

const valueOf = ({ secret, given, value }: DescribedSetting): string => {
  if (secret) return given ? '(secret)' : ''
  return value ?? ''
}

const show = async (json: boolean): Promise<number> => {
  const shown = await read()
  if (json) return printJson(shown)
  say(
    renderTable([
      ['SETTING', 'VALUE', 'SOURCE', 'DEFAULT', 'CHANGE NEEDS'],
      ...shown.settings.map((setting) => [
        setting.name,
        valueOf(setting),
        `${setting.source}${setting.pinned ? ', pinned' : ''}`,
        setting.default ?? '',
        setting.appliesBy + (setting.pendingRestart ? ', pending' : ''),
      ]),
    ]),
  )
  say(
    `\nVersion ${shown.version}${shown.changing ? ', a change is going on' : ''}. Pinned: the ` +
      'container was started with it; the file cannot change it.',
  )
  for (const warning of shown.warnings) say(`! ${warning}`)
  if (shown.problem) say(`! ${shown.problem.message}\n  ${shown.problem.hint ?? ''}`)
  return 0
}

const get = async (name: string): Promise<number> => {
  const setting =
    (await read()).settings.find((other) => other.name === name) ??
    usage(`there is no setting ${name.slice(0, 80)}${didYouMean(name, settingNames)}`)
  if (setting.secret && setting.given)
    throw new SupervisorError('USAGE', `cannot show ${name}: it is a secret`, {
      hint: 'As root, read it in /var/lib/mathesar/config/mathesar.env.',
    })
  say(setting.value ?? '')
  return 0
}

const outcomeOf = ({ result, version, changes }: ChangeResult): string => {
  switch (result) {
    case 'planned':
      return changes.length === 0 ? 'Nothing would change.' : 'Nothing was done: this is the plan.'
    case 'unchanged':
      return `Nothing to change; version ${version} is in force.`
    case 'left to boot':
      return `The container starts over with version ${version}: \`supervisor status\` shows how it goes.`
    case 'applied':
      return `Version ${version} is in force.`
  }
}

const printResult = (result: ChangeResult): number => {
  for (const warning of result.warnings) say(`! ${warning}`)
  for (const { name, action } of result.changes) say(`${name}: ${actionInWords[action]}`)
  say(outcomeOf(result))
  return 0
}

/**
 * Proposes a change and waits for its outcome; a change that was refused or rolled back is an error with its
 * own exit code.
 */
export const change = async (body: Readonly<Record<string, unknown>>): Promise<number> =>
  printResult(
    await follow<ChangeResult>('/v1/config/changes', body, (step) => process.stderr.write(`${step} …\n`)),
  )

const assignments = (args: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    args.map((arg) => {
      const at = arg.indexOf('=')
      return at > 0
        ? [arg.slice(0, at), arg.slice(at + 1)]
        : usage(`${arg.slice(0, 40)} is not of the form NAME=VALUE`)
    }),
  )

const names = (args: readonly string[]): Record<string, null> =>
  Object.fromEntries(args.map((name) => [name, null]))
const some = (args: readonly string[], what: string): readonly string[] =>
  args.length > 0 ? args : usage(`give ${what}`)

const readInput = (path: string): string => {
  try {
    return decodeText(readFileSync(path === '-' ? 0 : path))
  } catch (cause) {
    throw new SupervisorError(
      'USAGE',
      `cannot read ${path}: ${(cause as NodeJS.ErrnoException).code ?? (cause as Error).message}`,
      {
        cause,
        hint: '`supervisor config validate -` reads from stdin.',
      },
    )
  }
}

const validate = async (path: string | undefined): Promise<number> => {
  const place = readOwnPlace()
  const content = readContent(reads, place)
  const text = path === undefined ? content['mathesar.env'] : readInput(path)
  const { warnings } = await checkFiles(reads, place, { ...content, 'mathesar.env': text })
  for (const warning of warnings) say(`! ${warning}`)
  say(`${path ?? 'mathesar.env'} is valid.`)
  return 0
}

const history = async (json: boolean): Promise<number> => {
  const { history: entries, version } = await askJson<ShownHistory>('GET', '/v1/config/history')
  if (json) return printJson(entries)
  say(
    renderTable([
      ['WHEN', 'VERSION', 'FROM', 'RESULT', 'CHANGED'],
      ...entries.map(({ at, version: of, from, result, changes, why }) => [
        at,
        `${of}${of === version ? ' *' : ''}`,
        from,
        result,
        changes.map(({ name }) => name).join(', ') + (why ? ` (${why.split('\n')[0]})` : ''),
      ]),
    ]),
  )
  return 0
}

const options = { json: { type: 'boolean' }, unset: { type: 'string', multiple: true } } as const

/** How many arguments an action takes at the most; the others take any number. */
const mostArguments: Readonly<Record<string, number>> = {
  show: 0,
  get: 1,
  edit: 0,
  validate: 1,
  history: 0,
  rollback: 1,
}

const actions = ['show', 'get', 'set', 'unset', 'plan', 'edit', 'validate', 'history', 'rollback']

/** `supervisor config …`: reads and changes the settings. Every change is a transaction of the daemon. */
export const run = async (args: readonly string[]): Promise<number> => {
  const {
    positionals: [action = 'show', ...rest],
    values: { json = false, unset = [] },
  } = parseArguments(args, options, usage)
  if (unset.length > 0 && action !== 'plan')
    return usage('--unset goes with `config plan`; `config unset NAME` removes one')
  if (rest.length > (mostArguments[action] ?? rest.length)) return usage('there are too many arguments')
  switch (action) {
    case 'show':
      return await show(json)
    case 'get':
      return await get(some(rest, 'the name of a setting')[0]!)
    case 'set':
      return await change({ set: assignments(some(rest, 'NAME=VALUE')) })
    case 'unset':
      return await change({ set: names(some(rest, 'the name of a setting')) })
    case 'plan':
      return await change({
        ...(rest.length + unset.length > 0
          ? { set: { ...assignments(rest), ...names(unset) } }
          : { reload: true }),
        dryRun: true,
      })
    case 'edit':
      return await editInTerminal(change)
    case 'validate':
      return await validate(rest[0])
    case 'history':
      return await history(json)
    case 'rollback':
      return await change({ rollback: rest[0] ?? 'previous' })
    default:
      return usage(`there is no \`config ${action.slice(0, 80)}\`${didYouMean(action, actions)}`)
  }
}

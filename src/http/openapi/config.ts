import * as v from 'valibot'
import { configFiles } from '../../settings/configuration.ts'
import { historyLimit, results } from '../../settings/history.ts'
import type { Kind } from '../../settings/kinds.ts'
import { about } from '../check.ts'
import { boolean, integer, inWords, list, oneOf, orNull, string } from './parts.ts'
import { Action, Change, ErrorBody, Problem, Time, Version } from './shared.ts'

const kindInWords: Readonly<Record<Kind, string>> = {
  text: 'any text',
  integer: 'a whole number from `min` to `max`',
  boolean: '`true` or `false`',
  choice: 'one of `choices`',
  url: 'an http or https address',
  address: 'an IP address',
  json: 'a JSON object',
  path: 'an absolute path',
  hosts: 'host names and addresses, comma-separated',
  origins: 'http and https origins, comma-separated',
  server: 'a host name, an address or the folder of a socket',
  recipients: 'public keys of age, comma-separated',
  places: 'places of backups, comma-separated: `volume`, a folder, s3://BUCKET/PREFIX',
  schedule: 'five fields of cron, or `off`',
  retention: 'numbers of periods, comma-separated, such as `7 daily`; or `all`',
  networks: 'addresses and networks, comma-separated; or `private`, `none`',
  names: 'some of `choices`, comma-separated',
  updates: 'an https address, or `off`',
  notify: 'https://…, ntfy://HOST/TOPIC or ping+https://…',
  console: '`on`, `off`, or an address with a port',
  duration: 'a number with a unit, such as `30m`; or `off`',
  arguments: 'arguments as a shell would split them',
}

export const Setting = about(
  v.strictObject({
    name: string('Name in the file and in the environment.'),
    kind: oneOf(
      Object.keys(kindInWords) as Kind[],
      `What values it takes, all written as text. ${inWords(kindInWords)}`,
    ),
    description: string('One sentence.'),
    secret: boolean('Whether its value is never shown.'),
    source: oneOf(
      ['default', 'file', 'environment'],
      'Where the value comes from; each wins over those before it.',
    ),
    appliesBy: Action,
    value: orNull(
      v.string(),
      'The value that is in force or waits for the next start; null for a secret, and where there is none.',
    ),
    given: boolean('Whether the file or the environment gives a value: of a secret, all that can be known.'),
    pinned: boolean('Whether the environment decides it: a change is refused.'),
    default: orNull(v.string(), 'The value when none is given; null where it is computed or there is none.'),
    choices: v.exactOptional(list(v.string(), 'The values that a choice has.')),
    min: v.exactOptional(about(integer, 'Least value of an integer.')),
    max: v.exactOptional(about(integer, 'Greatest value of an integer.')),
    pendingRestart: boolean(
      'Whether the value takes effect at the next start of the container, and another one is in force.',
    ),
  }),
  'One setting, with its schema, value and source.',
)

export const Config = about(
  v.strictObject({
    version: Version,
    changing: boolean('Whether a change is under way.'),
    problem: orNull(
      Problem,
      'Why the last edit of the file was refused or rolled back; null when it was not.',
    ),
    warnings: list(v.string(), 'Names in the file or the environment that nothing reads.'),
    settings: list(Setting, 'All settings.'),
    files: list(v.picklist(configFiles), 'Which of the config files exist.'),
  }),
  'The configuration. Secrets are masked.',
)

export const HistoryEntry = about(
  v.strictObject({
    at: Time,
    from: oneOf(
      ['boot', 'file', 'command', 'api', 'app', 'page', 'rollback', 'signal'],
      '`boot`: a start of the container; `file`: an edit of a file; `command`: the command line; `api`: ' +
        "this protocol, by a program of the administrator; `app`: this protocol, by Mathesar's own user; " +
        '`page`: the page in the browser, by who has the setup code; `rollback`: a rollback by the ' +
        'administrator; `signal`: SIGHUP.',
    ),
    version: about(Version, 'The version that was tried.'),
    result: oneOf(
      results,
      '`applied`: it came into force; `left to boot`: the next boot was to try it; `rejected`: it was not ' +
        'even tried; `rolled back`: it failed, and the version before came back.',
    ),
    changes: list(Change, 'What differed, without values.'),
    why: orNull(v.string(), 'The error, when it failed.'),
  }),
  'One change that was tried.',
)

export const History = about(
  v.strictObject({
    version: Version,
    history: list(HistoryEntry, `Newest last; at most ${historyLimit}.`),
  }),
  'The changes that were tried, and the version in force.',
)

export const ChangeResult = about(
  v.strictObject({
    result: oneOf(
      ['applied', 'unchanged', 'planned', 'left to boot'],
      '`applied`: it is in force and in the file; `unchanged`: there was nothing to do; `planned`: it ' +
        'was a dry run; `left to boot`: it is in the file, and the container starts over with it.',
    ),
    version: Version,
    changes: list(Change, 'What differs, without values.'),
    warnings: list(v.string(), 'Names in the file or the environment that nothing reads.'),
  }),
  'The outcome of a change that was not refused.',
)

export const Progress = about(
  v.union([
    v.strictObject({ step: string('What is being done, for people.') }),
    v.strictObject({ result: ChangeResult }),
    v.strictObject({ error: ErrorBody }),
  ]),
  'One line of the stream. Any number of `step`, then one `result` or `error`, which ends it.',
)

import { expect, test } from 'vitest'
import { run as admin } from '../../src/cli/admin.ts'
import { run as backup } from '../../src/cli/backup.ts'
import { run as config } from '../../src/cli/config.ts'
import { run as openConsole } from '../../src/cli/console.ts'
import { commandOf, commands } from '../../src/cli/index.ts'
import { run as exportTo } from '../../src/cli/export.ts'
import { run as promote } from '../../src/cli/promote.ts'
import { run as rescue } from '../../src/cli/rescue.ts'
import { run as reload } from '../../src/cli/reload.ts'
import { run as setup } from '../../src/cli/setup.ts'
import { run as versions } from '../../src/cli/versions.ts'
import { run as undo } from '../../src/cli/undo.ts'
import { failureOf } from './failure.ts'

test.each([
  [['run'], ['run']],
  [[], []],
  [['supervisor', 'migrate'], ['migrate']],
  [['supervisor'], []],
  [['supervisor migrate'], ['migrate']],
  [
    ['/bin/sh', '-c', 'supervisor config get PORT'],
    ['config', 'get', 'PORT'],
  ],
  [
    ['config', 'set', 'X=supervisor run'],
    ['config', 'set', 'X=supervisor run'],
  ],
  [
    ['psql', '-c', 'supervisor run'],
    ['psql', '-c', 'supervisor run'],
  ],
])('a platform that keeps the entrypoint may hand it %j', (argv, command) => {
  expect(commandOf(argv)).toEqual(command)
})

test.each([
  [promote, ['--to', 'mysql://u:hunter2@db/m'], 'it does not begin with postgres://'],
  [exportTo, ['--to', 'postgres://u:hunter2@db'], 'it lacks a database'],
] as const)('a URL that is typed is not called by the name of a setting (%#)', async (run, args, why) => {
  expect(await failureOf(() => run(args))).toMatchObject({
    code: 'SETTING_INVALID',
    message: `cannot use the URL of the other server: ${why}`,
    hint: 'Its form is postgres://user:password@host:5432/database',
  })
})

test.each([
  [promote, [], 'cannot promote: give one of --to, --to-file and --back'],
  [promote, ['--back', '--to', '-'], 'cannot promote: give one of --to, --to-file and --back'],
  [promote, ['--to', '-', '--to-file', 'f'], 'cannot promote: give one of --to, --to-file and --back'],
  [exportTo, [], 'cannot export: give one of --to and --to-file'],
  [exportTo, ['--to-file', '/dev/null'], 'cannot export: /dev/null is empty'],
] as const)('a move that is told no place, or two, says what is missing (%#)', async (run, args, why) => {
  expect(await failureOf(() => run(args))).toMatchObject({ code: 'USAGE', message: why })
})

test.each([
  [backup, ['lst'], 'cannot back up: there is no `backup lst`: did you mean list?'],
  [backup, ['verfy', 'newest'], 'cannot back up: there is no `backup verfy`: did you mean verify?'],
  [backup, ['bucket'], 'cannot back up: bucket is not -, `volume`, a folder or s3://BUCKET/PREFIX'],
  [
    backup,
    ['--include-secret'],
    'cannot back up: there is no option --include-secret: did you mean --include-secrets?',
  ],
  [config, ['get', 'PORT', 'DEBUG'], 'cannot run this: there are too many arguments'],
  [config, ['rollback', '0123456789ab', '0123456789ab'], 'cannot run this: there are too many arguments'],
  [config, ['sett', 'A=1'], 'cannot run this: there is no `config sett`: did you mean set?'],
  [admin, ['lsit'], 'cannot act on administrators: say create, reset or list: did you mean list?'],
  [undo, ['lst'], 'cannot undo: there is no `undo lst`: did you mean list?'],
  [rescue, ['--adpt'], 'cannot rescue: there is no option --adpt: did you mean --adopt?'],
  [versions, ['--jsno'], 'cannot run `versions`: there is no option --jsno: did you mean --json?'],
  [setup, ['--jsno'], 'cannot run `setup`: there is no option --jsno: did you mean --json?'],
  [openConsole, ['on'], 'cannot run `console`: it takes no on'],
  [reload, ['--dry'], 'cannot run `reload`: there is no option --dry'],
  [rescue, ['-x'], 'cannot rescue: there is no option -x'],
  [rescue, ['--salvage'], "cannot rescue: Option '--salvage <value>' argument missing"],
] as const)(
  'what is misspelt is told the name that was meant, and nothing is begun (%#)',
  async (run, args, why) => {
    expect(await failureOf(() => run(args))).toMatchObject({
      code: 'USAGE',
      message: why,
      hint: expect.stringMatching(/^Type `supervisor \w+ --help`\.$/),
    })
  },
)

test.each(commands.map(({ name, help }) => [name, help] as const))(
  'the help of %s fits into a terminal, and says what the exit code means',
  (name, help) => {
    expect(help.split('\n').filter((line) => line.length > 110)).toEqual([])
    if (!['bake', 'version', 'help'].includes(name)) expect(help).toMatch(/exit codes? (is|are)/)
  },
)

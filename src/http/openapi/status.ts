import * as v from 'valibot'
import { unitStates } from '../../core/unit.ts'
import { about } from '../check.ts'
import { boolean, count, list, natural, oneOf, orNull, string } from './parts.ts'
import { Problem, Time, Version } from './shared.ts'

export const UnitState = oneOf(
  unitStates,
  'A task: waiting, running, done, failed, skipped. A service: waiting, starting, ready, unready, ' +
    'backoff, stopping, stopped, failed, skipped.',
)

export const ServiceState = about(
  v.strictObject({ name: string('Name of the service.'), state: UnitState }),
  'The state that a service reached.',
)

export const Unit = about(
  v.strictObject({
    name: string('Name of the unit.'),
    kind: oneOf(['task', 'service'], 'A task runs once; a service stays up.'),
    description: string('One sentence.'),
    state: UnitState,
    since: Time,
    pid: orNull(natural, 'Process id within the container.'),
    restarts: count('How often the service was started again after it exited.'),
    generation: count(
      'Counts the processes that have been the service; a change of settings creates a new one without ' +
        'a restart.',
    ),
    memoryBytes: orNull(
      natural,
      'Memory of its processes in bytes: a page that several processes have counts in parts (PSS), so that ' +
        'the sum is what is used.',
    ),
    lastExit: orNull(v.string(), 'How its last process exited.'),
    detail: orNull(v.string(), 'Why it is not ready, or what it waits for.'),
    tookMs: orNull(natural, 'Milliseconds that it took at boot.'),
    startedAfterMs: orNull(natural, 'Milliseconds from the start of the process to its begin at boot.'),
  }),
  'One task or service.',
)

export const Status = about(
  v.strictObject({
    version: about(v.literal(1), 'Changes when a field changes its meaning or is removed.'),
    phase: oneOf(
      ['booting', 'running', 'draining', 'stopping', 'ended'],
      'Where the container is. It only goes forward.',
    ),
    ready: boolean('Whether Mathesar serves.'),
    url: string('Where people open Mathesar.'),
    supervisor: about(
      v.strictObject({
        version: string('Version of the supervisor.'),
        pid: count('Process id.'),
        startedAt: Time,
        memoryBytes: count('Resident memory in bytes (RSS).'),
        reaped: count('Orphaned processes that were collected.'),
        droppedLogLines: count('Log events that were dropped because nobody read them in time.'),
      }),
      'The supervisor itself.',
    ),
    database: oneOf(['embedded', 'external'], 'Whose Postgres Mathesar uses.'),
    config: about(
      v.strictObject({
        version: Version,
        changing: boolean('Whether a change is under way.'),
        pendingRestart: list(v.string(), 'Settings that take effect at the next start of the container.'),
      }),
      'The configuration in short.',
    ),
    boot: about(
      v.strictObject({
        readyAfterMs: orNull(
          natural,
          'Milliseconds from the start of the process to readiness; null before it.',
        ),
        criticalPath: list(
          v.strictObject({ unit: string('Name of the unit.'), tookMs: count('Milliseconds.') }),
          'The units that the boot waited for, in order.',
        ),
      }),
      'How long the boot took.',
    ),
    backup: about(
      v.strictObject({
        running: orNull(v.picklist(['backup', 'drill']), 'What is at work now.'),
        nextAt: orNull(
          v.string(),
          'When the next one is due by BACKUP_SCHEDULE; null: never, or not ready yet.',
        ),
        last: orNull(
          v.strictObject({
            name: string('Name of the archive.'),
            at: Time,
            tookMs: count('Milliseconds.'),
            bytes: count('Size in bytes.'),
            places: list(v.string(), 'The places that have it.'),
          }),
          'The last backup that was kept.',
        ),
        proved: orNull(
          v.strictObject({
            name: string('Name of the archive.'),
            at: Time,
            restoreMs: count('Milliseconds from the archive to a server that answers.'),
          }),
          'The last one that was restored beside and found whole.',
        ),
      }),
      'Backups.',
    ),
    undo: orNull(
      v.strictObject({
        from: orNull(v.string(), 'Since when; null: nothing is kept yet.'),
        serves: orNull(
          v.strictObject({ at: Time, until: Time }),
          'The moment that `supervisor yesterday` serves beside, and until when.',
        ),
      }),
      'To which moments `supervisor undo` goes back; null where UNDO_SPACE is 0.',
    ),
    update: orNull(
      v.strictObject({
        version: string('The newest Mathesar.'),
        security: boolean('Whether the notes of a release since the present one speak of security.'),
      }),
      'A Mathesar that is newer than that of the image; null where none is known.',
    ),
    units: list(Unit, 'All units.'),
    problems: list(Problem, 'What is wrong now.'),
  }),
  'The status of the container.',
)

export const MathesarHealth = about(
  v.strictObject({ status: oneOf(['ok', 'unavailable'], 'Whether it is.') }),
  'What Mathesar answers to its own probes.',
)

export const Health = about(
  v.strictObject({
    live: boolean('Whether the supervisor answers: a restart of the container would not help.'),
    ready: boolean('Whether Mathesar takes requests.'),
    started: boolean('Whether everything was ready once.'),
    busy: boolean('Whether it is not ready for work that is seen to go on.'),
    phase: oneOf(['booting', 'running', 'draining', 'stopping', 'ended'], 'Where the container is.'),
    work: list(
      v.strictObject({
        unit: string('Name of the unit.'),
        forMs: count('Milliseconds since it began.'),
        lines: count('Lines that it wrote meanwhile.'),
        lastAgoMs: orNull(natural, 'Milliseconds since the last of them; null when it wrote none.'),
      }),
      'The units that have worked for 10 s or longer.',
    ),
  }),
  'Work told from failure.',
)

const Trouble = v.strictObject({
  step: string('Name of the unit.'),
  state: v.optional(UnitState),
  code: v.optional(string('Code of the error.')),
  exitCode: v.optional(count('What the container exits with.')),
  hint: v.optional(string('What to do in general.')),
  own: v.optional(
    about(
      v.strictObject({ message: string('One sentence.'), hint: v.optional(string('What to do.')) }),
      'The same in its own words, while nothing was set up yet.',
    ),
  ),
})

export const SetupState = about(
  v.strictObject({
    setup: orNull(
      v.strictObject({
        code: orNull(v.string(), 'What people type; null where SETUP_CODE gives it.'),
        link: string('Opens without typing.'),
        expiresAt: Time,
      }),
      'Null once there is an administrator.',
    ),
  }),
  'How the owner of a new Mathesar comes in.',
)

export const ConsoleState = about(
  v.strictObject({
    console: v.strictObject({
      code: orNull(v.string(), 'What people type; null where CONSOLE_CODE gives it.'),
      link: string('Opens without typing.'),
      expiresAt: Time,
      closesAt: orNull(Time, 'When the console closes; null while CONSOLE keeps it open.'),
    }),
  }),
  'How the owner comes into the console.',
)

export const Boot = about(
  v.strictObject({
    situation: oneOf(
      ['booting', 'hindered', 'away', 'failed', 'kept', 'moved', 'restoring', 'stopping', 'serving'],
      '`hindered`: the boot tries again and again. `away`: it has served, and is expected back. ' +
        '`kept`: the boot has failed, and the container stays for the page.',
    ),
    steps: list(
      v.strictObject({
        name: string('Name of the unit.'),
        description: string('One sentence.'),
        state: UnitState,
        tookMs: v.optional(about(natural, 'Milliseconds that it took, or has taken so far.')),
      }),
      'The units that the settings do not leave out.',
    ),
    troubles: list(Trouble, 'What keeps Mathesar from serving.'),
    isFixable: boolean('Whether settings may cure it: then there is a page for that.'),
    tail: v.optional(string('The last lines of the log, while nothing was set up yet.')),
  }),
  'What everybody may know of the boot.',
)

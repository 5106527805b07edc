import type { UnitState } from '../core/unit.ts'
import { consoleWords } from './console/words.ts'

/** Every word that the page shows, in one place: so it can be translated. */
export const words = {
  language: 'en',
  title: 'Mathesar',
  headlines: {
    booting: 'Mathesar is starting',
    hindered: 'Mathesar cannot start yet',
    away: 'Mathesar is away for a moment',
    failed: 'Mathesar could not start',
    kept: 'Mathesar could not start',
    moved: 'Mathesar has moved',
    restoring: 'A backup is being restored',
    stopping: 'Mathesar is stopping',
    serving: 'Mathesar is ready',
  },
  leads: {
    booting: 'This page goes over to Mathesar by itself as soon as it is ready.',
    hindered: 'It tries again by itself, and this page goes over to it as soon as it is ready.',
    away: 'It is being started again. This page goes back to it by itself.',
    failed: 'The container stops, and its log says why: type `docker logs` and the name of the container.',
    kept: 'Nothing runs, and no data was touched. The container waits for what is wrong to be put right.',
    moved: 'It serves from another machine or volume now. Whoever runs it knows the address.',
    restoring:
      'This copy of the volume is not whole, so the newest backup in it takes its place. What is there is ' +
      'kept beside it. This page goes over to Mathesar by itself.',
    stopping: 'The container was told to stop.',
    serving: 'One moment: it did not answer this request. The page tries again by itself.',
  },
  refused: {
    headline: (host: string): string => `Mathesar may not be opened as ${host}`,
    headlineWithoutHost: 'Mathesar may not be opened by this name',
    lead:
      'It answers only by names and addresses that it knows: else a page of somebody else could reach it ' +
      'through your browser.',
    toPermit: (command: string): string =>
      `If this is your Mathesar, type where it runs: \`docker exec mathesar ${command}\``,
    orCode: 'Or permit it here, with the setup code that `docker exec mathesar supervisor setup` shows.',
    orLogin: 'Or permit it here, if you are an administrator of this Mathesar.',
    username: 'Username',
    password: 'Password',
    button: 'Permit it',
    problems: {
      wrong: 'No administrator has this name and password.',
      unheard: 'Too many tries came in, so this one was not looked at. Try again in a few seconds.',
      away: 'Mathesar does not answer now, so nobody can log in. Try again in a moment.',
    },
  },
  code: 'Setup code',
  setup: {
    headline: 'Is this Mathesar yours?',
    lead:
      'It is new, and whoever creates the first account is its administrator. So it asks for the setup ' +
      'code, which only its owner can see.',
    button: 'Continue',
    waysTitle: 'Where the code is',
    ways: [
      'Type `docker exec mathesar supervisor setup`: it shows the code, and a link that needs no typing.',
      'The log has both, too: `docker logs mathesar`.',
      'If Mathesar was started with `SETUP_CODE`, that is the code.',
    ],
    problems: {
      wrong: 'That is not the code, or no longer: it changes every half hour.',
      unheard:
        'Too many wrong codes came in, so this one was not looked at. Try again in a few seconds, or open ' +
        'the link that `docker exec mathesar supervisor setup` shows.',
      foreign: 'The code came from a page of another address. Type it here.',
    },
  },
  fix: {
    /** On the page of a boot. */
    link: 'Correct the settings here',
    headline: 'Correct the settings',
    code: 'To see more and to correct the settings, give the setup code, which only the owner can see.',
    commands:
      'This Mathesar has been set up, so no code counts. Type where it runs: ' +
      '`docker exec mathesar supervisor config set NAME=value`.',
    pinned: 'The container was started with it: start a new one on the same volume to change it.',
    keepsSecret: 'One is given; left empty, it stays.',
    test: 'Test the connection',
    save: 'Save and try again',
    answers: 'The database answers, and can be written. Nothing was saved yet.',
    nothing: 'There is nothing to correct',
    back: 'Back to Mathesar',
  },
  restore: {
    /** On the page of the setup. */
    link: 'Restore a backup instead',
    headline: 'Restore a backup',
    lead:
      'All of the archive is proved before anything is touched. What is here now is kept, and can be ' +
      'put back.',
    code: 'It asks for the setup code, which only the owner can see.',
    commands:
      'This Mathesar has been set up, so no code counts. Type where it runs: ' +
      '`docker exec -i mathesar supervisor restore - --replace < ARCHIVE`.',
    file: 'From your device',
    fileLabel: 'Archive file',
    stored: 'From a place of backups',
    storedLabel: 'Archive',
    encrypted: 'encrypted',
    passphrase: 'Passphrase',
    passphraseAbout: 'If the archive is encrypted, and the container has no BACKUP_PASSPHRASE.',
    forget: (since: string): string =>
      `Remove what is kept since ${since} UTC: the state from before the last restore. Nobody can put it ` +
      'back then.',
    button: 'Restore it',
    underWay: 'It is read and proved …',
    sent: (MiB: string): string => `${MiB} MiB are read and proved so far …`,
    done: 'It is restored. The container starts over with it, and this page goes there by itself.',
    failed: 'It was not restored. Nothing was changed.',
    undo: 'Put back what was here before',
    undoAbout: 'The state from before the last restore is kept.',
    noScript:
      'To send one from your device needs JavaScript. Or type where Mathesar runs: ' +
      '`docker exec -i mathesar supervisor restore - --replace < ARCHIVE`.',
  },
  console: consoleWords,
  steps: 'Steps',
  troubles: 'What is wrong',
  exitCode: (exitCode: number): string => `exit code ${exitCode}`,
  /** What a service does that is not up; a failure of the table has its own words. */
  general: 'Its log says why: type `docker logs` and the name of the container.',
  tail: 'Last lines of the log',
  seconds: (seconds: string): string => `${seconds} s`,
  states: {
    waiting: 'waits',
    running: 'in progress',
    done: 'done',
    skipped: 'not needed',
    starting: 'starting',
    ready: 'ready',
    unready: 'does not answer',
    backoff: 'starts again soon',
    stopping: 'stopping',
    stopped: 'stopped',
    asleep: 'asleep',
    failed: 'failed',
  } satisfies Readonly<Record<UnitState, string>>,
  noScript: 'This page refreshes itself every two seconds.',
} as const

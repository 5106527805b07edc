import { dataCommands } from './data-commands.ts'
import { type CliCommand, define, service } from './define.ts'

/** Every command. Each is loaded when it is called: `status` does not pay for the daemon. */
export const commands: readonly CliCommand[] = [
  define(
    'run',
    'Start everything: what the container does.',
    () => import('./run.ts'),
    'SIGTERM or SIGINT stops everything in order, and a second one by force. SIGHUP does what\n' +
      '`supervisor reload` does. The exit code is 0 after a clean stop, else that of the last log line.',
  ),
  define(
    'status [--json]',
    'Show every task and service, the URL, and what is wrong.',
    () => import('./status.ts'),
    'The exit code is 0 when everything is ready, else 1.',
  ),
  define(
    'health',
    'Say in one line whether everything is ready: the HEALTHCHECK.',
    () => import('./health.ts'),
    'The exit code is 0 when everything is ready, else 1.',
  ),
  define(
    'logs [UNIT] [-f] [-n LINES]',
    'Show the last log lines, of one unit or of all.',
    () => import('./logs.ts'),
    '-n LINES  how many events; 100 when not given\n-f        go on with new ones until Ctrl-C\n\n' +
      'The exit code is 0, or 4 where there is no such unit.',
  ),
  service('start', 'Start a service that was stopped.'),
  service('stop', 'Stop a service until `supervisor start` or the next start of the container.'),
  service('restart', 'Restart a service; Mathesar refuses no connection meanwhile.'),
  define(
    'config ACTION',
    'Show and change the settings. Each change is proved at once, or everything stays as it was.',
    () => import('./config.ts'),
    `show [--json]          every setting: value, source, pinned or not, default, what a change does
get NAME               one value
set NAME=VALUE…        change settings and wait for the outcome
unset NAME…            go back to the default
plan [NAME=VALUE…] [--unset NAME]   what would happen; nothing is done
edit                   open mathesar.env in an editor; without a terminal, stdin is the new text
validate [FILE]        check a file, stdin (-) or the file in force; needs no running supervisor
history [--json]       what changed, when, who asked for it, and the result
rollback [VERSION]     go back to the version before, or to one of the history

The exit code is 0 when the change is in force, 23 when it is refused, 24 when it was tried and
rolled back, 25 after a conflict, 26 when the environment pins the setting; else that of the reason, such
as 20, 41 or 50. Whatever it is but 0, the settings from before are in force.`,
  ),
  define(
    'reload [--dry-run]',
    'Read the config files again and start a new generation of Mathesar, without a failed request.',
    () => import('./reload.ts'),
    '--dry-run  says what would change; nothing is done\n\nThe exit codes are those of `supervisor config`.',
  ),
  define(
    'permit HOST',
    'Permit one more name or address under which people open Mathesar.',
    () => import('./permit.ts'),
    'For instance: supervisor permit nas.local\nIt adds the host to ALLOWED_HOSTS. The exit codes are ' +
      'those of `supervisor config`.',
  ),
  define(
    'setup [--json]',
    'Show how the owner of a new Mathesar comes in: a link, a QR code of it, and the setup code.',
    () => import('./setup.ts'),
    'The exit code is 0, or 1 once Mathesar has an administrator.',
  ),
  define(
    'console [--json]',
    'Open the console in the browser for an hour: a link, a QR code of it, and its code.',
    () => import('./console.ts'),
    'There are status, settings, history, log and backups. CONSOLE=on keeps it open.\n' +
      'The exit code is 0, or 3 where no supervisor runs.',
  ),
  define(
    'admin ACTION',
    "Create Mathesar's administrators, give them new passwords, and list them.",
    () => import('./admin.ts'),
    `create NAME [--email ADDRESS]   a new administrator
reset NAME                      a new password for an administrator
list                            who they are, and when they last logged in

The password is asked for, or comes by a pipe, or by --password-file FILE; Django's rules hold for it.
The exit code is 0 when it is done, 2 when it is refused, 50 when Postgres does not run here.`,
  ),
  define(
    'migrate',
    'Bring the databases to this version of Mathesar and exit: what a platform runs once a deploy.',
    () => import('./migrate.ts'),
    'Containers with RUN_MIGRATIONS=never wait for it. As a release command:\n' +
      '  docker run --rm -e DATABASE_URL=… -e SECRET_KEY=… IMAGE migrate\n\n' +
      'The exit code is 0 when all is done, 50 or 51 when the database cannot be used, 52 when a\n' +
      'newer Mathesar has served from it, 53 when a migration failed: nothing was changed then.',
  ),
  define(
    'try-upgrade [--in FOLDER] [--log]',
    'Try this image on a copy of the volume that another one served from.',
    () => import('./try-upgrade.ts'),
    `With the old container stopped:
  docker run --rm -v VOLUME:/var/lib/mathesar:ro NEW_IMAGE try-upgrade

--in FOLDER  where the copy goes; /tmp when not given
--log        shows the log of the start

It copies the database and starts this image on the copy, with its migrations and Mathesar's own check. It
counts the rows before and after, and says whether it works, how long it takes and what changes, or why not.
The volume stays as it is, and so do the servers of others.
The exit code is 0 when it works, 1 when it starts and rows of yours differ, else the one that the start
would end with.`,
  ),
  define(
    'versions [--json]',
    'Show which Mathesar this image has, which one served last, and what is kept to go back.',
    () => import('./versions.ts'),
    'An older image goes back with -e ON_DOWNGRADE=return. What is kept is in Postgres: type it in the\n' +
      'container that serves. The exit code is 0, or 50 when Postgres does not run here.',
  ),
  define(
    'ca',
    'Print the certificate of the authority that TLS=self-signed made, for browsers to install.',
    () => import('./ca.ts'),
    'The same is at /supervisor/ca.crt of the port. The exit code is 0, or 4 where there is none.',
  ),
  define(
    'psql [--superuser] [ARGUMENT…]',
    "Open psql on Mathesar's internal database, as Mathesar's role.",
    () => import('./psql.ts'),
    'With --superuser first it is the superuser of the embedded Postgres. The exit code is that of psql.',
    true,
  ),
  define(
    'manage [ARGUMENT…]',
    "Run Django's manage.py as Mathesar's user.",
    () => import('./manage.ts'),
    'For instance: supervisor manage changepassword admin\nThe exit code is that of manage.py.',
    true,
  ),
  ...dataCommands,
  define(
    'bake',
    'Make the cluster template and the list of migrations, while an image is built.',
    () => import('./bake.ts'),
  ),
  define('version', 'Show the version.', () => import('./version.ts')),
  define('help', 'Show this list.', () => import('./help.ts')),
]

const options: Readonly<Record<string, string>> = { '--help': 'help', '-h': 'help', '--version': 'version' }

export const findCommand = (name: string): CliCommand | undefined =>
  commands.find((command) => command.name === (options[name] ?? name))

/** Platforms that keep the entrypoint hand it `supervisor migrate`: as words, as one, or for a shell. */
export const commandOf = (argv: readonly string[]): readonly string[] => {
  const [first = '', option] = argv
  const isForShell = argv.length === 3 && /(^|\/)(ba|da)?sh$/.test(first) && option === '-c'
  const words = isForShell || argv.length === 1 ? argv.at(-1)!.split(' ') : argv
  return words[0] === 'supervisor' ? words.slice(1) : argv
}

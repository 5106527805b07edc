import { type CliCommand, define, service } from './define.ts'

/** Every command. Each is loaded when it is called: `status` does not pay for the daemon. */
export const commands: readonly CliCommand[] = [
  define(
    'run',
    'Start everything: what the container does.',
    () => import('./run.ts'),
    'SIGTERM or SIGINT stops everything in order, and a second one by force. SIGHUP does what ' +
      '`supervisor reload` does.',
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
    '-n LINES  how many events; 100 when not given\n-f        go on with new ones until Ctrl-C',
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
rolled back, 25 after a conflict, 26 when the environment pins the setting.`,
  ),
  define(
    'reload [--dry-run]',
    'Read the config files again and start a new generation of Mathesar, without a failed request.',
    () => import('./reload.ts'),
  ),
  define(
    'permit HOST',
    'Permit one more name or address under which people open Mathesar.',
    () => import('./permit.ts'),
    'For instance: supervisor permit nas.local\nIt adds the host to ALLOWED_HOSTS.',
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
    'There are status, settings, history, log and backups. CONSOLE=on keeps it open.',
  ),
  define(
    'admin ACTION',
    "Create Mathesar's administrators, give them new passwords, and list them.",
    () => import('./admin.ts'),
    `create NAME [--email ADDRESS]   a new administrator
reset NAME                      a new password for an administrator
list                            who they are, and when they last logged in

The password is asked for, or comes by a pipe, or by --password-file FILE; Django's rules hold for it.
The exit code is 0 when it is done, 2 when it is refused.`,
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
    'Type `docker run --rm -v VOLUME:/var/lib/mathesar:ro NEW_IMAGE try-upgrade`, with the old ' +
      'container stopped. It copies the database to FOLDER (/tmp) and starts this image on the copy, with ' +
      "its migrations and Mathesar's own check. It counts the rows before and after, and says whether it " +
      'works, how long it takes and what changes, or why not. The volume stays as it is, and so do the ' +
      'servers of others. --log shows the log of the start. The exit code is 0 when it works, 1 when it ' +
      'starts and rows of yours differ, else the one that the start would end with.',
  ),
  define(
    'versions [--json]',
    'Show which Mathesar this image has, which one served last, and what is kept to go back.',
    () => import('./versions.ts'),
    'An older image goes back with -e ON_DOWNGRADE=return.',
  ),
  define(
    'ca',
    'Print the certificate of the authority that TLS=self-signed made, for browsers to install.',
    () => import('./ca.ts'),
    'The same is at /supervisor/ca.crt of the port.',
  ),
  define(
    'psql [--superuser] [ARGUMENT…]',
    "Open psql on Mathesar's internal database, as Mathesar's role.",
    () => import('./psql.ts'),
    '',
    true,
  ),
  define(
    'manage [ARGUMENT…]',
    "Run Django's manage.py as Mathesar's user.",
    () => import('./manage.ts'),
    'For instance: supervisor manage changepassword admin',
    true,
  ),
  define(
    'backup [PLACE…] [--portable] [--include-secrets]',
    'Back up everything into one archive, while Mathesar serves.',
    () => import('./backup.ts'),
    `PLACE is - for standard output (what is meant where that is not a terminal), \`volume\` for the
folder backups of the volume, a folder that is mounted, or s3://BUCKET/PREFIX. At a terminal the places
of BACKUP_TO are meant, \`volume\` when not given.

--portable          dumps instead of a copy: for another server, without what Mathesar keys by OID
--include-secrets   the secret key and passwords, too, where the archive is not encrypted
--scheduled         as BACKUP_SCHEDULE makes it: to BACKUP_TO, thinned out by BACKUP_KEEP

backup list [PLACE]      the archives there, or in all of BACKUP_TO; --json as data
backup show ARCHIVE      what one says of itself
backup verify ARCHIVE    restores it beside and proves it: every file, page and index; --quick compares
                         the checksums alone

ARCHIVE is a path, - for standard input, the name of one that is listed, or \`newest\`.
BACKUP_PASSPHRASE or BACKUP_RECIPIENTS encrypts. From outside:
  docker exec CONTAINER supervisor backup > FILE
  docker run --rm -v VOLUME:/var/lib/mathesar IMAGE backup - > FILE`,
  ),
  define(
    'restore ARCHIVE [--replace]',
    'Restore an archive: a file, standard input (-), the name of one in a place, or `newest`.',
    () => import('./restore.ts'),
    `It is proved before anything is touched.

--replace   into a volume that is in use: what is there is kept beside
--undo      brings that back
--forget    removes it

Into a new volume:
  docker run --rm -i -v VOLUME:/var/lib/mathesar IMAGE restore - < ARCHIVE`,
  ),
  define(
    'undo 10m',
    'Bring the embedded database back to a moment: what was dropped or deleted is there again.',
    () => import('./undo.ts'),
    `10m                 to ten minutes ago; also 90s, 2h, 1d
--to TIME           to that moment: "2026-11-26 10:15:30", or 10:15, in UTC
--before STATEMENT  to just before the last of them: --before "DROP TABLE invoices"
--back              brings back what was undone, as \`supervisor restore --undo\`
undo list [--all]   since when, and what was dropped, truncated, deleted or updated in numbers

All databases of the server go back, accounts and settings of Mathesar among them. It is done beside, and
proved to open; then the container starts over with it. UNDO_SPACE is what of the volume is used for it.`,
  ),
  define(
    'yesterday 10:15',
    'Serve the embedded database as it was, read-only beside that of today: to copy a row over.',
    () => import('./yesterday.ts'),
    `10:15               the last time that a clock showed that, in UTC; also "2026-11-26 10:15:30", 10m, 2h
--before STATEMENT  just before the last of them: --before "DELETE FROM invoices"
--for 2h            for how long, at most a day; 1h when not given
--end               ends it before

Mathesar shows each database a second time, with the moment in its name, to those who may use it today.
UNDO_SPACE says how far back there is something, and \`supervisor undo list\` since when.`,
  ),
  define(
    'rescue [FOLDER] [--adopt | --salvage FOLDER]',
    "Say what is in a volume, or take over the cluster of Mathesar's own image.",
    () => import('./rescue.ts'),
    `Without --adopt nothing is written. FOLDER is where something is mounted; without it, it looks into
the volume and wherever other images keep their data.

--adopt         copies that cluster into an installation of this image: every OID, role and stored
                password stays, and the old one is only read
--replace       into a volume that is in use: what is there is kept beside (\`restore --undo\`)
--host NAME     what Mathesar calls the server of that cluster, if not localhost or mathesar_db
--without-key   although its secret key is lost: passwords of roles have to be set again
--salvage DIR   dumps what can be read of a cluster that does not open, table by table, from a copy of it;
                REPORT.txt there says what is saved and lost. The exit code is 34 if some of it is lost

Of a container that has stopped, with its secret key and media:
  docker cp CONTAINER:/code/.secrets secrets; docker cp CONTAINER:/code/.media media
  docker run --rm --volumes-from CONTAINER:ro -v mathesar:/var/lib/mathesar \\
    -v ./secrets:/code/.secrets:ro -v ./media:/code/.media:ro IMAGE rescue --adopt`,
  ),
  define(
    'upgrade-postgres',
    'Bring the cluster of a volume to the Postgres of this image: in the image that has both servers.',
    () => import('./upgrade-postgres.ts'),
    `The old cluster is kept beside: \`restore --undo\` brings it back, \`restore --forget\` removes it.

  docker run --rm -v VOLUME:/var/lib/mathesar IMAGE-with-both upgrade-postgres`,
  ),
  define(
    'promote --to postgres://… | --back',
    'Move from the embedded Postgres to an external one (14 to 18), with everything that people built.',
    () => import('./promote.ts'),
    `--to URL         of a user there that may create databases and roles; it is used for the move alone
--to -           the same from standard input, so that no list of processes shows the password
--to-file FILE   the same from a file
--within SECONDS how long requests may wait for the copy; 20 when not given, and 30 s before a page comes
--back           returns to the embedded Postgres, as it was when you left it

All databases, roles with their passwords, and what Mathesar keeps of tables go there. Requests wait
while it copies, and none fails. It proves the copy before it is in force; until then, and whatever
fails, the embedded Postgres stays in force. Its data stays in the volume.
The exit code is 0 when the move is in force, 88 when it is refused, 89 when it failed.`,
  ),
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

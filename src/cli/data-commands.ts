import { type CliCommand, define } from './define.ts'

/** Those that keep, bring back and move what people have. */
export const dataCommands: readonly CliCommand[] = [
  define(
    'backup [PLACE…] [--incremental | --portable] [--include-secrets]',
    'Back up everything into one archive, while Mathesar serves.',
    () => import('./backup.ts'),
    `PLACE is - for standard output (what is meant where that is not a terminal), \`volume\` for the
folder backups of the volume, a folder that is mounted, or s3://BUCKET/PREFIX. At a terminal the places
of BACKUP_TO are meant, \`volume\` when not given.

--incremental       only what has changed of the database since the last one of the schedule there; a full
                    one where that is not possible, with a word of why
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
  docker run --rm --log-driver none -v VOLUME:/var/lib/mathesar IMAGE backup - > FILE

The exit code is 0 when all places have it, 87 when one of them failed, 80 when there is no archive. Of
\`show\` and \`verify\` it is 81 where one is damaged, 83 where it cannot be decrypted.`,
  ),
  define(
    'restore ARCHIVE [--replace]',
    'Restore an archive: a file, standard input (-), the name of one in a place, or `newest`.',
    () => import('./restore.ts'),
    `It is proved before anything is touched.

--replace   into a volume that is in use: what is there is kept beside
--undo      brings that back; a restore that waits for the next start is taken back
--forget    removes it; with --replace, what an earlier restore has kept gives way

The exit code is 0 when it is done, 81 to 83 when the archive is damaged, foreign or cannot be decrypted, 84
when the volume does not take it, 94 when it builds on one that is not beside it. Nothing is changed then.

Into a new volume:
  docker run --rm -i -v VOLUME:/var/lib/mathesar IMAGE restore - < ARCHIVE`,
  ),
  define(
    'send [--back]',
    'Move everything to another volume or machine, with a pause of seconds.',
    () => import('./send.ts'),
    `It copies while Mathesar serves, then what was written since. Once little is left, Mathesar and Postgres
stop and visitors wait; the rest goes over, and the receiver proves that it ends at the same checkpoint.

  mkfifo back
  docker exec -i CONTAINER supervisor send < back |
    ssh HOST docker run -i --rm -v mathesar:/var/lib/mathesar IMAGE receive > back

--to NAME         where it goes, for the log and for whoever looks at the old one
--within SECONDS  how long visitors may wait for that; 50 when not given. Else everything serves on here
--back            serves from the old volume again

Until the receiver has all, whatever is cut off or killed leaves the old one serving and the new volume empty.
Then the old one is marked as moved: it keeps its data, serves nobody, and says so.
BACKUP_PASSPHRASE or BACKUP_RECIPIENTS encrypts, as for a backup.
The exit code is 0 when it has moved, 92 when not.`,
  ),
  define(
    'receive',
    'Take in what `supervisor send` writes, into an empty volume.',
    () => import('./receive.ts'),
    'Its standard output leads back to the sender: `supervisor send --help` has the commands.\n' +
      'The exit code is 0 when it has all, 84 when the volume does not take it, 92 when it keeps nothing.',
  ),
  define(
    'undo 10m',
    'Bring the embedded database back to a moment: what was dropped or deleted is there again.',
    () => import('./undo.ts'),
    `10m                 to ten minutes ago; also 90s, 2h, 1d
--to TIME           to that moment: "2026-11-26 10:15:30", or 10:15, in UTC
--before STATEMENT  to just before the last of them: --before "DROP TABLE invoices"
--back              brings back what was undone, as \`supervisor restore --undo\`
undo list [--all] [--since 1h]   since when, and what was dropped, truncated, deleted or updated in numbers

All databases of the server go back, accounts and settings of Mathesar among them. It is done beside, and
proved to open; then the container starts over with it. UNDO_SPACE is how many MiB of
the volume are used for it.
The exit code is 0 when it is done, 90 when nothing that goes back so far is kept.`,
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
UNDO_SPACE says how far back there is something, and \`supervisor undo list\` since when.
The exit code is 0 when it is served, 90 when nothing that goes back so far is kept.`,
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
                REPORT.txt there says what is saved and lost

The exit code is 0 when it is done, 85 when nothing can be adopted, 34 when a salvage lost something.

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
The exit code is 0 when it is done, 85 when there is nothing to upgrade.

  docker run --rm -v VOLUME:/var/lib/mathesar IMAGE-with-both upgrade-postgres`,
  ),
  define(
    'promote --to postgres://… | --back',
    'Move to an external Postgres (14 to 18), with everything that people built.',
    () => import('./promote.ts'),
    `--to URL         of a user there that may create databases and roles, and is used for the move alone;
                 or of a user \`mathesar\` that owns empty databases of the same names
--to -           the same from standard input, so that no list of processes shows the password
--to-file FILE   the same from a file
--within SECONDS how long requests may wait; 20 when not given, and 30 s before a page comes
--back           returns to the server of before, as it was when you left it

From the embedded Postgres, or from an external one: of that the databases that Mathesar is connected to,
and passwords that Mathesar stores. All databases, roles, and what Mathesar keeps of tables go there, while
people work. Requests wait for what was written meanwhile, and none fails; whoever else is connected to the
server that is left is disconnected then, and can write no more. It proves the copy before it is in force;
until then, and whatever fails, the server of before stays in force. Its data stays there.
The exit code is 0 when the move is in force, 88 when it is refused, 89 when it failed, and 93 when
tables were made or changed again and again.`,
  ),
  define(
    'export --to postgres://…',
    'Copy everything to another server for a Mathesar of another image, and print its settings.',
    () => import('./export.ts'),
    `--to, --to-file and --within as those of \`promote\`. It is the same copy, and this installation goes on.
Who writes meanwhile waits for a moment at its end.

Standard output gets the settings of the other Mathesar, with the secret key and the password:
  docker exec -i CONTAINER supervisor export --to - < admin-url > mathesar.env
  docker cp CONTAINER:/var/lib/mathesar/media media

The exit codes are those of \`promote\`.`,
  ),
]

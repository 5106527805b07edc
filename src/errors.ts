type Row = {
  /** Of the container or command. */
  readonly exitCode: number
  /** On the control socket. */
  readonly httpStatus: number
  /** Other settings may cure it: a boot that fails so with an edited file tries the last good one. */
  readonly maybeBySettings?: true
  /** It passes by itself: a task that fails so is run again. */
  readonly isPassing?: true
  /** What to type next. */
  readonly hint: string
}

/** Every failure that a person can meet. The docs repeat this table; a test holds the two together. */
// oxfmt-ignore
const rows = {
  INTERNAL: { exitCode: 1, httpStatus: 500, hint: 'This is a fault of the supervisor: please report it with the lines above.' },
  USAGE: { exitCode: 2, httpStatus: 409, hint: 'Type `supervisor --help`.' },
  DAEMON_UNREACHABLE: { exitCode: 3, httpStatus: 500, hint: 'Is the container running? Type `docker ps`, then `docker logs` with its name.' },
  UNIT_UNKNOWN: { exitCode: 4, httpStatus: 404, hint: 'Type `supervisor status` for the names.' },
  SERVICE_CRASH_LOOP: { exitCode: 10, httpStatus: 500, maybeBySettings: true, hint: 'The last lines of the service, above, say why it died. `docker start` tries again; no data was touched.' },
  SETTING_INVALID: { exitCode: 20, httpStatus: 422, maybeBySettings: true, hint: 'Correct the variable and start a new container on the same volume.' },
  DATABASE_SETTINGS_PARTIAL: { exitCode: 21, httpStatus: 422, hint: 'Give POSTGRES_HOST, POSTGRES_DB and POSTGRES_USER together, or none of them for the embedded Postgres.' },
  DATABASE_NOT_CONFIGURED: { exitCode: 22, httpStatus: 422, maybeBySettings: true, hint: 'This image has no Postgres server: give POSTGRES_HOST, POSTGRES_DB and POSTGRES_USER, or DATABASE_URL.' },
  CONFIG_INVALID: { exitCode: 23, httpStatus: 422, maybeBySettings: true, hint: 'Correct the line that is named and try again; what was in force stays in force.' },
  CONFIG_ROLLED_BACK: { exitCode: 24, httpStatus: 422, hint: 'The settings before it are in force again. `supervisor logs mathesar` shows why the new ones failed.' },
  CONFIG_CONFLICT: { exitCode: 25, httpStatus: 409, hint: 'Read the settings again (`supervisor config show`), make the edit on them and try again.' },
  SETTING_PINNED: { exitCode: 26, httpStatus: 403, hint: 'Start a new container on the same volume without this variable; the file then decides.' },
  CONFIG_NOT_CHECKED: { exitCode: 27, httpStatus: 503, isPassing: true, hint: "Mathesar's parsers did not end: often a limit of the container (memory, processes). Raise it and try again; nothing was changed." },
  VOLUME_NOT_WRITABLE: { exitCode: 30, httpStatus: 422, hint: 'Let this user write there: `chown -R` the folder on the host, or use a named volume: `-v mathesar:/var/lib/mathesar`.' },
  VOLUME_FULL: { exitCode: 31, httpStatus: 500, hint: 'Free some space on that file system and start the container again; no data was touched.' },
  VOLUME_IN_USE: { exitCode: 32, httpStatus: 500, hint: 'Stop the other container on this volume (`docker ps`), or give this one a volume of its own.' },
  CLUSTER_OTHER_MAJOR: { exitCode: 33, httpStatus: 500, hint: 'Bring the data along: `docker run --rm -v VOLUME:/var/lib/mathesar IMAGE upgrade-postgres`, with the image of pg-upgrade.Dockerfile, which has both servers. Or start the image that carries the Postgres of the data. Nothing was changed. Not pg_dump: it loses what Mathesar keys by OID (settings, explorations, forms).' },
  CLUSTER_DAMAGED: { exitCode: 34, httpStatus: 500, hint: 'Restore the volume from a backup; nothing was changed.' },
  CLUSTER_UNUSABLE: { exitCode: 36, httpStatus: 500, hint: 'Start the image that the data was made with; nothing was changed. A locale that is named has to be in the image.' },
  SECRETS_MISSING: { exitCode: 35, httpStatus: 500, hint: 'Put the file back from a backup, or give the old key with `-e SECRET_KEY=…`; a new key could not decrypt stored passwords.' },
  CLUSTER_NOT_MADE: { exitCode: 38, httpStatus: 500, hint: 'Nothing was stored yet. The lines above say what is missing: often a limit of the container, or a file system without owners and modes.' },
  RUN_FOLDER_IN_USE: { exitCode: 37, httpStatus: 500, hint: 'Containers that share /dev/shm (a pod, `--ipc`) each need a folder of their own: `--tmpfs /run/mathesar`.' },
  VOLUME_TORN: { exitCode: 39, httpStatus: 500, hint: 'Restore a backup; nothing was changed.' },
  PORT_IN_USE: { exitCode: 40, httpStatus: 500, maybeBySettings: true, hint: 'Choose another port with `-e PORT=8001`, or stop the program that listens there.' },
  TLS_INVALID: { exitCode: 41, httpStatus: 422, maybeBySettings: true, hint: 'Check TLS_CERTIFICATE and TLS_KEY: files in PEM that belong together and can be read here, the key without a passphrase.' },
  DATABASE_UNREACHABLE: { exitCode: 50, httpStatus: 422, maybeBySettings: true, hint: 'Check the host and the port (POSTGRES_HOST and POSTGRES_PORT, or the URL). Inside a container `localhost` is the container itself: the host is `host.docker.internal`, on Linux with `--add-host host.docker.internal:host-gateway`.' },
  DATABASE_REFUSED: { exitCode: 51, httpStatus: 422, maybeBySettings: true, hint: 'Check the user, the password and the database (POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB, or the URL): the server answered and said no.' },
  DATABASE_LOST: { exitCode: 54, httpStatus: 503, maybeBySettings: true, isPassing: true, hint: 'Look into the log of the database: it went away again and again. `docker start` tries again; no data was touched.' },
  DATABASE_AHEAD: { exitCode: 52, httpStatus: 422, maybeBySettings: true, hint: 'Start the newer image again, or restore a backup made with this version; nothing was changed.' },
  MIGRATIONS_FAILED: { exitCode: 53, httpStatus: 422, maybeBySettings: true, hint: 'Nothing was changed: the version of Mathesar that you had starts on this data. LOG_LEVEL=debug shows the traceback.' },
  DATABASE_OTHER_KEY: { exitCode: 56, httpStatus: 422, maybeBySettings: true, hint: 'Give the key that it was made with (`-e SECRET_KEY=…`, or the file secrets/secret_key of its volume). `-e ON_OTHER_KEY=accept` goes on with this one: stored passwords are then to be set again in Mathesar. Nothing was changed.' },
  ADMINISTRATOR_NOT_CREATED: { exitCode: 55, httpStatus: 500, isPassing: true, hint: 'The lines above say why. Without ADMIN_USERNAME and ADMIN_PASSWORD Mathesar starts, and the setup code opens its own form.' },
  PRIVILEGES_INSUFFICIENT: { exitCode: 60, httpStatus: 500, hint: 'Start with `--user 1000:0` (any number but 0), or let root keep CHOWN, DAC_OVERRIDE, KILL, SETGID and SETUID.' },
  BACKUP_FAILED: { exitCode: 80, httpStatus: 500, hint: 'No archive was kept. `supervisor logs postgres` may say more; then try again.' },
  BACKUP_PLACE_FAILED: { exitCode: 87, httpStatus: 422, hint: 'Check BACKUP_TO and that the place can be reached and written from here; then try again.' },
  BACKUP_DAMAGED: { exitCode: 81, httpStatus: 422, hint: 'Copy it again from where it was made (`docker exec` without `-t`: a terminal changes bytes), or take an older one. Nothing was changed.' },
  BACKUP_FOREIGN: { exitCode: 82, httpStatus: 422, hint: 'Give a file that `supervisor backup` made. Nothing was changed.' },
  BACKUP_LOCKED: { exitCode: 83, httpStatus: 422, hint: 'Give its passphrase with `-e BACKUP_PASSPHRASE=…`, or the secret key of one of its recipients with `-e BACKUP_IDENTITY=…`. Nothing was changed.' },
  BACKUP_INCOMPLETE: { exitCode: 94, httpStatus: 422, hint: 'Put the archive that is named beside it, into the same folder or place, and name it by its path there. Nothing was changed.' },
  RESTORE_REFUSED: { exitCode: 84, httpStatus: 409, hint: 'Give a new, empty volume, or add `--replace`: what is there is then kept beside, and `supervisor restore --undo` brings it back.' },
  RESCUE_REFUSED: { exitCode: 85, httpStatus: 409, hint: 'Type `supervisor rescue` to see what is there. Nothing was changed.' },
  TRIAL_FAILED: { exitCode: 86, httpStatus: 500, hint: 'Nothing was changed. The lines above say more; then try again.' },
  PROMOTE_REFUSED: { exitCode: 88, httpStatus: 409, hint: 'Nothing was changed: Mathesar serves as before.' },
  PROMOTE_FAILED: { exitCode: 89, httpStatus: 500, hint: 'The database of before is in force, with all data. Type the same again: what was begun on the other server is removed first.' },
  PROMOTE_OVERTAKEN: { exitCode: 93, httpStatus: 409, hint: 'Type the same again at an hour at which nobody makes or changes tables. Nothing was changed: Mathesar serves as before.' },
  UNDO_REFUSED: { exitCode: 90, httpStatus: 409, hint: 'Type `supervisor undo list` for what can be undone. Nothing was changed.' },
  MOVED: { exitCode: 91, httpStatus: 409, hint: 'It serves from where it was moved to; its data is still here, too. To serve from here again, stop the other one and type `supervisor send --back` here: what was written there since is not in it.' },
  MOVE_FAILED: { exitCode: 92, httpStatus: 500, hint: 'The sender serves as before, and the receiver keeps nothing. Type the same again.' },
  STOP_NOT_CLEAN: { exitCode: 70, httpStatus: 500, hint: 'Nothing is lost: Postgres recovers at the next start. Give more time: `docker stop -t 30` and `-e STOP_GRACE_PERIOD=30`.' },
} as const satisfies Record<string, Row>

export type ErrorCode = keyof typeof rows
export const errorTable: Readonly<Record<ErrorCode, Row>> = rows

/** A failure of the table above. `message` reads "cannot X: why"; `hint` says what to type next. */
export class SupervisorError extends Error {
  readonly code: ErrorCode
  readonly exitCode: number
  readonly hint: string
  /** Which service died again and again. */
  readonly service: string | undefined

  constructor(
    code: ErrorCode,
    message: string,
    options?: { cause?: unknown; hint?: string | undefined; service?: string | undefined },
  ) {
    super(message, options)
    this.name = 'SupervisorError'
    this.code = code
    this.exitCode = errorTable[code].exitCode
    this.hint = options?.hint ?? errorTable[code].hint
    this.service = options?.service
  }

  get httpStatus(): number {
    return errorTable[this.code].httpStatus
  }

  /** Whether it passes by itself. */
  get isPassing(): boolean {
    return errorTable[this.code].isPassing === true
  }

  /** Where our own fault lies; `undefined` for a failure that was expected. */
  get faultStack(): string | undefined {
    if (this.code !== 'INTERNAL') return undefined
    return (this.cause instanceof Error ? this.cause.stack : this.stack) ?? this.message
  }
}

/** Turns whatever was thrown into a failure of the table. */
export const toSupervisorError = (thrown: unknown): SupervisorError => {
  if (thrown instanceof SupervisorError) return thrown
  const errno = (thrown as NodeJS.ErrnoException)?.code
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  if (errno === 'ENOSPC' || errno === 'EDQUOT')
    return new SupervisorError('VOLUME_FULL', `cannot write: no space left (${message})`, { cause: thrown })
  if (errno === 'EROFS')
    return new SupervisorError('VOLUME_NOT_WRITABLE', `cannot write: ${message}`, { cause: thrown })
  if (errno === 'EIO') {
    return new SupervisorError('VOLUME_NOT_WRITABLE', `cannot use the disk: ${message}`, {
      cause: thrown,
      hint: 'The disk failed (EIO): look at `dmesg` on the host before anything else.',
    })
  }
  return new SupervisorError('INTERNAL', `internal error: ${message}`, { cause: thrown })
}

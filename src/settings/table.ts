import type { Kind, Limits } from './kinds.ts'

/**
 * What it takes to bring a changed value into force. Each includes what Mathesar needs of those before it.
 */
export type Action =
  | 'none'
  | 'door'
  | 'generation'
  | 'postgres-reload'
  | 'postgres-restart'
  | 'database'
  | 'container'

type Setting = Limits & {
  readonly kind: Kind
  readonly default?: string
  /** Another name that the environment may use. */
  readonly alias?: string
  /** Never shown, logged or passed to a service that does not need it. */
  readonly secret?: true
  /** Not in the file: it must not be in the hands of whoever may edit that. */
  readonly only?: 'environment'
  readonly appliesBy: Action
  readonly description: string
}

/**
 * Every setting: its environment variable, type, default, whether it is secret, what a change of it needs,
 * and one sentence.
 */
// oxfmt-ignore
export const settingsTable = {
  ALLOWED_HOSTS: { kind: 'hosts', default: '.localhost,127.0.0.1,[::1],private', appliesBy: 'door', description: 'Host names and addresses under which people open Mathesar, comma-separated; `private` stands for the addresses of private networks, `*` permits all.' },
  PUBLIC_URL: { kind: 'url', appliesBy: 'generation', description: 'The address of Mathesar for the people who use it, such as https://mathesar.example.org; its host and origin are permitted.' },
  PORT: { kind: 'integer', default: '8000', min: 1, max: 65535, appliesBy: 'container', description: 'TCP port that Mathesar listens on.' },
  BIND_ADDRESS: { kind: 'address', default: '0.0.0.0', appliesBy: 'container', description: 'Address that Mathesar listens on: of IPv4, or of IPv6; `::` stands for all of both.' },
  SECRET_KEY: { kind: 'text', secret: true, only: 'environment', appliesBy: 'container', description: 'Key that signs sessions and encrypts stored passwords; made on first boot.' },
  CSRF_TRUSTED_ORIGINS: { kind: 'origins', appliesBy: 'generation', description: 'Addresses of proxies that change the Host, such as https://mathesar.example.org, comma-separated.' },
  DEBUG: { kind: 'boolean', default: 'false', appliesBy: 'generation', description: 'Django debug pages: never for others to see.' },
  WEB_CONCURRENCY: { kind: 'integer', min: 1, max: 64, appliesBy: 'generation', description: 'Gunicorn worker processes; fitted to memory and processors when not given. Each answers WEB_THREADS requests at a time.' },
  WEB_THREADS: { kind: 'integer', min: 1, max: 64, appliesBy: 'generation', description: 'Requests that one worker answers at a time; fitted to memory, workers and the connections of the database when not given.' },
  GUNICORN_TIMEOUT: { kind: 'integer', default: '300', min: 1, max: 86400, appliesBy: 'generation', description: 'Seconds that one request may take; an import of a large file needs them.' },
  GUNICORN_CMD_ARGS: { kind: 'arguments', appliesBy: 'generation', description: 'Further gunicorn arguments.' },
  POSTGRES_HOST: { kind: 'server', appliesBy: 'database', description: 'Host of an existing Postgres; with it, POSTGRES_DB and POSTGRES_USER no embedded Postgres is started.' },
  POSTGRES_PORT: { kind: 'integer', min: 1, max: 65535, appliesBy: 'database', description: 'Port of the existing Postgres; 5432 when not given.' },
  POSTGRES_DB: { kind: 'text', appliesBy: 'database', description: 'Database of the existing Postgres that Mathesar keeps its own tables in.' },
  POSTGRES_USER: { kind: 'text', appliesBy: 'database', description: 'Role on the existing Postgres.' },
  POSTGRES_PASSWORD: { kind: 'text', secret: true, appliesBy: 'database', description: 'Password of that role.' },
  POSTGRES_SSLMODE: { kind: 'choice', choices: ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'], appliesBy: 'database', description: 'TLS to the existing Postgres, in the words of libpq; `prefer` when not given.' },
  POSTGRES_SSLROOTCERT: { kind: 'path', appliesBy: 'database', description: 'File with the certificate of the CA that the existing Postgres must have its own from; /etc/ssl/certs/ca-certificates.crt holds the public ones.' },
  DATABASE_URL: { kind: 'text', secret: true, appliesBy: 'database', description: 'The same in one: postgres://user:password@host:port/database?sslmode=require.' },
  EMBEDDED_POSTGRES_WORK_MEM: { kind: 'integer', min: 1, max: 65536, appliesBy: 'postgres-reload', description: 'MiB that one sort or hash of the embedded Postgres may take; 4 when not given.' },
  EMBEDDED_POSTGRES_LOG_SLOW: { kind: 'integer', min: 0, max: 86400000, appliesBy: 'postgres-reload', description: 'Milliseconds from which on the embedded Postgres logs a statement; it logs none when not given.' },
  EMBEDDED_POSTGRES_SHARED_BUFFERS: { kind: 'integer', min: 16, max: 1048576, appliesBy: 'postgres-restart', description: 'MiB of shared memory of the embedded Postgres; an eighth of the container when not given.' },
  EMBEDDED_POSTGRES_MAX_CONNECTIONS: { kind: 'integer', default: '100', min: 20, max: 10000, appliesBy: 'postgres-restart', description: 'Connections that the embedded Postgres accepts at a time.' },
  DATABASE_WAIT_TIMEOUT: { kind: 'integer', default: '120', min: 0, max: 86400, appliesBy: 'none', description: 'Seconds to wait at boot for an existing Postgres that does not answer yet.' },
  SSO_CONFIG_DICT: { kind: 'json', secret: true, appliesBy: 'generation', description: 'Single sign-on, as JSON; the file sso.yml serves the same.' },
  OIDC_CONFIG_DICT: { kind: 'json', secret: true, appliesBy: 'generation', description: 'Older name of SSO_CONFIG_DICT.' },
  REQUIRE_SSO_LOGIN: { kind: 'boolean', default: 'false', appliesBy: 'generation', description: 'Permit login by single sign-on alone.' },
  FILE_STORAGE_DICT: { kind: 'json', secret: true, appliesBy: 'generation', description: 'File storage backends, as JSON; the file file_storage.yml serves the same.' },
  MATHESAR_DJANGO_ADMIN_ENABLED: { kind: 'boolean', appliesBy: 'generation', description: "Django's own admin at /admin/." },
  MATHESAR_LANDING_PAGE_URL: { kind: 'text', appliesBy: 'generation', description: 'Where people go who open the home page and are not logged in, in place of the login page.' },
  MATHESAR_INSTANCE_NAME: { kind: 'text', appliesBy: 'generation', description: 'Name of this Mathesar, which stands for its logo where that cannot be seen.' },
  MATHESAR_AUTH_LOGO_URL: { kind: 'text', appliesBy: 'generation', description: 'Logo of the login page.' },
  MATHESAR_LOGIN_PAGE_TEXT_DICT: { kind: 'json', appliesBy: 'generation', description: 'Heading and text of the login page, as JSON; the file login_page.yml serves the same.' },
  MATHESAR_LOGIN_PAGE_BACKGROUND: { kind: 'text', appliesBy: 'generation', description: 'Background of the login page, as in CSS.' },
  MATHESAR_TERMS_OF_SERVICE_URL: { kind: 'text', appliesBy: 'generation', description: 'Terms of service that the login page links.' },
  MATHESAR_PRIVACY_POLICY_URL: { kind: 'text', appliesBy: 'generation', description: 'Privacy policy that the login page links.' },
  DATA_FILES_STORAGE_BACKEND: { kind: 'text', appliesBy: 'generation', description: 'Where Mathesar keeps the files that people import tables from: `local`, in the volume, or `azure`.' },
  DATA_FILES_AZURE_ACCOUNT_NAME: { kind: 'text', appliesBy: 'generation', description: 'Account of the Azure storage for those files.' },
  DATA_FILES_AZURE_CONTAINER: { kind: 'text', appliesBy: 'generation', description: 'Its container.' },
  DATA_FILES_AZURE_CONNECTION_STRING: { kind: 'text', secret: true, appliesBy: 'generation', description: 'How to connect to it, with its key.' },
  BACKUP_PASSPHRASE: { kind: 'text', secret: true, appliesBy: 'none', description: 'Encrypts backups, in the age format: whoever has it can read them.' },
  BACKUP_RECIPIENTS: { kind: 'recipients', appliesBy: 'none', description: 'Public keys of age (age1…), comma-separated, for which backups are encrypted: this container can then write what it cannot read.' },
  BACKUP_IDENTITY: { kind: 'text', secret: true, only: 'environment', appliesBy: 'none', description: 'The secret key of a recipient (AGE-SECRET-KEY-1…), to restore or verify a backup.' },
  BACKUP_TO: { kind: 'places', default: 'volume', appliesBy: 'none', description: 'Where backups are kept, comma-separated: `volume`, a mounted folder such as /backups, s3://BUCKET/PREFIX.' },
  BACKUP_SCHEDULE: { kind: 'schedule', appliesBy: 'postgres-reload', description: 'When a backup is made by itself: five fields of cron in the time zone TZ, or `off`; when not given, each night at 3:30 with the embedded Postgres.' },
  BACKUP_FULL_EVERY: { kind: 'integer', default: '7', min: 0, max: 366, appliesBy: 'postgres-reload', description: 'Days after which a backup of the schedule is a full one again; those between have of the database what has changed since the one before, and are restored together with it. 0: each is a full one.' },
  BACKUP_KEEP: { kind: 'retention', default: '2 daily, 1 weekly', appliesBy: 'none', description: 'Which backups of the schedule are kept in each place: counts of last, hourly, daily, weekly, monthly, yearly, such as `7 daily, 4 weekly, 12 monthly`, or `all`.' },
  BACKUP_DRILL: { kind: 'schedule', appliesBy: 'none', description: 'When the newest backup is restored beside and proved: five fields of cron, or `off`; when not given, each Sunday at 4:30 where there is room and the newest lies in the volume.' },
  BACKUP_S3_ENDPOINT: { kind: 'url', appliesBy: 'none', description: 'Address of the S3-compatible storage, such as https://minio.example.org; that of Amazon when not given.' },
  BACKUP_S3_REGION: { kind: 'text', default: 'us-east-1', appliesBy: 'none', description: 'Its region.' },
  BACKUP_S3_PATH_STYLE: { kind: 'boolean', default: 'true', appliesBy: 'none', description: 'Whether the bucket is in the path of an address (most take that), or in its host name.' },
  BACKUP_S3_CA: { kind: 'path', appliesBy: 'none', description: 'File with the certificate (PEM) of an authority of your own that the storage has its certificate from.' },
  BACKUP_S3_ACCESS_KEY: { kind: 'text', secret: true, appliesBy: 'none', description: 'Access key of the S3-compatible storage.' },
  BACKUP_S3_SECRET_KEY: { kind: 'text', secret: true, appliesBy: 'none', description: 'Secret key of the same.' },
  UI_MAY_EDIT_CONFIG: { kind: 'boolean', default: 'false', only: 'environment', appliesBy: 'container', description: "Let Mathesar's own user write mathesar.env and change settings through a socket of its own." },
  PUID: { kind: 'integer', min: 0, max: 4294967294, only: 'environment', appliesBy: 'container', description: 'Number of the user that everything runs as and that the volume belongs to, as stores of apps give it; without it each service has a user of its own, which is safer.' },
  PGID: { kind: 'integer', min: 0, max: 4294967294, only: 'environment', appliesBy: 'container', description: 'Number of its group; that of PUID when not given.' },
  UMASK: { kind: 'choice', choices: ['002', '007', '022', '027', '077'], only: 'environment', appliesBy: 'container', description: 'With PUID: the rights that new files of the volume do not get.' },
  LOG_FORMAT: { kind: 'choice', choices: ['text', 'json'], default: 'text', appliesBy: 'container', description: 'Log lines for people, or one JSON object a line.' },
  LOG_LEVEL: { kind: 'choice', choices: ['debug', 'info', 'warn', 'error'], default: 'info', appliesBy: 'container', description: "Least level of the supervisor's own lines." },
  RUN_MIGRATIONS: { kind: 'choice', choices: ['here', 'never'], default: 'here', appliesBy: 'container', description: 'Who brings an existing Postgres to this Mathesar: the container itself at its start, one at a time, or nobody here (`never`): then it waits for `supervisor migrate`, a release command.' },
  ON_DOWNGRADE: { kind: 'choice', choices: ['refuse', 'return'], default: 'refuse', appliesBy: 'container', description: 'What an image does whose Mathesar is older than the internal database: end, or put the database in place again that was kept before the upgrade.' },
  ON_OTHER_KEY: { kind: 'choice', choices: ['refuse', 'accept'], default: 'refuse', only: 'environment', appliesBy: 'container', description: 'What a start does whose SECRET_KEY is another one than that which the internal database was made with: end, or go on without the passwords that Mathesar has stored.' },
  ON_TORN: { kind: 'choice', choices: ['restore', 'stop', 'serve'], default: 'restore', appliesBy: 'container', description: 'What a start does on a volume that was copied while Postgres wrote, where the copy does not prove to be whole: restore the newest backup that lies in it (what is there is kept beside), end, or `serve` it without a proof.' },
  ADMIN_USERNAME: { kind: 'text', alias: 'MATHESAR_ADMIN_USERNAME', only: 'environment', appliesBy: 'container', description: 'Name of the first administrator: with ADMIN_PASSWORD it is created at a boot that finds no administrator, and never touched again.' },
  ADMIN_EMAIL: { kind: 'text', alias: 'MATHESAR_ADMIN_EMAIL', only: 'environment', appliesBy: 'container', description: 'Email address of that administrator.' },
  ADMIN_PASSWORD: { kind: 'text', alias: 'MATHESAR_ADMIN_PASSWORD', secret: true, only: 'environment', appliesBy: 'container', description: "Password of that administrator; Django's validators check it." },
  ADMIN_SETUP: { kind: 'choice', choices: ['code', 'open'], default: 'code', only: 'environment', appliesBy: 'container', description: 'Who may create the first administrator in the browser: who has the setup code, or whoever comes first.' },
  DEMO: { kind: 'names', choices: ['bike_shop', 'hardware_store', 'ice_cream_employees', 'library_management', 'library_makerspace', 'movie_rentals', 'museum_exhibits', 'nonprofit_grants'], only: 'environment', appliesBy: 'container', description: 'Sample data of Mathesar, comma-separated: it is made once for the first administrator, in a database `demo`.' },
  SETUP_CODE: { kind: 'text', min: 8, secret: true, only: 'environment', appliesBy: 'container', description: 'The setup code, at least 8 characters; made and renewed when not given. It is void once there is an administrator.' },
  TRUSTED_PROXIES: { kind: 'networks', default: 'private', appliesBy: 'door', description: 'Addresses and networks (10.0.0.0/8) of proxies in front, whose X-Forwarded-For and X-Forwarded-Proto count; `private` are all that no one on the internet has, `none` is nobody.' },
  TLS: { kind: 'choice', choices: ['off', 'self-signed'], default: 'off', appliesBy: 'door', description: '`self-signed`: https with a certificate that is made here, by an authority that people may install (`supervisor ca`).' },
  TLS_CERTIFICATE: { kind: 'path', appliesBy: 'door', description: 'File with the certificate for https and those of its issuers (PEM); with TLS_KEY it wins over TLS. A renewed one is in force within 10 s.' },
  TLS_KEY: { kind: 'path', appliesBy: 'door', description: 'File with the key of TLS_CERTIFICATE (PEM, no passphrase).' },
  ON_FAILURE: { kind: 'choice', choices: ['page', 'exit'], appliesBy: 'none', description: 'What a container does whose boot failed: `exit` with the code of the failure, or stay with the `page` that says why; when not given `page` only where stdout is a terminal.' },
  ACCESS_LOG: { kind: 'boolean', default: 'false', appliesBy: 'door', description: 'Log each request: method, path without its query, status, bytes, milliseconds, address.' },
  METRICS: { kind: 'networks', default: 'none', appliesBy: 'door', description: 'Addresses and networks (10.0.0.0/8) that may read /metrics on the port, for Prometheus; `private` are all that no one on the internet has, `none` is nobody. Whom TRUSTED_PROXIES names can say that they are one of them.' },
  NOTIFY_URL: { kind: 'notify', secret: true, appliesBy: 'none', description: 'Whom to tell of a crash loop, a change that was rolled back, a full volume, a backup that failed, a certificate that ends: https://… gets JSON, ntfy://HOST/TOPIC a message, ping+https://… a request alone.' },
  UNDO_SPACE: { kind: 'integer', default: '0', min: 0, orFrom: 64, max: 1_000_000, appliesBy: 'postgres-reload', description: 'MiB of the volume that may be used to go back to a moment (`supervisor undo`): half for copies of the embedded database, half for its log; at least 64. 0: nothing is kept.' },
  UPDATE_NOTICE: { kind: 'updates', default: 'https://api.github.com/repos/mathesar-foundation/mathesar/releases?per_page=20', appliesBy: 'none', description: 'The https address that is asked once a day which releases of Mathesar there are, with a request that says nothing of you; one of your own answers in the same form. `off`: nobody is asked.' },
  DRAIN_DELAY: { kind: 'integer', default: '0', min: 0, max: 3600, appliesBy: 'none', description: 'Seconds from SIGTERM in which it serves on while /readyz says no, for load balancers to notice; then the port closes. They are part of STOP_GRACE_PERIOD, and at most half of it.' },
  SLEEP_AFTER: { kind: 'duration', default: 'off', appliesBy: 'none', description: 'How long nobody must have come until Mathesar and the embedded Postgres stop, such as 30m, to save memory; the next visitor wakes them and waits a second or two. `off`: never.' },
  CONSOLE: { kind: 'console', default: 'off', appliesBy: 'none', description: 'The console in the browser, for who has its code: `on` is /supervisor/console of the port, `ADDRESS:PORT` such as 0.0.0.0:9000 a port of its own instead, without TLS. `off`: `supervisor console` opens it for an hour.' },
  CONSOLE_CODE: { kind: 'text', min: 16, secret: true, only: 'environment', appliesBy: 'container', description: 'The code of the console, at least 16 characters, where no command can show one; made and renewed when not given.' },
  STOP_GRACE_PERIOD: { kind: 'integer', default: '10', min: 2, max: 3600, appliesBy: 'none', description: 'Seconds from SIGTERM to the SIGKILL of the platform (`docker stop -t`); the stop ends before it.' },
} as const satisfies Record<string, Setting>

export type SettingName = keyof typeof settingsTable
export const settingNames = Object.keys(settingsTable) as SettingName[]
export const settingOf = (name: SettingName): Setting => settingsTable[name]
/** The names of a setting in the environment: each may also be that of a file, with _FILE. */
export const namesOf = (name: SettingName): readonly string[] => {
  const { alias } = settingOf(name)
  return alias === undefined ? [name] : [name, alias]
}
/** All names of all settings in the environment, without those of files. */
export const variableNames: readonly string[] = settingNames.flatMap(namesOf)

export type Source = 'default' | 'file' | 'environment'
export type Value = { readonly value: string | undefined; readonly source: Source }
export type Values = Readonly<Record<SettingName, Value>>
export type Environment = Readonly<Record<string, string | undefined>>
export const isSetting = (name: string): name is SettingName => Object.hasOwn(settingsTable, name)

export const databaseSettings = [
  'POSTGRES_HOST',
  'POSTGRES_PORT',
  'POSTGRES_DB',
  'POSTGRES_USER',
  'POSTGRES_PASSWORD',
  'POSTGRES_SSLMODE',
  'POSTGRES_SSLROOTCERT',
] as const
/**
 * Those that say which database; the others say how to connect to it, also beside a DATABASE_URL,
 * unless the file has them for another one.
 */
export const namesDatabase = (name: SettingName): boolean =>
  name !== 'POSTGRES_SSLMODE' && name !== 'POSTGRES_SSLROOTCERT'

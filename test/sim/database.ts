import './hashing.ts'
import '../../src/units/fingerprint.ts'
import { bootstrapPassword } from '../../src/units/postgres/connection.ts'
import { scramVerifier } from '../../src/units/postgres/scram.ts'

/** What a server holds of Mathesar: enough to answer the supervisor's queries. */
export type Data = {
  /** Names the cluster. */
  readonly id: string
  /** The verifier of the superuser's password. */
  readonly verifier: string
  readonly roles: readonly string[]
  readonly databases: readonly string[]
  /** What Mathesar's role did to itself or to its database, each as the command that undoes it. */
  readonly undone: readonly string[]
  readonly hasSelfGrant: boolean
  /** `undefined` without the table. */
  readonly migrations: readonly string[] | undefined
  readonly rows: number
  /** It takes no writes: the installation leaves it, or has left it. */
  readonly isClosed: boolean
  /** The key that encrypted what is stored. */
  readonly key: string | undefined
}

const templateVerifier = scramVerifier(bootstrapPassword, Buffer.from('template'))

export const emptyData = (id: string): Data => ({
  id,
  verifier: templateVerifier,
  roles: ['postgres'],
  databases: ['postgres'],
  undone: [],
  hasSelfGrant: false,
  migrations: undefined,
  rows: 0,
  isClosed: false,
  key: undefined,
})

/** An error of Postgres, with its SQLSTATE. */
export class PostgresError extends Error {
  readonly code: string
  readonly severity = 'FATAL'
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** An error of the connection. */
export class ConnectionError extends Error {
  readonly code: string | undefined
  constructor(code: string | undefined, message: string) {
    super(message)
    this.code = code
  }
}

export type Row = Readonly<Record<string, unknown>>
/** `next` is what the query makes of the data. */
export type Answer = { readonly rows: readonly Row[]; readonly next?: Data }

export const internalDatabase = 'mathesar_django'
export const appRole = 'mathesar'

const found = (isFound: boolean): Answer => ({ rows: isFound ? [{}] : [] })

type Rule = readonly [
  pattern: RegExp,
  answer: (data: Data, values: readonly unknown[], match: RegExpExecArray) => Answer,
]

const rules: readonly Rule[] = [
  [/^SELECT 1$/, () => found(true)],
  [/pg_create_physical_replication_slot/, () => ({ rows: [{ lsn: '0/1000000' }] })],
  [/^SELECT pg_catalog.pg_stat_clear_snapshot/, () => found(true)],
  [/^SELECT application_name AS step,/, () => found(false)],
  [/^SET statement_timeout = 0$|^SELECT pg_terminate_backend|^DROP DATABASE|^COMMENT ON/, () => found(false)],
  [/^SELECT datname AS name, left\(shobj_description/, () => found(false)],
  [/^SELECT sum\(pg_database_size/, () => ({ rows: [{ bytes: 1 }] })],
  [
    /^SELECT pg_current_wal_lsn\(\)/,
    () => ({ rows: [{ startLsn: '0/1000000', startFile: '000000010000000000000001' }] }),
  ],
  [/^SELECT pg_current_xact_id/, () => found(true)],
  [/^SELECT pg_switch_wal/, () => ({ rows: [{ lsn: '0/2000000' }] })],
  [/^SELECT to_char\(pg_last_xact_replay/, () => ({ rows: [{ at: null }] })],
  [/^SELECT count\(\*\) FROM pg_class/, () => found(true)],
  [/^SELECT pg_reload_conf/, () => found(true)],
  [/^SELECT setting::float8 >= 1048576/, () => ({ rows: [{ keeps: true }] })],
  [
    /^SELECT datname AS name FROM pg_database WHERE datallowconn/,
    ({ databases }) => ({ rows: databases.map((name) => ({ name })) }),
  ],
  [/^SELECT pg_database_size/, () => ({ rows: [{ bytes: '1' }] })],
  [/FROM mathesar_database JOIN/, () => ({ rows: [{ behind: '0', hasPast: false }] })],
  [/^CREATE DATABASE "/, () => found(false)],
  [/FROM pg_authid WHERE rolname = 'postgres'/, ({ verifier }) => ({ rows: [{ rolpassword: verifier }] })],
  [
    /^ALTER ROLE postgres PASSWORD '([^']+)'$/,
    (data, _, [, verifier = '']) => ({ rows: [], next: { ...data, verifier } }),
  ],
  [
    /^\s*SELECT split_part\(current_setting\('server_version'\)/,
    () => ({ rows: [{ version: '17.0', locale: 'und', collation: 'ICU 1', databases: [], stale: [] }] }),
  ],
  [/AS "usedMs"/, () => ({ rows: [{ usedMs: null }] })], // Nobody is connected beside us.
  [/FROM pg_roles WHERE rolname = \$1$/, ({ roles }, [name]) => found(roles.includes(String(name)))],
  [
    /FROM pg_database WHERE datname = \$1$/,
    ({ databases }, [name]) => found(databases.includes(String(name))),
  ],
  [
    /^CREATE ROLE (\w+) /,
    (data, _, [, name = '']) => ({ rows: [], next: { ...data, roles: [...data.roles, name] } }),
  ],
  [
    /^CREATE DATABASE (\w+) /,
    (data, _, [, name = '']) => ({ rows: [], next: { ...data, databases: [...data.databases, name] } }),
  ],
  [/^\s*SELECT CASE WHEN setrole = 0/, ({ undone }) => ({ rows: undone.map((command) => ({ command })) })],
  [
    /^ALTER DATABASE "\w+" RESET default_transaction_read_only$/,
    (data) => ({ rows: [], next: { ...data, isClosed: false } }),
  ],
  [
    /^ALTER (ROLE|DATABASE) \w+ (RESET ALL|ALLOW_CONNECTIONS|OWNER TO)|^GRANT ALL ON DATABASE/,
    (data, _, { input }) => ({
      rows: [],
      next: { ...data, undone: data.undone.filter((command) => command !== input) },
    }),
  ],
  [
    /^SELECT FROM pg_settings WHERE name = 'createrole_self_grant'/,
    ({ hasSelfGrant }) => found(!hasSelfGrant),
  ],
  [
    /^ALTER ROLE \w+ SET createrole_self_grant/,
    (data) => ({ rows: [], next: { ...data, hasSelfGrant: true } }),
  ],
  [/^SELECT pg_catalog.pg_is_in_recovery\(\)/, () => ({ rows: [{ isReplica: false, isReadOnly: false }] })],
  [/^SELECT schema, current_user AS role/, () => found(false)],
  [/^\s*SELECT pg_catalog.set_config\(/, () => found(true)],
  [
    /^SELECT relkind = 'r' AS "isTable"/,
    ({ migrations }) => ({ rows: migrations === undefined ? [] : [{ isTable: true }] }),
  ],
  [
    /FROM django_migrations/,
    ({ migrations }) => {
      if (migrations === undefined)
        throw new PostgresError('42P01', 'relation "django_migrations" does not exist')
      return { rows: migrations.map((migration) => ({ migration })) }
    },
  ],
]

/** What Postgres answers; `undefined` for a query that the model does not know. Locks are the server's. */
export const answerQuery = (data: Data, sql: string, values: readonly unknown[]): Answer | undefined => {
  for (const [pattern, answer] of rules) {
    const match = pattern.exec(sql)
    if (match) return answer(data, values, match)
  }
  return undefined
}

type Tampering = { readonly command: string; readonly code: string; readonly why: string }

/**
 * What Mathesar's role may do to itself and to its database, and what each keeps it from. R12 of the list of
 * faults.
 */
export const tampering: readonly [Tampering, ...Tampering[]] = [
  { command: `ALTER ROLE ${appRole} RESET ALL`, code: '58P01', why: 'could not access file "x"' },
  {
    command: `ALTER DATABASE ${internalDatabase} ALLOW_CONNECTIONS true CONNECTION LIMIT -1`,
    code: '55000',
    why: `database "${internalDatabase}" is not currently accepting connections`,
  },
  {
    command: `GRANT ALL ON DATABASE ${internalDatabase} TO ${appRole}`,
    code: '42501',
    why: `permission denied for database "${internalDatabase}"`,
  },
]

/** Why a login fails that needs nothing but the data. */
export const whyNoLogin = (data: Data, user: string, database: string): PostgresError | undefined => {
  if (!data.roles.includes(user)) return new PostgresError('28000', `role "${user}" does not exist`)
  if (!data.databases.includes(database))
    return new PostgresError('3D000', `database "${database}" does not exist`)
  if (user !== appRole || database !== internalDatabase) return undefined
  const tampered = tampering.find(({ command }) => data.undone.includes(command))
  return tampered && new PostgresError(tampered.code, tampered.why)
}

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { carry } from '../../src/operations/promote/carry.ts'
import { copyTo } from '../../src/operations/promote/promote.ts'
import { type MoveScope, sourceOf } from '../../src/operations/promote/source.ts'
import { type DatabaseUrl, parseDatabaseUrl } from '../../src/settings/database-url.ts'
import { openKernel } from '../../src/system/kernel.ts'
import { createLog } from '../../src/system/log.ts'
import { createProcesses } from '../../src/system/process.ts'
import { createStreams } from '../../src/system/streams.ts'
import { createBase, createSystem } from '../../src/system/system.ts'
import { createScope, placeOf, singleUser } from '../unit/fakes/scope.ts'
import { readFile } from '../unit/configurations.ts'
import { postgresBin } from './daemon.ts'
import { startPostgres } from './postgres.ts'

const password = 'a password'

/** The folder of another version of Postgres to move to, which has no programs for clients. */
const target = process.env.TEST_TARGET_POSTGRES ?? ''
const bin = target === '' ? {} : { bin: `${target}/bin` }

/** What is asked of Mathesar's own tables, with nothing in it but one database. */
const mathesar = (port: number, database: string): string => `
  CREATE TABLE mathesar_server (id int PRIMARY KEY, host text, port int);
  CREATE TABLE mathesar_database (id int PRIMARY KEY, name text, server_id int);
  CREATE TABLE mathesar_configuredrole (id int PRIMARY KEY, name text, server_id int);
  INSERT INTO mathesar_server VALUES (1, '127.0.0.1', ${port});
  INSERT INTO mathesar_database VALUES (1, '${database}', 1)`

const realSystem = (): MoveScope['system'] => {
  const kernel = openKernel()
  const processes = createProcesses(kernel)
  const sink = { write: () => {}, behind: Promise.resolve(), onDropped: () => {} }
  return {
    ...createSystem(createBase(kernel), processes, createLog(sink, 'text', 'warn')),
    ...createStreams({ own: processes.own, kernel }),
  }
}

/** Before Postgres 16 the long names of these options are others, and before 17 there is none of the last. */
const pgDump = `#!/bin/sh
for option; do shift; case $option in
  --large-objects) option=-b;;
  --no-large-objects) option=-B;;
  --exclude-extension=*) continue;;
esac; set -- "$@" "$option"; done
exec ${postgresBin}/pg_dump "$@"
`

/** The programs, and a Python whose Mathesar finds everything in order. */
const makePrograms = (folder: string): string => {
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  symlinkSync(`${postgresBin}/psql`, join(bin, 'psql'))
  for (const [name, script] of [
    ['pg_dump', pgDump],
    ['python3', '#!/bin/sh\n'],
  ] as const)
    writeFileSync(join(bin, name), script, { mode: 0o755 })
  return bin
}

const makeScope = (folder: string, port: number): MoveScope => {
  const place = placeOf({
    identities: singleUser,
    environment: { PATH: process.env.PATH! },
  })
  const data = join(folder, 'data')
  mkdirSync(data)
  const bin = makePrograms(folder)
  const paths = { ...place.paths, data, postgresBin: bin, pythonBin: bin, app: folder }
  const url = `postgres://mathesar:a%20password@127.0.0.1:${port}/mathesar_django?sslmode=disable`
  const config = readFile(`DATABASE_URL=${url}\n`)
  const { scope } = createScope({ config })
  const real = { ...scope, place: { ...place, paths }, system: realSystem() }
  return { ...real, source: sourceOf(real, config.database) }
}

/** What happens once the copy ahead is there. */
type Meanwhile = { readonly meanwhile?: () => Promise<unknown>; readonly isLeft?: boolean }

/**
 * An installation on an external Postgres, connected to the database `shop` there, and another server: moves
 * to it run here, without a supervisor and without Mathesar.
 */
export const startMoves = async () => {
  const folder = mkdtempSync('/tmp/moves-')
  const left = await startPostgres('mathesar', password)
  const other = await startPostgres('admin', password, undefined, bin)
  await left.query('CREATE DATABASE mathesar_django')
  await left.query(mathesar(left.port, 'shop'), 'mathesar_django')
  const scope = makeScope(folder, left.port)
  const url = parseDatabaseUrl(`postgres://admin:a%20password@127.0.0.1:${other.port}/postgres`)
  return {
    left,
    other,
    scope,
    url: { ...url, sslmode: 'disable' } satisfies DatabaseUrl,
    /** One that lasts, on the server that is left. */
    openSession: async (database: string): Promise<pg.Client> => {
      const client = new pg.Client({
        host: '127.0.0.1',
        port: left.port,
        user: 'mathesar',
        password,
        database,
      })
      client.on('error', () => {}) // It may be ended.
      await client.connect()
      return client
    },
    /** The whole way, up to where the settings would name the other server. */
    move: async ({ meanwhile, isLeft = false }: Meanwhile = {}) => {
      const said: string[] = []
      const say = (text: string): void => void said.push(text)
      const complete = async (to: DatabaseUrl): Promise<void> => {
        await meanwhile?.()
        const inForce = { ...scope.inForce, database: { kind: 'external', ...to } } as const
        said.push(...(await carry({ ...scope, inForce }, { say, seconds: 60, isLeft })))
      }
      const { there } = await copyTo(scope, { ...url, sslmode: 'disable' }, { say, complete, isLeft })
      return { said, there }
    },
    stop: async () => {
      await left.stop()
      await other.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

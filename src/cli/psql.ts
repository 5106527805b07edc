import { files } from '../system/files.ts'
import { inRun, internalDatabase, inVolume } from '../units/context.ts'
import { runInTerminal } from './exec.ts'
import { readSetup } from './setup.ts'

export const run = async (args: readonly string[]): Promise<number> => {
  const { paths, database } = await readSetup(process.env)
  const connection = database.kind === 'embedded'
    ? { PGHOST: inRun(paths).postgresSocket, PGUSER: 'postgres', PGDATABASE: internalDatabase, PGPASSWORD: files.readIfThere(`${inVolume(paths).secrets}/postgres_password`) }
    : { PGHOST: database.host, PGPORT: String(database.port), PGUSER: database.user, PGDATABASE: database.name, PGPASSWORD: database.password, PGSSLMODE: database.sslmode, PGSSLROOTCERT: database.sslrootcert }
  return await runInTerminal(['psql', ...args], { env: { PATH: process.env.PATH, LANG: 'C.UTF-8', TERM: process.env.TERM, HOME: inVolume(paths).temporary, ...connection } })
}

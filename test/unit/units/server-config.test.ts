import { describe, expect, test } from 'vitest'
import { serverConfig } from '../../../src/units/postgres/config.ts'
import { readFile } from '../configurations.ts'
import { failureOf } from '../failure.ts'
import { createScope, externalDatabase, never, placeOf, rootIdentities, singleUser } from '../fakes/scope.ts'

const run = async (...options: Parameters<typeof createScope>) => {
  const at = createScope(...options)
  await serverConfig.run(at.scope, never)
  const text = at.disk.text('/run/m/etc/postgresql.conf') ?? ''
  const parameters = Object.fromEntries(
    text.split('\n').map((line) => /^(\w+) = '(.*)'$/.exec(line)?.slice(1) ?? ['', '']),
  )
  return { ...at, parameters }
}

describe('the task `server-config`', () => {
  test('fits Postgres to the machine, and has it keep no password in the clear', async () => {
    const { parameters } = await run()
    expect(parameters).toMatchObject({
      password_encryption: 'scram-sha-256',
      max_connections: '100',
      shared_buffers: '256MB',
    })
    expect(parameters).not.toHaveProperty('work_mem')
  })

  test('keeps summaries of its log as long as a backup of the schedule may build on another', async () => {
    const summarizes = async (options: Parameters<typeof createScope>[0]): Promise<unknown> =>
      (await run(options)).parameters.summarize_wal
    expect(await summarizes({})).toBe('on')
    expect(await summarizes({ config: 'BACKUP_FULL_EVERY=0\n' })).toBeUndefined()
    expect(await summarizes({ config: 'BACKUP_SCHEDULE=off\n' })).toBeUndefined()
    const paths = { ...placeOf().paths, postgresBin: '/usr/lib/postgresql/16/bin' }
    expect(await summarizes({ place: { paths } })).toBeUndefined()
  })

  test('refuses a copy that follows another server, and names the file and the command', async () => {
    const { scope, disk } = createScope()
    disk.put('/data/postgres/standby.signal', '')
    const { code, message, hint } = await failureOf(() => serverConfig.run(scope, never))
    expect([code, message]).toEqual([
      'CLUSTER_UNUSABLE',
      expect.stringContaining('/data/postgres/standby.signal is there'),
    ])
    expect(hint).toContain('--entrypoint rm IMAGE /data/postgres/standby.signal`')
  })

  test('goes by the settings before what fits the machine', async () => {
    const { parameters } = await run({
      config: `EMBEDDED_POSTGRES_SHARED_BUFFERS=64
EMBEDDED_POSTGRES_WORK_MEM=8
EMBEDDED_POSTGRES_LOG_SLOW=0
EMBEDDED_POSTGRES_MAX_CONNECTIONS=20
`,
    })
    expect(parameters).toMatchObject({
      shared_buffers: '64MB',
      work_mem: '8MB',
      log_min_duration_statement: '0',
      max_connections: '20',
    })
  })

  test('tells apart by the kernel who calls, where each service has a user', async () => {
    const { disk } = await run()
    expect(disk.text('/run/m/etc/pg_hba.conf')).toBe(
      [
        'local all postgres peer map=superuser',
        'local replication postgres peer map=superuser',
        'local all mathesar peer map=app',
        'local all all scram-sha-256',
        '',
      ].join('\n'),
    )
    expect(disk.text('/run/m/etc/pg_ident.conf')).toBe(
      [
        'superuser root postgres',
        'superuser postgres postgres',
        'app root mathesar',
        'app mathesar mathesar',
        '',
      ].join('\n'),
    )
  })

  test('names a user once who is two', async () => {
    const nobody = { name: 'nobody', uid: 65534, gid: 65534 }
    const { disk } = await run({
      place: { identities: { ...rootIdentities, supervisor: nobody, postgres: nobody, mathesar: nobody } },
    })
    expect(disk.text('/run/m/etc/pg_ident.conf')).toBe('superuser nobody postgres\napp nobody mathesar\n')
  })

  test('asks the superuser for a password where there is one user', async () => {
    const { disk } = await run({ place: { identities: singleUser } })
    expect(disk.text('/run/m/etc/pg_hba.conf')).toBe(
      [
        'local all postgres scram-sha-256',
        'local replication postgres scram-sha-256',
        'local all mathesar trust',
        'local all all scram-sha-256',
        '',
      ].join('\n'),
    )
    expect(disk.text('/run/m/etc/pg_ident.conf')).toBe('')
  })

  test('is left out with an external database', () => {
    expect(serverConfig.skip!(readFile(externalDatabase), placeOf())).toBe('the database is external')
    expect(serverConfig.skip!(readFile(''), placeOf())).toBeUndefined()
  })
})

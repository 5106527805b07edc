import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { SupervisorError } from '../errors.ts'
import { withAdmin } from '../units/mathesar/environment.ts'
import { unsyncedMark } from '../units/postgres/cluster.ts'
import { bootstrapPassword, withDatabase } from '../units/postgres/connection.ts'
import type { Brought } from './run/instance.ts'
import { runDaemon } from './run/daemon.ts'
import { environment } from '../system/environment.ts'
import { readPaths } from '../system/paths.ts'
import { catchSignals } from '../system/signals.ts'

const listMigrations = `
import django, json
django.setup()
from django.db.migrations.loader import MigrationLoader
print(json.dumps(sorted(f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations)))
`

/**
 * Boots into a scratch volume up to the migrations, stops in order, and packs the data directory:
 * what a first boot unpacks.
 */
export const run = async (): Promise<number> => {
  const { execa } = await import('execa')
  const paths = readPaths(environment)
  const scratch = '/tmp/bake'
  const env = {
    ...environment,
    SUPERVISOR_DATA: scratch,
    SUPERVISOR_RUN: `${scratch}/run`,
    SUPERVISOR_SHARE: `${scratch}/share`,
    SECRET_KEY: 'used-while-baking-and-never-again',
    // No platform waits for the end of it, and a checkpoint on a busy disk takes its time.
    STOP_GRACE_PERIOD: '600',
  }
  // Each installation replaces this password before anything but the supervisor can connect.
  mkdirSync(`${scratch}/secrets`, { recursive: true, mode: 0o700 })
  writeFileSync(`${scratch}/secrets/postgres_password`, bootstrapPassword)
  // The key of the bake is nobody's: no installation may be asked for it.
  const act = async (brought: Brought): Promise<void> =>
    await withDatabase(brought, async (client) => {
      await client.query('COMMENT ON TABLE django_migrations IS NULL')
    })
  const until = { unit: 'migrations', whenCutOff: 'INTERNAL', act } as const
  const exitCode = await runDaemon(catchSignals(), env, { until })
  if (exitCode !== 0)
    throw new SupervisorError('INTERNAL', `cannot bake: the boot ended with exit code ${exitCode}`)
  mkdirSync(paths.share, { recursive: true })
  await execa('tar', [
    '--create',
    '--use-compress-program=zstd -12',
    '--file',
    `${paths.share}/cluster.tar.zst`,
    '--directory',
    `${scratch}/postgres`,
    '--exclude=./postmaster.opts',
    `--exclude=${unsyncedMark('.')}`,
    '--sort=name',
    '--owner=0',
    '--group=0',
    '.',
  ])
  const { stdout } = await execa(`${paths.pythonBin}/python3`, ['-c', listMigrations], {
    cwd: paths.app,
    env: {
      ...withAdmin,
      SECRET_KEY: 'unused',
      DJANGO_SETTINGS_MODULE: 'config.settings.production',
      POSTGRES_HOST: 'unused',
      POSTGRES_DB: 'unused',
      POSTGRES_USER: 'unused',
    },
  })
  writeFileSync(`${paths.share}/migrations.json`, `${stdout.trim().split('\n').at(-1)}\n`)
  rmSync(scratch, { recursive: true })
  process.stdout.write(`baked ${paths.share}\n`)
  return 0
}

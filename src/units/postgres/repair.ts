import { SupervisorError } from '../../errors.ts'
import { inRun, inVolume } from '../place.ts'
import type { Scope } from '../unit.ts'
import { asSuperuser } from './connection.ts'
import { codeOf, isAnswer, sentenceOf } from './failures.ts'
import { postgresEnvironment } from './programs.ts'

/**
 * The theory of the repair.
 *
 * The superuser may be locked out: a dump of another server gave it another password, or somebody took its
 * right to log in. It is ours, so its login is put right.
 *
 * Where there is but one user, Postgres asks for the password, and for a moment it does not: nothing of
 * Mathesar serves yet. Where Postgres has a user of its own it asks for none, and a login that is forbidden
 * can be permitted in single-user mode alone, which needs the cluster to itself. So the task `database`,
 * which meets the refusal, leaves a file of commands and stops the server; whoever starts it next runs them
 * first.
 */
export const isLockedOut = (error: unknown): boolean => isAnswer(error) && codeOf(error).startsWith('28')

const commandsFile = ({ paths }: Scope['place']): string => `${inRun(paths).etc}/repair.sql`

/** In single-user mode a line is a command. */
const commands = [
  "DO $$ BEGIN IF to_regrole('postgres') IS NULL THEN CREATE ROLE postgres; END IF; END $$",
  'ALTER ROLE postgres SUPERUSER LOGIN',
]

/** Tells the server something, as its user: what its lock file says of a process is not an order to root. */
const control = async (
  { system, place }: Scope<never>,
  ...[argument, ...others]: readonly [string, ...string[]]
): Promise<void> => {
  const { cluster } = inVolume(place.paths)
  const argv = [`${place.paths.postgresBin}/pg_ctl`, argument, ...others, '-D', cluster, '--silent'] as const
  await system.runProgram('database', {
    argv,
    env: postgresEnvironment(place),
    user: place.identities.postgres,
    cwd: cluster,
  })
}

/** How long the server may take to read its configuration again, and to stop and start. */
const reloadLimitMs = 5000
const restartLimitMs = 60_000

/** Sets our password while the server asks for none. */
const setPasswordUnasked = async (
  scope: Scope<'secrets' | 'cluster'>,
  signal: AbortSignal,
): Promise<void> => {
  const { system, place, results } = scope
  const { files, clock } = system
  const { scramVerifier } = await import('./scram.ts')
  const verifier = scramVerifier(results.secrets.superuserPassword!)
  const path = `${inRun(place.paths).etc}/pg_hba.conf`
  const strict = files.readIfThere(path) ?? ''
  files.writeWhole(path, `local all postgres trust\n${strict}`, 0o644)
  try {
    await control(scope, 'reload')
    for (const endMs = clock.elapsed() + reloadLimitMs; ; await clock.delay(100, signal)) {
      try {
        return await asSuperuser(scope, async (client) => {
          await client.query(`ALTER ROLE postgres VALID UNTIL 'infinity' PASSWORD '${verifier}'`)
        })
      } catch (error) {
        if (codeOf(error) !== '28P01' || clock.elapsed() > endMs) throw error
      }
    }
  } finally {
    files.writeWhole(path, strict, 0o644)
    await control(scope, 'reload')
  }
}

/** What to type where the superuser may not log in, and Postgres runs as a user without a name. */
const refusalUnnamed = ({ place }: Scope<never>, refusal: unknown): SupervisorError => {
  const { cluster } = inVolume(place.paths)
  const { uid, gid } = place.identities.supervisor
  return new SupervisorError(
    'CLUSTER_UNUSABLE',
    `cannot use the cluster in ${cluster}: ${sentenceOf(refusal)}`,
    {
      hint:
        'Permit its login in single-user mode: `docker run --rm --user 0 --volumes-from CONTAINER ' +
        `--entrypoint sh IMAGE -c 'echo x:x:${uid}:${gid}::/: >> /etc/passwd; echo "ALTER ROLE postgres ` +
        `SUPERUSER LOGIN" | setpriv --reuid ${uid} --regid ${gid} --clear-groups postgres --single -D ` +
        `${cluster} template1'\`, and start again.`,
    },
  )
}

/** Puts the login of the superuser right; resolves when that was tried. */
export const repairLogin = async (
  scope: Scope<'secrets' | 'cluster'>,
  refusal: unknown,
  signal: AbortSignal,
): Promise<void> => {
  const {
    system: { files, log, clock },
    place,
  } = scope
  log.say('warn', `the superuser of Postgres is locked out (${sentenceOf(refusal)}): its login is put right`)
  if (place.identities.postgres === undefined)
    return await setPasswordUnasked(scope, signal).catch((error: unknown) => {
      throw isLockedOut(error) ? refusalUnnamed(scope, error) : error
    })
  const file = commandsFile(place)
  files.writeWhole(file, commands.map((command) => `${command}\n`).join(''), 0o644)
  await control(scope, 'stop', '--mode=fast', '--no-wait')
  for (const endMs = clock.elapsed() + restartLimitMs; files.isThere(file) && clock.elapsed() < endMs;)
    await clock.delay(50, signal)
}

/** Runs what a refused login has asked for, before the server starts. */
export const repairIfAsked = async (
  { system, place }: Scope<never>,
  parameters: readonly string[],
): Promise<void> => {
  const file = commandsFile(place)
  if (!system.files.isThere(file)) return
  const { cluster } = inVolume(place.paths)
  const postgres = [
    `${place.paths.postgresBin}/postgres`,
    '--single',
    '-D',
    cluster,
    ...parameters,
    'template1',
  ]
  try {
    await system.runProgram('postgres', {
      // Its standard output is a prompt for each command.
      argv: ['sh', '-c', 'exec "$@" < "$0" > /dev/null', file, ...postgres],
      env: postgresEnvironment(place),
      user: place.identities.postgres,
      cwd: cluster,
    })
  } finally {
    system.files.remove(file)
  }
}

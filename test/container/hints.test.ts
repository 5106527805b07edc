import { afterAll, beforeAll, expect, it } from 'vitest'
import { errorTable, type ErrorCode } from '../../src/errors.ts'
import { startDatabaseServer } from '../helpers/database-server.ts'
import {
  cleanUp,
  dataFolder,
  describeContainer,
  docker,
  image,
  leanImage,
  newVolume,
  onVolume,
  start,
  type Box,
  type Options,
  type Result,
} from '../helpers/docker.ts'
import { freePort } from '../helpers/port.ts'

/** Why nobody can follow the hint of an error in a container of these tests. */
const notHere = {
  INTERNAL: 'it is a fault of ours',
  DAEMON_UNREACHABLE: 'it says where to look',
  SERVICE_CRASH_LOOP: 'it says where to look',
  CONFIG_CONFLICT: 'it takes two people: changes.test.ts has them',
  CONFIG_NOT_CHECKED: 'it passes with the limit that made it: config-files.test.ts has it',
  VOLUME_FULL: 'refusals.test.ts follows it',
  CLUSTER_OTHER_MAJOR: 'it takes another image',
  CLUSTER_DAMAGED: 'it takes a backup',
  CLUSTER_UNUSABLE: 'it takes another image',
  CLUSTER_NOT_MADE: 'it says where to look',
  DATABASE_AHEAD: 'it takes another image',
  DATABASE_LOST: 'it passes by itself',
  MIGRATIONS_FAILED: 'it says where to look',
  STOP_NOT_CLEAN: 'refusals.test.ts follows it',
  TLS_INVALID: 'tls.test.ts follows it',
  ADMINISTRATOR_NOT_CREATED: 'it says where to look',
  BACKUP_FAILED: 'it says where to look',
  BACKUP_PLACE_FAILED: 'places.test.ts of the integration has its cases',
  BACKUP_DAMAGED: 'it takes another archive',
  BACKUP_FOREIGN: 'it takes another archive',
  BACKUP_LOCKED: 'backup.test.ts follows it',
  BACKUP_INCOMPLETE: 'backup.test.ts follows it',
  RESTORE_REFUSED: 'backup.test.ts follows it',
  RESCUE_REFUSED: 'rescue.test.ts has its cases',
  TRIAL_FAILED: 'upgrade.test.ts follows it',
  PROMOTE_REFUSED: 'promote.test.ts has its cases',
  PROMOTE_FAILED: 'promote.test.ts follows it',
  PROMOTE_OVERTAKEN: 'promote.test.ts has its case',
  UNDO_REFUSED: 'undo.test.ts has its cases',
  MOVED: 'move.test.ts follows it',
  MOVE_FAILED: 'move.test.ts has its cases',
  VOLUME_TORN: 'torn.test.ts has its cases',
} as const satisfies Partial<Record<ErrorCode, string>>

const followed = new Set<ErrorCode>()

/** The error was told with the hint that is followed next. */
const told = (code: ErrorCode, text: string, hint: string): void => {
  expect(text).toContain(hint)
  followed.add(code)
}

/** The container ended with this error. */
const ends = async (options: Options, code: ErrorCode, hint: string): Promise<void> => {
  const box = await start(options)
  const { exitCode } = errorTable[code]
  expect(await box.ended(), await box.logs()).toBe(exitCode)
  const logs = await box.logs()
  expect(logs).toContain(`exit code ${exitCode} (${code}): cannot `)
  told(code, logs, hint)
  await box.remove()
}

const serves = async (options: Options): Promise<Box> => {
  const box = await start(options)
  await box.ready()
  return box
}

describeContainer('the hint of an error leads to a Mathesar that serves', () => {
  let volume: string
  let box: Box
  beforeAll(async () => {
    volume = await newVolume()
    await ends({ volume, env: { PORT: 'abc' } }, 'SETTING_INVALID', 'Correct the variable and start a new')
    await ends({ volume, env: { POSTGRES_HOST: 'db' } }, 'DATABASE_SETTINGS_PARTIAL', 'or none of them')
    box = await serves({ volume, env: { DEBUG: 'true' }, run: ['--ipc', 'shareable'] })
  })
  afterAll(cleanUp)

  const fails = async (code: ErrorCode, hint: string, ...command: string[]): Promise<void> => {
    const { exitCode, stderr }: Result = await box.supervisor(...command)
    expect([exitCode, stderr]).toEqual([errorTable[code].exitCode, expect.stringContaining(hint)])
    told(code, stderr, hint)
  }

  it('of a command', async () => {
    await fails('USAGE', '`supervisor --help`', 'dance')
    expect((await box.supervisor('--help')).exitCode).toBe(0)
    await fails('UNIT_UNKNOWN', '`supervisor status` for the names', 'restart', 'dance')
    const [name] = /^mathesar/m.exec((await box.supervisor('status')).stdout)!
    expect((await box.supervisor('restart', name)).exitCode).toBe(0)
  })

  it('of a change', async () => {
    const file = '/var/lib/mathesar/config/mathesar.env'
    await box.sh(`printf 'WEB_CONCURRENCY=x\\n' > /tmp/new`)
    await fails('CONFIG_INVALID', 'Correct the line that is named', 'config', 'validate', '/tmp/new')
    await box.sh(`printf 'WEB_CONCURRENCY=2\\n' > /tmp/new`)
    expect((await box.supervisor('config', 'validate', '/tmp/new')).exitCode).toBe(0)
    const incomplete = 'SSO_CONFIG_DICT={"version":2,"providers":{"one":{"type":"saml"}}}'
    await fails('CONFIG_ROLLED_BACK', '`supervisor logs mathesar` shows why', 'config', 'set', incomplete)
    expect((await box.supervisor('logs', 'mathesar')).stdout).toContain(
      'single sign-on: Mathesar uses 0 of 1',
    )
    expect((await box.exec('cat', file)).stdout).not.toContain('saml')
    expect((await box.supervisor('health')).exitCode).toBe(0)
  })

  it('of what the container is given', async () => {
    const port = String(box.port)
    await ends({ env: { PORT: port } }, 'PORT_IN_USE', '`-e PORT=8001`')
    await ends({ run: ['--cap-drop', 'ALL'] }, 'PRIVILEGES_INSUFFICIENT', '`--user 1000:0`')
    await serves({ env: { PORT: String(await freePort()) }, run: ['--cap-drop', 'ALL', '--user', '1000:0'] })
    const shared = ['--ipc', `container:${box.id}`]
    await ends({ run: shared }, 'RUN_FOLDER_IN_USE', '`--tmpfs /run/mathesar`')
    await serves({ run: [...shared, '--tmpfs', '/run/mathesar'] })
  })

  it('of a volume', async () => {
    await fails('SETTING_PINNED', 'Start a new container on the same volume', 'config', 'set', 'DEBUG=false')
    await ends({ volume }, 'VOLUME_IN_USE', 'Stop the other container on this volume')
    const beside = ['run', '--rm', '--network=none', '-v', `${volume}:${dataFolder}`, image, 'backup', '-']
    expect(await docker(...beside)).toMatchObject({
      exitCode: 32,
      stdout: '',
      stderr: expect.stringContaining('`docker exec CONTAINER supervisor backup > FILE`'),
    })
    expect((await box.stop()).exitCode).toBe(0)
    await onVolume(volume, 'mv secrets/secret_key kept')
    await ends({ volume }, 'SECRETS_MISSING', 'Put the file back from a backup')
    const SECRET_KEY = 'another-0123456789-0123456789-0123456789-0123456789'
    await ends({ volume, env: { SECRET_KEY } }, 'DATABASE_OTHER_KEY', 'Give the key that it was made with')
    await onVolume(volume, 'mv kept secrets/secret_key')
    box = await serves({ volume })
    expect((await box.supervisor('config', 'set', 'DEBUG=false')).exitCode).toBe(0)
  })

  it('of a volume that this user may not write', async () => {
    const closed = await newVolume()
    // Docker gives the owner and mode of the image to one that is empty.
    await onVolume(closed, 'touch kept && chown 0:0 . && chmod 0755 .')
    const options = { volume: closed, run: ['--user', '12345:0'] }
    await ends(options, 'VOLUME_NOT_WRITABLE', 'chown -R')
    await onVolume(closed, 'chown -R 12345 .')
    await serves(options)
  })

  it('of an external database', async () => {
    const port = await freePort()
    const server = await startDatabaseServer(port, 'right')
    const url = (password: string, at = port): Options => ({
      image: leanImage,
      env: {
        DATABASE_URL: `postgres://owner:${password}@127.0.0.1:${at}/postgres`,
        DATABASE_WAIT_TIMEOUT: '20',
      },
    })
    await ends({ image: leanImage }, 'DATABASE_NOT_CONFIGURED', 'or DATABASE_URL')
    const nobody = url('right', await freePort())
    await ends(
      { ...nobody, env: { ...nobody.env, DATABASE_WAIT_TIMEOUT: '0' } },
      'DATABASE_UNREACHABLE',
      '`--add-host host.docker.internal:host-gateway`',
    )
    await ends(url('wrong'), 'DATABASE_REFUSED', 'POSTGRES_PASSWORD')
    await serves(url('right'))
    await server.remove()
  })

  it('was followed for each error, but where that cannot be done here', () => {
    expect([...followed, ...Object.keys(notHere)].sort()).toEqual(Object.keys(errorTable).sort())
  })
})

describeContainer('a program that is given as the command', () => {
  afterAll(cleanUp)

  it('is told how to run in place of the supervisor', async () => {
    const box = await start({ args: ['bash'] })
    expect(await box.ended()).toBe(2)
    const [, entrypoint] = /`docker run -it --entrypoint (\S+) IMAGE`/.exec(await box.logs())!
    const shell = await docker('run', '--rm', '--entrypoint', entrypoint!, leanImage, '-c', 'echo there')
    expect(shell.stdout).toBe('there')
  })
})

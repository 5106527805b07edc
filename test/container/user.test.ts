import { expect, it } from 'vitest'
import {
  browse,
  checksumOf,
  cleanUpAfterEach,
  clusterState,
  dataFolder,
  describeContainer,
  docker,
  image,
  logIn,
  makeAdmin,
  newVolume,
  onVolume,
  start,
  stopLimitMs,
} from '../helpers/docker.ts'

const strict = [
  '--user',
  '12345:0',
  '--read-only',
  '--cap-drop',
  'ALL',
  '--security-opt',
  'no-new-privileges',
  '--no-healthcheck', // Until it has become another user, the engine's own process there is root's.
]
const socket = '/run/mathesar/postgres'

describeContainer('any user', () => {
  cleanUpAfterEach()

  it.each([
    ['with a named volume', []],
    ['with a tmpfs on /run', ['--tmpfs', '/run']],
    ['with a tmpfs on /run/mathesar', ['--tmpfs', '/run/mathesar']],
  ] as const)(
    'boots, stops clean and boots again on a read-only root without capabilities, %s',
    async (_, more) => {
      const volume = await newVolume()
      const box = await start({ volume, run: [...strict, ...more] })
      await box.ready()
      expect(await browse(box).get('/auth/login/')).toMatchObject({ status: 302 })
      expect((await box.sh('cat /proc/[0-9]*/status | grep ^Uid: | sort -u')).stdout).toMatch(
        /^Uid:\s+12345\s+12345\s+12345\s+12345$/,
      )
      expect((await box.supervisor('status')).exitCode).toBe(0)
      expect(await box.supervisor('psql', '-tAc', 'select current_user')).toMatchObject({
        exitCode: 0,
        stdout: 'mathesar',
      })
      expect((await box.supervisor('manage', 'check')).exitCode).toBe(0)
      for (const command of ['status', 'manage']) {
        const asRoot = await docker('exec', '--user', '0', box.id, 'supervisor', command)
        expect(asRoot.stderr).toContain('`docker exec -u 12345 …`')
      }
      const { exitCode, ms } = await box.stop()
      expect(exitCode, await box.logs()).toBe(0)
      expect(ms).toBeLessThan(stopLimitMs)
      expect(await clusterState(volume)).toBe('shut down')
      await box.startAgain()
      await box.ready()
      expect((await box.stop()).exitCode).toBe(0)
    },
  )

  it('may be given as PUID and PGID, also for a volume that root has made', async () => {
    const volume = await newVolume()
    const first = await start({ volume })
    await first.ready()
    await makeAdmin(first)
    await first.stop()
    await first.remove()

    const env = { PUID: '1234', PGID: '100', UMASK: '027' }
    const box = await start({ volume, env, run: ['--no-healthcheck'] })
    await box.ready()
    await logIn(box)
    expect((await box.sh('cat /proc/[0-9]*/status | grep -E "^(Uid|Groups):" | sort -u')).stdout).toMatch(
      // The look itself is root's.
      /^Groups:\s+0\s*\nGroups:\s+100\s*\nUid:\s+0.*\nUid:\s+1234\s+1234\s+1234\s+1234$/,
    )
    const of = () => onVolume(volume, "find . -printf '%U:%G\\n' | sort -u")
    expect(await of()).toBe('1234:100')
    expect((await box.supervisor('backup', 'volume')).exitCode).toBe(0)
    expect(await of()).toBe('1234:100')
    expect((await box.supervisor('status')).exitCode).toBe(0)
    expect((await box.stop()).exitCode).toBe(0)
    await box.remove()

    const root = await start({ volume })
    expect(await root.ended()).toBe(30)
    expect(await root.logs()).toContain('`-e PUID=1234`')
    const odd = await start({ volume, env: { PUID: 'alice' } })
    expect(await odd.ended()).toBe(20)
    expect(await odd.logs()).toContain('PUID: "alice" is not a whole number')

    const restore = ['--volume', `${volume}:${dataFolder}`, image, 'restore', 'newest', '--replace']
    expect(await docker('run', '--rm', '--network=none', ...restore)).toMatchObject({ exitCode: 0 })
    const restored = await start({ volume, env: { PUID: '1234', PGID: '100' } })
    await restored.ready()
    expect(await of()).toBe('1234:100')
  })

  it('keeps its volume: a start as root is exit code 30 and changes nothing there', async () => {
    const volume = await newVolume()
    const first = await start({ volume, run: strict })
    await first.ready()
    await makeAdmin(first)
    expect((await first.stop()).exitCode).toBe(0)
    await first.remove()
    const look = (): Promise<string> =>
      onVolume(volume, "find . ! -name .lock ! -path './tmp/*' -printf '%p %U:%G %m %T@\\n' | sort")
    const before = [await look(), await checksumOf(volume)]
    for (const env of [{}, { LOG_LEVEL: 'debug', EMBEDDED_POSTGRES_WORK_MEM: '5' }]) {
      const root = await start({ volume, env })
      expect(await root.ended()).toBe(30)
      expect(await root.logs()).toMatch(
        /exit code 30 \(VOLUME_NOT_WRITABLE\): cannot use .* belongs to user 12345,.*\n.*--user 12345:0/,
      )
      expect([await look(), await checksumOf(volume)]).toEqual(before)
    }
    const again = await start({ volume, run: strict })
    await again.ready()
    await logIn(again)
    expect((await again.stop()).exitCode).toBe(0)
  })

  it('does not reach the superuser of Postgres without its password', async () => {
    const box = await start({ run: strict })
    await box.ready()
    const psql = (user: string, ...env: string[]) =>
      docker(
        'exec',
        ...env.flatMap((pair) => ['--env', pair]),
        box.id,
        'psql',
        '-w',
        '-h',
        socket,
        '-U',
        user,
        '-d',
        'mathesar_django',
        '-tAc',
        'select current_user',
      )
    expect(await psql('mathesar')).toMatchObject({ exitCode: 0, stdout: 'mathesar' })
    expect(await psql('postgres')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('no password supplied'),
    })
    expect(await psql('postgres', 'PGPASSWORD=bootstrap')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('authentication failed'),
    })
  })
})

describeContainer('root', () => {
  cleanUpAfterEach()

  it("runs each service as its own user; Mathesar's can be no superuser and read no secret", async () => {
    const box = await start()
    await box.ready()
    const uidOf = async (unit: string): Promise<string> =>
      (
        await box.sh(
          `awk '/^(Uid|Gid|Groups|NoNewPrivs|CapEff):/ { $1 = $1; ` +
            `print }' /proc/${(await box.unit(unit)).pid}/status`,
        )
      ).stdout
    expect(await uidOf('postgres')).toMatch(
      /Uid: 5432 .*\nGid: 5432 .*\nGroups:.* 5432\nCapEff: 0+\nNoNewPrivs: 1/,
    )
    expect(await uidOf('mathesar')).toMatch(
      /Uid: 8000 .*\nGid: 8000 .*\nGroups: 8000\nCapEff: 0+\nNoNewPrivs: 1/,
    )
    const asMathesar = (...argv: string[]) =>
      box.exec('setpriv', '--reuid=mathesar', '--regid=mathesar', '--init-groups', '--no-new-privs', ...argv)
    expect(
      await asMathesar(
        'psql',
        '-h',
        socket,
        '-U',
        'mathesar',
        '-d',
        'mathesar_django',
        '-tAc',
        'select current_user',
      ),
    ).toMatchObject({ exitCode: 0, stdout: 'mathesar' })
    expect(await asMathesar('psql', '-w', '-h', socket, '-U', 'postgres', '-tAc', 'select 1')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('authentication failed'),
    })
    expect(
      (
        await asMathesar(
          'psql',
          '-h',
          socket,
          '-U',
          'mathesar',
          '-d',
          'mathesar_django',
          '-c',
          'alter role mathesar superuser',
        )
      ).stderr,
    ).toContain('permission denied')
    expect((await asMathesar('cat', '/var/lib/mathesar/secrets/secret_key')).exitCode).toBe(1)
    expect((await asMathesar('ls', '/var/lib/mathesar/postgres')).exitCode).toBe(2)
  })
})

describeContainer('root with few capabilities', () => {
  cleanUpAfterEach()
  const needed = ['CHOWN', 'DAC_OVERRIDE', 'KILL', 'SETGID', 'SETUID']
  const only = (capabilities: readonly string[]): string[] => [
    '--cap-drop',
    'ALL',
    ...capabilities.flatMap((name) => ['--cap-add', name]),
  ]

  it.each([
    ['those that the hint of exit code 60 names', []],
    [
      'them on a read-only root without new privileges',
      ['--read-only', '--security-opt', 'no-new-privileges'],
    ],
  ] as const)('boots, changes settings, stops in order and boots again with %s', async (_, more) => {
    const box = await start({ run: [...only(needed), ...more], env: { UI_MAY_EDIT_CONFIG: 'true' } })
    for (const value of ['77', '78']) {
      await box.ready()
      expect(
        await box.supervisor(
          'config',
          'set',
          `GUNICORN_TIMEOUT=${value}`,
          `EMBEDDED_POSTGRES_MAX_CONNECTIONS=${value}`,
        ),
      ).toMatchObject({ exitCode: 0 })
      expect(await box.supervisor('psql', '-tAc', 'show max_connections')).toMatchObject({
        exitCode: 0,
        stdout: value,
      })
      expect((await box.supervisor('manage', 'check')).exitCode).toBe(0)
      expect((await box.stop()).exitCode, await box.logs()).toBe(0)
      expect(await box.logs()).not.toMatch(/EPERM|EACCES/)
      await box.startAgain()
    }
  })

  it.each(needed)('is exit code 60 without %s, which it names', async (missing) => {
    const box = await start({ run: only(needed.filter((name) => name !== missing)) })
    expect(await box.ended()).toBe(60)
    expect(await box.logs()).toMatch(
      new RegExp(`exit code 60 \\(PRIVILEGES_INSUFFICIENT\\): cannot start as root without ${missing}:`),
    )
  })
})

describeContainer('secrets', () => {
  cleanUpAfterEach()

  it('are in no log, no arguments, and no environment but that of what needs them', async () => {
    const box = await start({ env: { LOG_LEVEL: 'debug' } })
    await box.ready()
    await box.supervisor('restart', 'mathesar')
    const read = async (name: string): Promise<string> =>
      (await box.exec('cat', `/var/lib/mathesar/secrets/${name}`)).stdout
    const [secretKey, password] = [await read('secret_key'), await read('postgres_password')]
    for (const secret of [secretKey, password]) expect(secret.length).toBeGreaterThanOrEqual(32)
    expect(
      (await box.sh('stat -c %a:%u /var/lib/mathesar/secrets /var/lib/mathesar/secrets/*')).stdout.split(
        '\n',
      ),
    ).toEqual(expect.arrayContaining(['700:0', '600:0', '600:0']))
    const { pid: postgres } = await box.unit('postgres')
    const { pid: mathesar } = await box.unit('mathesar')
    const environments = (
      await box.sh(
        'for file in /proc/[0-9]*/environ; do echo "$file $(tr "\\0" " " < "$file")"; done 2>/dev/null',
      )
    ).stdout
    const commandLines = (await box.sh('cat /proc/[0-9]*/cmdline | tr "\\0" " "')).stdout
    const status = JSON.stringify(await box.status())
    const logs = `${await box.logs()}${(await box.supervisor('logs', '-n', '9999')).stdout}`
    expect(environments).toContain(`/proc/${postgres}/environ`)
    expect(environments).toContain(`/proc/${mathesar}/environ`)
    for (const [place, text] of Object.entries({ commandLines, status, logs })) {
      expect(text.includes(secretKey), `the secret key is in ${place}`).toBe(false)
      expect(text.includes(password), `the password is in ${place}`).toBe(false)
    }
    expect(environments.includes(password), 'the password is in an environment').toBe(false)
    expect(environments.split('\n').find((line) => line.startsWith(`/proc/${postgres}/`))).not.toContain(
      secretKey,
    )
    expect(environments.split('\n').find((line) => line.startsWith(`/proc/1/`))).not.toContain(secretKey)
  })

  it('that are given do not reach Postgres or the log either', async () => {
    const secretKey = 'given-key-0123456789-0123456789-0123456789-0123456789'
    const box = await start({ env: { SECRET_KEY: secretKey, LOG_LEVEL: 'debug' } })
    await box.ready()
    const { pid } = await box.unit('postgres')
    expect((await box.exec('cat', `/proc/${pid}/environ`)).stdout).not.toContain(secretKey)
    expect(await box.logs()).not.toContain(secretKey)
    expect((await box.sh('cat /proc/[0-9]*/cmdline')).stdout).not.toContain(secretKey)
  })
})

import { afterAll, beforeAll, expect, it } from 'vitest'
import { units } from '../../src/units/index.ts'
import {
  browse,
  cleanUp,
  cleanUpAfterEach,
  describeContainer,
  docker,
  start,
  until,
  type Box,
} from '../helpers/docker.ts'

describeContainer('the commands in a running container', () => {
  let box: Box
  beforeAll(async () => {
    // A locale that the image does not have, and both kinds of IP.
    box = await start({ env: { SAMPLE_APP_TEST: '1', LC_ALL: 'de_DE.UTF-8', BIND_ADDRESS: '::' } })
    await box.ready()
  })
  afterAll(cleanUp)

  it('say nothing about a locale that the image does not have', async () => {
    expect(await box.supervisor('health')).toMatchObject({ stderr: '', stdout: 'ready' })
    expect(await box.logs()).not.toMatch(/perl|locale/i)
  })

  it('are of a Mathesar that listens on IPv6 and IPv4 where BIND_ADDRESS is ::', async () => {
    for (const host of ['127.0.0.1', '[::1]'])
      expect((await fetch(`http://${host}:${box.port}/auth/login/`, { redirect: 'manual' })).status).toBe(302)
  })

  it('status says ready with exit code 0, as a table and as JSON of version 1', async () => {
    const text = await box.supervisor('status')
    expect(text.exitCode).toBe(0)
    expect(text.stdout).toMatch(new RegExp(`^Mathesar: ready at http://localhost:${box.port}\n`))
    expect(text.stdout).toMatch(/\npostgres +service +ready /)
    expect(text.stdout).toMatch(/Boot: ready after \d+ ms; critical path in ms: .*mathesar \d+/)
    const json = await box.status()
    expect(json).toMatchObject({
      exitCode: 0,
      version: 1,
      phase: 'running',
      ready: true,
      database: 'embedded',
      problems: [],
      supervisor: { pid: 1, droppedLogLines: 0 },
    })
    expect(json.units.map(({ name }) => name)).toEqual(units.map(({ name }) => name))
    for (const name of ['postgres', 'mathesar'])
      expect(json.units.find((unit) => unit.name === name)).toMatchObject({
        state: 'ready',
        restarts: 0,
        pid: expect.any(Number),
        memoryBytes: expect.any(Number),
      })
  })

  it('refuse an option that they do not know, and change nothing', async () => {
    for (const more of ['--dry-run', '--unset=PORT'])
      expect((await box.supervisor('config', 'set', 'DEBUG=true', more)).exitCode).toBe(2)
    expect((await box.supervisor('config', 'get', 'DEBUG')).stdout).not.toBe('true')
    expect((await box.supervisor('upgrade-postgres', '--check')).exitCode).toBe(2)
  })

  it('show the log as long as somebody reads it', async () => {
    const show = 'supervisor logs | head -n 1; echo "${PIPESTATUS[0]}"'
    const shown = await box.exec('env', 'LC_ALL=C', 'bash', '-c', show)
    expect(shown).toMatchObject({ exitCode: 0, stderr: '', stdout: expect.stringMatching(/\n0$/) })
  })

  it('health says ready with exit code 0', async () => {
    expect(await box.supervisor('health')).toMatchObject({ exitCode: 0, stdout: 'ready' })
  })

  it('logs -n shows so many events, of one unit if asked', async () => {
    const { exitCode, stdout } = await box.supervisor('logs', '-n', '3')
    expect(exitCode).toBe(0)
    expect(stdout).not.toBe('')
    const ofPostgres = await box.supervisor('logs', 'postgres', '-n', '2')
    expect(ofPostgres.exitCode).toBe(0)
    expect(ofPostgres.stdout.trim().split('\n')).toHaveLength(2)
    for (const line of ofPostgres.stdout.trim().split('\n')) expect(line).toContain('postgres')
    expect((await box.supervisor('logs', '-n', 'x')).exitCode).toBe(2)
    expect(await box.supervisor('logs', 'nothing')).toMatchObject({
      exitCode: 4,
      stderr: expect.stringContaining('nothing'),
    })
  })

  it('restart mathesar under the load of 16 clients fails no request', async () => {
    const { pid } = await box.unit('mathesar')
    let running = true
    let answered = 0
    const failures: string[] = []
    const clients = Array.from({ length: 16 }, async () => {
      while (running) {
        try {
          const { status } = await browse(box).get('/auth/login/')
          if (status === 302) answered++
          else failures.push(`answer ${status}`)
        } catch (error) {
          failures.push(String((error as Error).cause ?? error))
        }
      }
    })
    await until('the load is on', () => answered > 50)
    for (let round = 0; round < 2; round++)
      expect(await box.supervisor('restart', 'mathesar')).toMatchObject({
        exitCode: 0,
        stdout: 'mathesar is ready',
      })
    const sofar = answered
    await until('the load is answered after it', () => answered > sofar + 50)
    running = false
    await Promise.all(clients)
    expect(failures).toEqual([])
    expect((await box.unit('mathesar')).pid).not.toBe(pid)
  })

  it('stop keeps a service down, which status says with exit code 1, and start brings it back', async () => {
    expect(await box.supervisor('stop', 'mathesar')).toMatchObject({
      exitCode: 0,
      stdout: 'mathesar is stopped',
    })
    const { exitCode, stdout } = await box.supervisor('status')
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(/mathesar +service +stopped/)
    expect(stdout).toContain('supervisor start mathesar')
    expect((await box.supervisor('health')).exitCode).toBe(1)
    expect(await box.supervisor('start', 'mathesar')).toMatchObject({
      exitCode: 0,
      stdout: 'mathesar is ready',
    })
    expect((await box.supervisor('health')).exitCode).toBe(0)
  })

  it('pg_dump and psql find the embedded server where Debian looks for it', async () => {
    expect(await box.exec('psql', '-U', 'postgres', '-tAc', 'select current_user')).toMatchObject({
      exitCode: 0,
      stdout: 'postgres',
    })
    expect(
      (await box.exec('pg_dump', '-U', 'postgres', '--schema-only', 'mathesar_django')).stdout,
    ).toContain('CREATE TABLE')
  })

  it('psql restores a database of the official image of Postgres, with its locale', async () => {
    const dump = [
      "CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE " +
        "= 'en_US.utf8'",
      'ALTER DATABASE shop OWNER TO mathesar',
    ].flatMap((command) => ['-c', command])
    expect(await box.supervisor('psql', '--superuser', ...dump)).toMatchObject({ exitCode: 0 })
    const sorted = "select string_agg(w, '' order by w) from (values ('B'), ('a'), ('é'), ('f')) t(w)"
    expect(await box.exec('psql', '-U', 'postgres', '-d', 'shop', '-tAc', sorted)).toMatchObject({
      stdout: 'aBéf',
    })
    await box.supervisor('psql', '--superuser', '-c', 'DROP DATABASE shop')
  })

  it('psql opens the internal database', async () => {
    expect(await box.supervisor('psql', '-tAc', 'select 1, current_database()')).toMatchObject({
      exitCode: 0,
      stdout: '1|mathesar_django',
    })
    expect((await box.supervisor('psql', '-c', 'select nonsense')).exitCode).toBe(1)
  })

  it("manage runs Django's manage.py as the app's user", async () => {
    expect(await box.supervisor('manage', 'check')).toMatchObject({ exitCode: 0 })
    const who = await box.supervisor('manage', 'shell', '-c', "import os; print('uid', os.getuid())")
    expect(who.stdout).toContain('uid 8000')
    expect((await box.supervisor('manage', 'nonsense')).exitCode).not.toBe(0)
  })

  it('version and --help answer for each command', async () => {
    expect(await box.supervisor('version')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^supervisor \d+\.\d+\.\d+/),
    })
    const help = await box.supervisor('--help')
    expect(help.exitCode).toBe(0)
    const commands = [...help.stdout.matchAll(/^ {2}([a-z]+) {2}/gm)].map(([, name]) => name!)
    expect(commands).toEqual(
      expect.arrayContaining([
        'run',
        'status',
        'health',
        'logs',
        'start',
        'stop',
        'restart',
        'psql',
        'manage',
        'version',
      ]),
    )
    for (const name of commands) {
      const { exitCode, stdout, stderr } = await box.supervisor(name, '--help')
      expect(exitCode, `${name} --help: ${stderr}`).toBe(0)
      expect(stdout, name).toMatch(/usage|help/i)
    }
  })

  it('an unknown command is exit code 2, an unknown service 4, a missing one 2', async () => {
    expect(await box.supervisor('dance')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('dance'),
    })
    expect(await box.supervisor('restart', 'dance')).toMatchObject({
      exitCode: 4,
      stderr: expect.stringContaining('door, postgres, mathesar'),
    })
    expect((await box.supervisor('restart')).exitCode).toBe(2)
    expect((await box.supervisor('statsu')).stderr).toContain('did you mean status?')
    expect((await box.supervisor('config', 'get', 'PROT')).stderr).toContain('did you mean PORT?')
    expect((await box.supervisor('status', '--jsno')).exitCode).toBe(2)
    expect((await box.supervisor('help', 'config')).stdout).toContain('Usage: supervisor config')
  })

  it('an editor that is not there is named', async () => {
    const edit = await box.sh(`script -qec 'EDITOR=emacs supervisor config edit' /dev/null </dev/null`)
    expect(edit).toMatchObject({
      exitCode: 2,
      stdout: expect.stringContaining('cannot edit: there is no emacs in this container'),
    })
  })

  it('SIGUSR2 does nothing', async () => {
    const { pid } = await box.unit('mathesar')
    await box.signal('USR2')
    await until('the signal is told', async () => (await box.logs()).includes('SIGUSR2 does nothing here'))
    expect(await box.unit('mathesar')).toMatchObject({ state: 'ready', pid })
    expect(await box.logs()).not.toContain('Handling signal: usr2')
  })

  it('without a command it shows help, and a second `run` ends and leaves the first as it was', async () => {
    expect(await box.supervisor()).toMatchObject({
      exitCode: 2,
      stdout: expect.stringContaining('Usage: supervisor COMMAND'),
    })
    expect((await box.supervisor('run')).exitCode).not.toBe(0)
    expect(await box.supervisor('status', '--json')).toMatchObject({ exitCode: 0 })
    expect(await box.supervisor('health')).toMatchObject({ exitCode: 0 })
  })

  it('what cannot be done here says why, and what to type', async () => {
    const says = async (exitCode: number, words: readonly string[], ...command: string[]): Promise<void> => {
      const { exitCode: code, stderr } = await box.supervisor(...command)
      expect([code, stderr]).toEqual([exitCode, expect.stringContaining(words[0]!)])
      for (const word of words) expect(stderr).toContain(word)
    }
    await says(32, ['the supervisor of this container runs', 'It migrates at each start'], 'migrate')
    await says(32, ['cannot start: the supervisor of this container runs'], 'run')
    const mount = 'Mount a folder: `-v /srv/backups:/nowhere`'
    await says(87, ['cannot use /nowhere: it is not there', mount], 'backup', 'list', '/nowhere')
    await says(87, ['cannot use /nowhere: it is not there', mount], 'config', 'set', 'BACKUP_TO=/nowhere')
    await says(87, ['nothing is mounted there'], 'config', 'set', 'BACKUP_TO=volume,/usr/share')
    expect((await box.supervisor('config', 'get', 'BACKUP_TO')).stdout).toBe('volume')
    expect((await box.supervisor('rescue')).stdout).toMatch(
      /running\n {2}in use: container .* uses it, since/,
    )
    await box.supervisor('stop', 'mathesar')
    await box.supervisor('stop', 'postgres')
    const start = '`supervisor start postgres`'
    await says(50, ['Postgres does not run here', start], 'admin', 'list')
    await says(50, ['Postgres does not run here', start], 'admin', 'create', 'somebody')
    await says(50, ['Postgres does not run here', start], 'versions')
    for (const service of ['postgres', 'mathesar'])
      expect((await box.supervisor('start', service)).exitCode).toBe(0)
    expect(await box.supervisor('admin', 'list')).toMatchObject({ exitCode: 0 })
  })

  it.each([
    ['status', 3],
    ['psql', 2],
    ['manage', 2],
    ['config validate', 2],
  ])('%s refuses a user other than its own, and names the one to come as', async (command, code) => {
    const args = ['exec', '--user', 'mathesar', box.id, 'supervisor', ...command.split(' ')]
    const { exitCode, stderr } = await docker(...args)
    expect([exitCode, stderr]).toEqual([code, expect.stringContaining('`docker exec -u 0 …`')])
    expect(stderr).not.toContain('chown')
  })
})

describeContainer('the commands before and after', () => {
  cleanUpAfterEach()

  it('status and health answer while booting, with exit code 1', async () => {
    const box = await start({ env: { SAMPLE_APP_BREAK: 'import-slow:3' } })
    const booting = await until('status answers', async () => {
      const answer = await box.supervisor('status', '--json')
      return answer.stdout.startsWith('{')
        ? { exitCode: answer.exitCode, ...(JSON.parse(answer.stdout) as object) }
        : undefined
    })
    expect(booting).toMatchObject({ exitCode: 1, version: 1, phase: 'booting', ready: false })
    expect(await box.supervisor('status')).toMatchObject({
      exitCode: 1,
      stdout: expect.stringMatching(/^Mathesar: booting/),
    })
    expect(await box.supervisor('health')).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining('booting'),
    })
    expect((await box.supervisor('restart', 'mathesar')).stderr).toContain('while booting')
    await box.ready()
  })

  it('status and health exit with 1 while stopping, and the request in flight is answered', async () => {
    const box = await start({ env: { SAMPLE_APP_TEST: '1', STOP_GRACE_PERIOD: '60' } })
    await box.ready()
    const slow = browse(box).get('/slow/?s=10')
    slow.catch(() => {})
    await until('a worker has the request', () => box.serves())
    await box.signal('TERM')
    const status = await box.status()
    expect(status).toMatchObject({ exitCode: 1, version: 1, phase: 'stopping', ready: false })
    expect(await box.supervisor('status')).toMatchObject({
      exitCode: 1,
      stdout: expect.stringMatching(/^Mathesar: stopping/),
    })
    expect((await box.supervisor('health')).exitCode).toBe(1)
    expect(await slow).toMatchObject({ status: 200 })
    expect(await box.ended()).toBe(0)
  })

  it('a folder of BACKUP_TO that is not mounted is told at the start, and hides no other place', async () => {
    const box = await start({ env: { BACKUP_TO: 'volume,/backups' } })
    await box.ready()
    const message = 'cannot use /backups: it is not there'
    expect((await box.status()).problems).toMatchObject([{ unit: 'backup', message }])
    expect(await box.logs()).toContain(message)
    const made = (await box.supervisor('backup', 'volume')).stdout.split('/').at(-1)!
    const listed = await box.supervisor('backup', 'list')
    expect([listed.exitCode, listed.stdout]).toEqual([87, expect.stringContaining(made)])
    expect(listed.stderr).toContain(message)
  })

  it('what asks Postgres says where to type it in a container that does not serve', async () => {
    for (const args of [['versions'], ['admin', 'list']]) {
      const box = await start({ args })
      expect(await box.ended()).toBe(50)
      expect(await box.logs()).toContain(`Type it in the container that serves: \`docker exec CONTAINER`)
    }
  })

  it('status without a daemon is exit code 3', async () => {
    const box = await start({ args: ['status'] })
    expect(await box.ended()).toBe(3)
    expect(await box.logs()).toContain('it is not running')
  })
})

import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  cleanUp,
  cleanUpAfterEach,
  describeContainer,
  docker,
  start,
  type Box,
  until,
} from '../helpers/docker.ts'

const data = '/var/lib/mathesar'
const socket = '/run/mathesar/postgres'
const internal = 'mathesar_django'

/** What code in Mathesar's process can do: its user, without a way to more rights. */
const attack = (box: Box, script: string) =>
  docker('exec', '--user', '8000:8000', box.id, 'sh', '-euc', script)
/** What a statement says that was refused, or nothing. */
const refusal = new RegExp(
  [
    '^$',
    'permission denied',
    'must be superuser',
    'must be owner',
    'not allowed',
    'only roles with',
    'not trusted',
    'could not open extension control file',
    'is not available',
    'cannot',
    'must have',
    'no password',
    'must be a member',
  ].join('|'),
  'i',
)

const sql = (box: Box, text: string, database = internal) =>
  docker(
    'exec',
    '--user',
    '8000:8000',
    box.id,
    'psql',
    '-X',
    '-h',
    socket,
    '-U',
    'mathesar',
    '-d',
    database,
    '-v',
    'ON_ERROR_STOP=1',
    '-tAc',
    text,
  )
const isSuperuser = async (box: Box): Promise<string> =>
  (await sql(box, "select rolsuper from pg_roles where rolname = 'mathesar'")).stdout

/** Every command that an administrator may type in a running container, with what its terminal would send. */
const commands: readonly (readonly string[])[] = [
  ['status'],
  ['status', '--json'],
  ['health'],
  ['logs'],
  ['logs', 'mathesar', '-n', '5'],
  ['version'],
  ['help'],
  ['config', 'show'],
  ['config', 'get', 'PORT'],
  ['config', 'set', 'GUNICORN_TIMEOUT=299'],
  ['config', 'unset', 'GUNICORN_TIMEOUT'],
  ['config', 'plan'],
  ['config', 'validate'],
  ['config', 'history'],
  ['config', 'rollback'],
  ['config', 'edit'],
  ['reload'],
  ['setup'],
  ['admin', 'list'],
  ['psql', '-c', 'select now()'],
  ['psql', '--superuser', '-c', 'select now()'],
  ['manage', 'check'],
  ['manage', 'shell', '-c', 'print(1)'],
  ['restart', 'mathesar'],
  ['stop', 'mathesar'],
  ['start', 'mathesar'],
]

/**
 * Files that programs look for in a home or working folder, and programs that a careless PATH finds there.
 */
const traps = [
  '.psqlrc',
  '.psqlrc-17',
  '.inputrc',
  '.editrc',
  '.pgpass',
  '.pg_service.conf',
  '.bashrc',
  '.profile',
  '.bash_profile',
  '.shrc',
  '.nanorc',
  '.config/nano/nanorc',
  '.vimrc',
  '.exrc',
  'manage.py',
  'sitecustomize.py',
  'usercustomize.py',
  'django.py',
  'gunicorn.py',
  'gunicorn.conf.py',
  'config.py',
  '.local/lib/python3.13/site-packages/usercustomize.py',
]
const programs = [
  'psql',
  'python3',
  'setpriv',
  'script',
  'sh',
  'nano',
  'nano-tiny',
  'tar',
  'sync',
  'id',
  'ls',
  'perl',
  'node',
  'supervisor',
]

const plantTraps = `
  for folder in ${data}/tmp ${data}/media /tmp /dev/shm; do
    for program in ${programs.join(' ')}; do
      printf '#!/bin/sh\\nid > /tmp/pwned-%s\\nid\\n' "$program" > "$folder/$program" 2>/dev/null &&
        chmod +x "$folder/$program" || true
    done
    for trap in ${traps.join(' ')}; do
      mkdir -p "$(dirname "$folder/$trap")"
      case $trap in
        *.py) echo "import os; os.system('id > /tmp/pwned-python')" ;;
        .psqlrc*) echo '\\! id > /tmp/pwned-psqlrc' ;;
        *) echo 'id > /tmp/pwned-file' ;;
      esac > "$folder/$trap"
    done
    for history in .psql_history .python_history .lesshst; do
      ln -sf /etc/ld.so.preload "$folder/$history"
    done
  done`

/** Runs a shell script of root's on a terminal, where a shell goes on reading after it. */
const onTerminalOfRoot = async (box: Box, script: string) => {
  const text = Buffer.from(`${script}\nsleep 0.5\nexec timeout --foreground -s KILL 1 sh -i\n`).toString(
    'base64',
  )
  return await box.exec(
    'script',
    '--quiet',
    '--return',
    '--command',
    `echo ${text} | base64 -d > /root/typed.sh; sh /root/typed.sh`,
    '/dev/null',
  )
}

describeContainer("Mathesar's user as an attacker", () => {
  let box: Box
  beforeAll(async () => {
    box = await start()
    await box.ready()
    await attack(box, plantTraps)
  })
  afterAll(cleanUp)

  it.each(commands)(
    'gains nothing from what it left in its folders when an administrator types: %s %s %s',
    async (...argv) => {
      await docker(
        'exec',
        '--workdir',
        `${data}/tmp`,
        '--env',
        `HOME=${data}/tmp`,
        box.id,
        'supervisor',
        ...argv,
      )
      const found = await box.sh(
        'find /tmp -maxdepth 1 -name "pwned-*" ! -user mathesar -exec cat {} +; ' +
          'cat /etc/ld.so.preload 2>/dev/null || true',
      )
      expect(found.stdout).toBe('')
    },
  )

  it.each(['psql', 'psql --superuser'])(
    'never gets the terminal of root in which `supervisor %s` runs',
    async (command) => {
      const { stdout } = await onTerminalOfRoot(
        box,
        `
      echo "root $(cut -d ' ' -f 7 /proc/self/stat)"
      supervisor ${command} -c 'select pg_sleep(2)' > /dev/tty &
      while kill -0 $! && ! grep -lx psql /proc/[0-9]*/comm > /tmp/found; do :; done 2>/dev/null
      for comm in $(cat /tmp/found); do echo "psql $(cut -d ' ' -f 7 $(dirname $comm)/stat)"; done
      wait`,
      )
      const [ofRoot, ofPsql] = ['root', 'psql'].map(
        (name) => new RegExp(`^${name} (\\d+)`, 'm').exec(stdout)?.[1],
      )
      expect(Number(ofRoot)).toBeGreaterThan(0)
      expect(ofPsql).toBeDefined()
      expect(ofPsql).not.toBe(ofRoot)
    },
  )

  it('cannot type into the terminal of root in which `supervisor manage` runs its code', async () => {
    const type = (fd: string): string =>
      `import fcntl, os, termios\\nfor c in "id > /tmp/typed\\\\n": fcntl.ioctl(${fd}, ` +
      'termios.TIOCSTI, c.encode())'
    for (const fd of ['0', 'os.open("/dev/tty", os.O_RDWR)'])
      for (const redirect of ['', '< /dev/null', '| cat']) {
        await onTerminalOfRoot(
          box,
          'supervisor manage shell -c ' +
            `'${type(fd).replaceAll('\\n', '\n').replaceAll('\\\n', '\\n')}' ${redirect}`,
        )
        expect((await box.sh('cat /tmp/typed 2>/dev/null || true')).stdout).toBe('')
      }
  })

  it('is not heard by a superuser who calls functions that it shadows in its own database', async () => {
    const evil = (name: string): string =>
      `create or replace function evil.${name} as $$ begin execute 'alter role mathesar superuser'; ` +
      'return null; end $$ language plpgsql'
    for (const text of [
      'create schema if not exists evil',
      evil('now() returns timestamptz'),
      evil('version() returns text'),
      evil('plus(int, int) returns int'),
      'create operator evil.+ (function = evil.plus, leftarg = int, rightarg = int)',
      `alter database ${internal} set search_path = evil, pg_catalog`,
      'alter role mathesar set search_path = evil, pg_catalog',
    ])
      expect(await sql(box, text)).toMatchObject({ exitCode: 0 })
    const query = 'select now(), version(), 1 + 1'
    await box.supervisor('psql', '-c', query)
    expect(
      (await box.supervisor('psql', '--superuser', '-tAc', 'select current_user, current_database()')).stdout,
    ).toBe('postgres|postgres')
    await box.supervisor('psql', '--superuser', '-c', query)
    await box.supervisor('psql', '--superuser', '-d', internal, '-c', query)
    await box.supervisor('psql', '--superuser', '-c', `\\c ${internal}`, '-c', query)
    expect(await isSuperuser(box)).toBe('f')
    for (const text of [
      `alter database ${internal} reset all`,
      'alter role mathesar reset search_path',
      'drop schema evil cascade',
    ])
      expect(await sql(box, text)).toMatchObject({ exitCode: 0 })
  })

  it.each([
    'alter role mathesar superuser',
    'alter role postgres set search_path = evil',
    'alter database postgres set search_path = evil',
    'create role evil superuser',
    'create role evil replication',
    'create role evil bypassrls',
    'grant pg_execute_server_program to mathesar',
    'grant pg_read_server_files to mathesar',
    'grant pg_write_server_files to mathesar',
    'grant pg_read_all_data to mathesar',
    'grant pg_signal_backend to mathesar',
    'grant postgres to mathesar',
    'set role postgres',
    'set session authorization postgres',
    "copy (select 1) to program 'id > /tmp/pwned-copy'",
    "copy (select 1) to '/tmp/pwned-copy'",
    "select pg_read_file('/etc/passwd')",
    "select lo_import('/etc/passwd')",
    "select pg_ls_dir('.')",
    "alter system set shared_preload_libraries = 'x'",
    "load '/tmp/evil.so'",
    "create function evil() returns int language c as '/tmp/evil.so'",
    'create extension file_fdw',
    'create extension plperlu',
    'create extension dblink',
    'create extension adminpack',
    'create event trigger evil on ddl_command_start execute function now()',
    'create event trigger evil on login execute function now()',
    "create subscription evil connection 'host=/run/mathesar/postgres user=postgres' publication p",
    "create tablespace evil location '/tmp'",
    'select * from pg_authid',
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'",
    "set session_preload_libraries = 'x'",
    'set log_destination = csvlog',
    'select pg_reload_conf()',
    'checkpoint',
  ])('is refused by Postgres: %s', async (text) => {
    const before = await isSuperuser(box)
    const { exitCode, stdout, stderr } = await sql(box, text)
    expect(exitCode === 0 ? stdout : stderr).toMatch(refusal)
    if (exitCode === 0) expect(stdout).toBe('')
    expect([before, await isSuperuser(box)]).toEqual(['f', 'f'])
  })

  it('may make nothing in the database that the supervisor connects to', async () => {
    for (const text of [
      'create schema evil',
      'create table evil ()',
      'create function public.evil() returns int language sql as $$ select 1 $$',
      'create table public.evil ()',
    ])
      expect(await sql(box, text, 'postgres')).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining('permission denied'),
      })
    for (const text of ['create table public.evil ()', 'alter database template1 set search_path = evil'])
      expect((await sql(box, text, 'template1')).exitCode).not.toBe(0)
  })

  it.each([
    'cat /var/lib/mathesar/secrets/secret_key',
    'ls /var/lib/mathesar/secrets',
    'cat /var/lib/mathesar/config/mathesar.env',
    'ls /var/lib/mathesar/history',
    'ls /var/lib/mathesar/postgres',
    'echo > /var/lib/mathesar/.lock',
    'mv /var/lib/mathesar/secrets /var/lib/mathesar/tmp/s',
    'ls /run/mathesar/control',
    'echo > /run/mathesar/etc/pg_hba.conf',
    'mv /dev/shm/mathesar /dev/shm/other',
    'ln -sf /tmp /run/mathesar/app',
    'rm -rf /run/mathesar/postgres',
    'cat /proc/1/environ',
    'ls /proc/1/fd',
    'head -c 1 /proc/1/mem',
    'ls /proc/1/cwd/',
    'echo -1000 > /proc/self/oom_score_adj',
    'echo x > /proc/1/oom_score_adj',
    'kill -TERM 1',
    'kill -STOP "$(head -n 1 /var/lib/mathesar/postgres/postmaster.pid)"',
    'pkill -KILL -x postgres',
    'echo evil >> /usr/local/bin/supervisor',
    'echo evil >> /etc/mathesar/gunicorn.conf.py',
    'echo evil >> /code/config/settings/local.py',
    'echo evil > /etc/ld.so.preload',
    'echo evil > /code/sso.yml',
    'echo evil > /proc/sys/kernel/core_pattern',
    'su root -c id',
    'chroot / id',
    'unshare --map-root-user cat /var/lib/mathesar/secrets/secret_key',
  ])('is refused by the kernel: %s', async (script) => {
    expect((await attack(box, script)).exitCode).not.toBe(0)
    expect(await box.supervisor('health')).toMatchObject({ exitCode: 0 })
  })
})

describeContainer('what Mathesar does to its own role, database and folders', () => {
  cleanUpAfterEach()

  it.each([
    [
      'settings',
      "alter role mathesar set local_preload_libraries = 'nothing'",
      `alter role mathesar in database ${internal} set local_preload_libraries = 'nothing'`,
      `alter database ${internal} set local_preload_libraries = 'nothing'`,
      `alter database ${internal} set role = 'nobody'`,
      `alter database ${internal} set search_path = evil`,
      `alter database ${internal} set default_transaction_read_only = on`,
      `alter database ${internal} set statement_timeout = 1`,
    ],
    [
      'limits',
      `revoke all on database ${internal} from public`,
      `revoke all on database ${internal} from mathesar`,
      'alter role mathesar reset all',
      `alter database ${internal} is_template true`,
      `alter database ${internal} connection limit 0`,
      `alter database ${internal} allow_connections false`,
    ],
    ['owners', 'create role other', `alter database ${internal} owner to other`],
  ])('never keeps the next start from serving: %s', async (_, ...texts) => {
    const box = await start()
    await box.ready()
    expect(await sql(box, texts.join('; '), 'template1')).toMatchObject({ exitCode: 0 })
    expect(await box.stop()).toMatchObject({ exitCode: 0 })
    await box.startAgain()
    await box.ready()
    expect((await sql(box, 'show createrole_self_grant')).stdout).toBe('set, inherit')
    expect(await sql(box, 'create temporary table works ()')).toMatchObject({ exitCode: 0 })
  })

  it('never holds up the next start: folders in folders, 10,000 deep', { timeout: 300_000 }, async () => {
    const box = await start()
    await box.ready()
    const dig = `perl -e 'chdir "${data}/tmp"; for (1..10000) { mkdir "d"; chdir "d" or die }'`
    expect(await attack(box, dig)).toMatchObject({ exitCode: 0 })
    expect(await box.stop()).toMatchObject({ exitCode: 0 })
    await box.startAgain()
    await box.ready(60_000)
    expect((await box.sh(`ls -A ${data}/tmp`)).stdout).toBe('')
    const left = async (): Promise<string> => (await box.sh(`ls -A ${data} | grep left || true`)).stdout
    await until('it is gone', async () => (await left()) === '', 150_000)
  })
})

describeContainer("who takes over Postgres's user", () => {
  cleanUpAfterEach()

  const attackAsPostgres = (box: Box, script: string, ...how: string[]) =>
    docker('exec', ...how, '--user', '5432:5432', box.id, 'sh', '-euc', script)

  it('has root make no folder where a link leads in place of one that is often empty', async () => {
    const box = await start()
    await box.ready()
    const plant = `cd ${data}/postgres; rm -r pg_notify; ln -s /etc/perl pg_notify`
    expect(await attackAsPostgres(box, plant)).toMatchObject({ exitCode: 0 })
    await box.stop()
    await box.startAgain()
    expect(await box.ended()).not.toBe(0)
    expect((await docker('diff', box.id)).stdout).not.toContain('/etc/perl')
    expect(await box.logs()).toMatch(/cannot make the empty folders of \S+ that are missing: .*pg_notify/)
  })

  it('gets nothing of root by a link that it plants beside the archives of a chain', async () => {
    const box = await start()
    await box.ready()
    for (const how of ['--scheduled', 'volume --incremental'])
      expect(await box.sh(`sleep 1; supervisor backup ${how}`)).toMatchObject({ exitCode: 0 })
    const { stdout } = await box.sh(`mkdir -m 755 /victim; ls ${data}/backups`)
    const last = stdout.split('\n').find((name) => name.includes('-after-'))!
    const plant = `
      while :; do
        for found in $(cat /proc/[0-9]*/cmdline 2> /dev/null | tr '\\0' '\\n' | grep '/links/1$'); do
          ln -s /victim "\${found%1}2" 2> /dev/null || true
        done
      done`
    expect(await attackAsPostgres(box, plant, '--detach')).toMatchObject({ exitCode: 0 })
    const restored = await box.supervisor('restore', last, '--replace')
    expect((await box.sh('stat -c "%u %a" /victim')).stdout).toBe('0 755')
    expect(restored).toMatchObject({ exitCode: 0 })
  })
})

import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import {
  type Box,
  cleanUpAfterEach,
  describeContainer,
  docker,
  image,
  logIn,
  makeAdmin,
  mustDocker,
  newVolume,
  start,
  until,
} from '../helpers/docker.ts'
import { asNewerImage, removeNewerImages } from '../helpers/newer-image.ts'

describeContainer('an upgrade', () => {
  cleanUpAfterEach()
  removeNewerImages()

  /** A volume that this image has served, until `act` was done in it, and the container, which is stopped. */
  const servedOnce = async (act: (box: Box) => Promise<unknown>) => {
    const volume = await newVolume()
    const old = await start({ volume })
    await old.ready()
    await act(old)
    await old.stop()
    return { volume, old }
  }

  it('whose migration fails changes nothing, says why in one line, and the old version starts', async () => {
    const { volume, old } = await servedOnce(makeAdmin)

    const newer = await start({
      volume,
      run: await asNewerImage('0006_note_is_pinned', '0007_shorter_notes'),
    })
    expect(await newer.ended()).toBe(53)
    const logs = await newer.logs()
    expect(logs).toContain(
      'running all or none of these migrations: mathesar.0006_note_is_pinned, mathesar.0007_shorter_notes',
    )
    expect(logs).toContain(
      'cannot migrate the internal database: mathesar.0007_shorter_notes: value too long for type ' +
        'character varying(10); "mathesar_note"."text" has ',
    )
    expect(logs).toMatch(/has \d+ letters where "id" is 1, and may have 10\n/)
    expect(logs).toMatch(/ debug migrations +DEBUG the traceback/)
    await newer.remove()

    await old.startAgain()
    await old.ready()
    await logIn(old)
    expect((await old.supervisor('manage', 'showmigrations', 'mathesar')).stdout).not.toContain('0006')
  })

  it('that takes long is never unhealthy: nothing that restarts containers ends it', async () => {
    const { volume } = await servedOnce(async () => {})

    const run = await asNewerImage('0006_slow')
    const newer = await start({ volume, run: [...run, '--health-interval', '1s'] })
    const isLive = () =>
      fetch(newer.url('/livez')).then(
        ({ ok }) => ok,
        () => false,
      )
    await until('it lives', isLive)
    const seen = new Set<string>()
    for (let state = ''; state !== 'healthy'; await delay(200)) {
      state = await mustDocker('inspect', '--format', '{{.State.Health.Status}}', newer.id)
      seen.add(`${(await fetch(newer.url('/livez'))).status} ${state}`)
    }
    expect([...seen]).toEqual(['200 starting', '200 healthy'])
    expect(await newer.logs()).toContain('0006_slow')
  })

  it('keeps the database before it, which an older image puts in place again when told so', async () => {
    const { volume, old } = await servedOnce(makeAdmin)
    const run = await asNewerImage('0006_note_is_pinned')
    const newer = await start({ volume, run })
    await newer.ready()
    const added = `
      insert into public.mathesar_user (username, email, password, first_name, last_name,
          is_superuser, is_staff, is_active, date_joined)
        values ('grace', 'grace@example.org', 'hashed', '', '', false, false, true, now())`
    await newer.supervisor('psql', '-c', added)
    await newer.stop()

    const names = 'mathesar.0006_note_is_pinned'
    await old.startAgain()
    expect(await old.ended()).toBe(52)
    expect(await old.logs()).toMatch(new RegExp(`${names}\\n.*Or go back with \`-e ON_DOWNGRADE=return\``))

    const returned = await start({ volume, env: { ON_DOWNGRADE: 'return' } })
    await returned.ready()
    await logIn(returned)
    const listed = /is in its place again; that of Mathesar .* is listed in (\S+)\.txt/
    expect(await returned.logs()).toMatch(listed)
    const [, path] = listed.exec((await returned.unit('migrations')).detail ?? '') ?? []
    expect((await returned.supervisor('versions')).stdout).toContain(`${path}.txt`)
    const words = (await returned.exec('cat', `${path}.txt`)).stdout
    expect(words).toMatch(/users \(mathesar_user\): 1 added\n {2}added {3}\(\d+\) grace grace@example\./)
    expect(words).not.toContain('hashed')
    expect((await returned.exec('cat', `${path}.jsonl`)).stdout).toMatch(
      /^\{"table":"mathesar_user","change":"added","row":\{.*"password":"hashed"/m,
    )
    expect((await returned.exec('stat', '-c', '%a %u', `${path}.txt`, `${path}.jsonl`)).stdout).toMatch(
      /^600 0\n600 0$/,
    )
    await returned.stop()

    await newer.startAgain()
    await newer.ready()
    await logIn(newer)
    expect((await newer.supervisor('versions')).stdout).toMatch(
      /served last\.\n.*\nMATHESAR .*\n\S+ .*_before_/,
    )
    const kept = await newer.supervisor(
      'psql',
      '--superuser',
      '-tAc',
      `
      select string_agg(datname, ' ' order by datname) from pg_database
        where not datallowconn and datname <> 'template0'`,
    )
    expect(kept.stdout).toMatch(/^mathesar_django_before_\S+ mathesar_django_of_\S+$/)
  })

  const ask = (box: Box, query: string) =>
    box.supervisor('psql', '--superuser', '-d', 'mathesar_django', '-tAc', query)

  /** Two databases with the SQL of another Mathesar, of which one cannot be reached. */
  const connectTwo = (box: Box) =>
    ask(
      box,
      `
      with one as (
        insert into public.mathesar_server (host, sslmode)
          values ('/run/mathesar/postgres', 'prefer'), ('db.invalid', 'prefer')
        returning id)
      insert into public.mathesar_database (name, server_id, last_confirmed_sql_version)
        select 'db' || row_number() over (order by id), id, '0.0.0' from one`,
    )

  const expectOneBrought = async (box: Box): Promise<void> => {
    await until('it names the other', async () =>
      (await box.unit('user-databases')).detail?.includes('database db2 on db.invalid: cannot connect to it'),
    )
    const done = await ask(
      box,
      'select name from public.mathesar_database where last_confirmed_sql_version <> $$0.0.0$$',
    )
    expect(done.stdout).toBe('db1')
  }

  it('brings the connected databases along, and names the one that it cannot', async () => {
    const box = await start()
    await box.ready()
    await connectTwo(box)
    await box.stop()
    await box.startAgain()
    await box.ready()
    await expectOneBrought(box)
    expect(await box.logs()).toContain('connected databases with the SQL of another Mathesar: 2')
  })

  it('brings them along with the migrations, which have Mathesar loaded', async () => {
    const { volume } = await servedOnce(connectTwo)
    const newer = await start({ volume, run: await asNewerImage('0006_note_is_pinned') })
    await newer.ready()
    await expectOneBrought(newer)
    const logs = await newer.logs()
    expect(logs).toMatch(/ migrations +db1: 0\.0\.0 → /)
    expect(logs).toContain('connected databases with the SQL of another Mathesar: 1')
  })

  it('is tried on a copy: what works and what would not is told, and the volume stays as it is', async () => {
    const volume = await newVolume()
    const old = await start({ volume })
    await old.ready()
    await makeAdmin(old)
    const mounted = ['--volume', `${volume}:/var/lib/mathesar:ro`]
    const tryOn = (run: readonly string[]) =>
      docker(...['run', '--rm', '--network', 'none'].concat(mounted, run, image, 'try-upgrade'))

    const early = await tryOn([])
    expect(early.exitCode).toBe(32)
    expect(early.stderr).toContain('a container that is running writes to it')
    await old.stop()
    const digest = () =>
      mustDocker(
        'run',
        '--rm',
        '--network',
        'none',
        ...mounted,
        '--entrypoint',
        'bash',
        image,
        '-c',
        'cd /var/lib/mathesar && find . -printf "%p %u %m %T@ %s\\n" | sort | md5sum; ' +
          'find . -type f -exec md5sum {} + | sort | md5sum',
      )
    const before = await digest()

    const works = await tryOn(await asNewerImage('0006_note_is_pinned'))
    expect(works.stdout).toMatch(/^It works: this image serves from the copy\./)
    expect(works.stdout).toMatch(/migrations +1: mathesar\.0006_note_is_pinned\n/)
    expect(works.stdout).toMatch(/rows +[1-9]\d* in \d+ databases, none of yours is missing/)
    expect(works.exitCode).toBe(0)

    const fails = await tryOn(await asNewerImage('0006_note_is_pinned', '0007_shorter_notes'))
    expect(fails.stdout).toMatch(/^It does not work: the start ends with exit code 53\./)
    expect(fails.stdout).toMatch(
      /why .*0007_shorter_notes: value too long .* where "id" is 1, and may have 10\n/,
    )
    expect(fails.exitCode).toBe(53)
    expect(await digest()).toBe(before)
    await old.startAgain()
    await old.ready()
  })
})

import { expect, it } from 'vitest'
import {
  type Box,
  checksumOf,
  cleanUpAfterEach,
  dataFolder,
  describeContainer,
  docker,
  image,
  logIn,
  mustDocker,
  newVolume,
  onVolume,
  type Result,
  start,
} from '../helpers/docker.ts'
import { makeUpstream, readLibrary, type Upstream } from '../helpers/upstream.ts'

/** `rescue` in a container of its own on a volume, with other mounts beside. */
const rescue = (volume: string, mounts: readonly string[], ...args: readonly string[]): Promise<Result> =>
  docker(
    'run',
    '--rm',
    '--network=none',
    `--volume=${volume}:${dataFolder}`,
    ...mounts,
    image,
    'rescue',
    ...args,
  )

/** Where Mathesar's own image has its cluster. */
const asImage = ({ volume }: Upstream): readonly string[] => [`--volume=${volume}:/var/lib/postgresql:ro`]
/** The folders that `docker cp` brought out of its container. */
const asFolder = ({ volume }: Upstream): readonly string[] => [`--volume=${volume}:/old:ro`]

const sql = async (box: Box, database: string, text: string): Promise<string> => {
  const result = await box.supervisor('psql', '--superuser', '-tA', '-d', database, '-c', text)
  expect(result.stderr).toBe('')
  return result.stdout.trim()
}

/** Whoever owns something in a database, of all that people may have made. */
const owners = `
  SELECT DISTINCT pg_get_userbyid(refobjid) FROM pg_shdepend
    WHERE deptype = 'o' AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())`
const ofSuperuser = `
  SELECT string_agg(relname, ',') FROM pg_class WHERE oid >= 16384 AND relowner = 10
    AND relkind IN ('r', 'v', 'm', 'S', 'p')
  UNION ALL SELECT string_agg(proname, ',') FROM pg_proc WHERE oid >= 16384 AND proowner = 10
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
  UNION ALL SELECT string_agg(typname, ',') FROM pg_type WHERE oid >= 16384 AND typowner = 10
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_type.oid AND deptype IN ('e', 'i'))`

/** Adoptions that end in their midst, wherever that is. */
const killAdoptions = async (upstream: Upstream, volume: string): Promise<void> => {
  for (const seconds of ['0.3', '0.9', '1.5']) {
    const name = `${volume}-${seconds}`
    await mustDocker(
      'run',
      '--detach',
      '--rm',
      '--name',
      name,
      '--network=none',
      `--volume=${volume}:${dataFolder}`,
      ...asFolder(upstream),
      image,
      'rescue',
      '/old',
      '--adopt',
    )
    await mustDocker('run', '--rm', '--network=none', '--entrypoint=sleep', image, seconds)
    await docker('kill', '--signal=KILL', name)
  }
}

/**
 * What no checksum tells: a text that says that it is longer than the memory of a server, of which reading it
 * kills the backend; and a page whose header makes no sense.
 */
const harm = `
import sys
deadly, torn = sys.argv[1:]
data = open(deadly, 'rb').read()
at = data.index(b'deadly' * 20)
with open(deadly, 'r+b') as file:
    file.seek(at - 4)
    file.write((900 << 20 << 2).to_bytes(4, 'little'))
with open(torn, 'r+b') as file:
    file.seek(3 * 8192 + 12)
    file.write(b'XXXX')
`

/** Another version of the libraries under the same data, as a new base image brings it. */
const checkOtherLibraries = async (box: Box, volume: string): Promise<void> => {
  const files = "SELECT string_agg(relfilenode::text, ' ' ORDER BY relname) FROM pg_class WHERE relname IN "
  const texts = `${files}('book_lower', 'book_german', 'book_title_key')`
  const numbers = `${files}('book_pkey')`
  const before = [await sql(box, 'library', texts), await sql(box, 'library', numbers)]
  await sql(
    box,
    'library',
    `UPDATE pg_database SET datcollversion = '1';
      UPDATE pg_collation SET collversion = '1' WHERE collname = 'german'`,
  )
  await box.stop()
  await onVolume(volume, `sed -i 's/"collation": "[^"]*"/"collation": "ICU 1, glibc 1"/' manifest.json`)
  await box.startAgain()
  await box.ready()
  expect(await box.logs()).toMatch(
    /libraries that sort text changed: ICU 1, glibc 1 → ICU \d[^]*3 indexes of database library were rebuilt/,
  )
  const after = [await sql(box, 'library', texts), await sql(box, 'library', numbers)]
  expect(after[0]).not.toBe(before[0])
  expect(after[1]).toBe(before[1])
  await box.stop()
  await box.startAgain()
  await box.ready()
  expect(await sql(box, 'library', texts)).toBe(after[0])
  expect((await box.logs()).match(/libraries that sort text changed/g)).toHaveLength(1)
}

/** The data with another secret key, which is taken only where somebody says so. */
const checkOtherKey = async (volume: string): Promise<void> => {
  const other = await start({ volume, env: { SECRET_KEY: 'another key' } })
  expect(await other.ended()).toBe(56)
  expect(await other.logs()).toContain(
    'cannot use the internal database with SECRET_KEY: it was made with another one',
  )
  const accepting = await start({ volume, env: { SECRET_KEY: 'another key', ON_OTHER_KEY: 'accept' } })
  await accepting.ready()
  await accepting.stop()
  const settled = await start({ volume, env: { SECRET_KEY: 'another key' } })
  await settled.ready()
  await settled.stop()
}

describeContainer('rescue', () => {
  cleanUpAfterEach()

  it("takes over a killed container of Mathesar's own image: numbers, roles, passwords, media", async () => {
    const upstream = await makeUpstream({ superuser: 'postgres', host: 'localhost', isKilled: true })
    const untouched = await checksumOf(upstream.volume)
    const volume = await newVolume()

    const seen = await rescue(volume, asImage(upstream))
    expect([seen.exitCode, seen.stderr]).toEqual([0, ''])
    expect(seen.stdout).toMatch(
      new RegExp(
        '^/var/lib/postgresql/cluster: a cluster of another image, ' +
          'with the internal database of Mathesar\\n +Postgres 17, \\d+ MiB, not shut down cleanly',
      ),
    )
    const refused = await start({ volume, run: [...asImage(upstream)] })
    expect(await refused.ended()).toBe(36)
    expect(await refused.logs()).toContain('`docker run --rm --volumes-from CONTAINER IMAGE rescue --adopt`')

    const keyless = await rescue(volume, asImage(upstream), '--adopt')
    expect([keyless.exitCode, keyless.stderr]).toEqual([35, expect.stringContaining('docker cp CONTAINER:')])
    const wrong = await rescue(volume, [...asImage(upstream), '--env=SECRET_KEY=another'], '--adopt')
    expect([wrong.exitCode, wrong.stderr]).toEqual([35, expect.stringMatching(/does not open .* of ann\n/)])

    const adopted = await rescue(volume, asFolder(upstream), '/old', '--adopt')
    expect(adopted.exitCode, adopted.stderr).toBe(0)
    expect(adopted.stderr).toContain('databases of people: library')
    expect(adopted.stderr).toContain('no longer manages: boss, deputy')
    expect(adopted.stderr).toContain('the role mathesar is called mathesar_1 now')
    expect(adopted.stderr).toContain('stay as they are: db.example.org')
    expect(await checksumOf(upstream.volume)).toBe(untouched)
    const again = await rescue(volume, asFolder(upstream), '/old', '--adopt')
    expect([again.exitCode, again.stderr]).toEqual([84, expect.stringContaining('--replace')])

    const box = await start({ volume })
    await box.ready()
    const page = await (await logIn(box)).get('/roles/')
    expect(page.text).toContain('the word of ann')
    expect(await sql(box, 'library', readLibrary)).toBe(upstream.before)
    expect(await sql(box, 'library', owners)).toBe('ann\nmathesar')
    expect(await sql(box, 'library', ofSuperuser)).toBe('')
    expect(
      await sql(
        box,
        'mathesar_django',
        `SELECT host, port FROM public.mathesar_server ORDER BY id;
          SELECT name, server_id, password = '' FROM public.mathesar_configuredrole ORDER BY id;
          SELECT rolname FROM pg_roles WHERE rolsuper ORDER BY 1;
          SELECT pg_has_role('mathesar', 'ann', 'SET'), pg_has_role('mathesar', 'deputy', 'MEMBER');
          SHOW data_checksums`,
      ),
    ).toBe(
      'db.example.org|5432\n/run/mathesar/postgres|\nmathesar|2|t\nann|2|f\nmathesar|1|f\nmathesar_1|2|f\n' +
        'boss\npostgres\nt|f\non',
    )
    expect(
      (await box.sh(`cat ${dataFolder}/media/file.csv; stat -c %U ${dataFolder}/media/file.csv`)).stdout,
    ).toBe('uploaded\nmathesar')
    const own = await box.supervisor('rescue')
    expect(own.stdout).toMatch(
      /^\/var\/lib\/mathesar: an installation of this image\n[^]*the secret key is there/,
    )
    expect((await box.stop()).exitCode).toBe(0)
  })

  it("takes over what Mathesar's compose file made, whose superuser has the name of our role", async () => {
    const upstream = await makeUpstream({ superuser: 'mathesar', host: 'mathesar_db', isKilled: false })
    const volume = await newVolume()
    // Storage that knows no folders leaves out what is empty.
    await onVolume(upstream.volume, 'find . -path "*/pg_*" -type d -empty -delete')
    await killAdoptions(upstream, volume)
    await rescue(volume, asFolder(upstream), '/old', '--adopt', '--replace')
    const box = await start({ volume })
    await box.ready()
    expect((await (await logIn(box)).get('/roles/')).text).toContain('the word of ann')
    expect(await sql(box, 'library', readLibrary)).toBe(upstream.before)
    expect(
      await sql(
        box,
        'mathesar_django',
        `SELECT name, server_id, password = '' FROM public.mathesar_configuredrole ORDER BY id;
          SELECT host FROM public.mathesar_server ORDER BY id;
          SELECT rolname, oid = 10, rolsuper FROM pg_roles
            WHERE rolname IN ('postgres', 'mathesar') ORDER BY 1`,
      ),
    ).toBe(
      'mathesar|2|t\nann|2|f\nmathesar|1|f\ndb.example.org\n/run/mathesar/postgres\n' +
        'mathesar|f|f\npostgres|t|t',
    )

    await checkOtherLibraries(box, volume)
    await box.stop()
    await checkOtherKey(volume)
  })

  it('refuses what it cannot take over whole, and leaves both volumes as they were', async () => {
    const [old, volume] = [await newVolume(), await newVolume()]
    await onVolume(old, 'mkdir -p a/global a/pg_tblspc; echo 16 > a/PG_VERSION')
    const mount = [`--volume=${old}:/old`]
    await onVolume(old, 'mkdir secrets; touch secrets/secret_key; chmod 700 secrets')
    const other = await rescue(old, ['--user=1000:0'])
    expect([other.exitCode, other.stderr]).toEqual([30, expect.stringContaining('Give the `--user`')])
    const nothing = await rescue(volume, [])
    expect([nothing.exitCode, nothing.stdout]).toEqual([0, 'nothing of Mathesar or Postgres is here'])
    expect((await rescue(volume, [], '--adopt')).exitCode).toBe(85)
    expect(await rescue(volume, mount, '/old', '--adopt')).toMatchObject({
      exitCode: 33,
      stderr: expect.stringMatching(
        /its data is of Postgres 16, and this image has 17[^]*Upgrade the old installation first/,
      ),
    })
    const salvaged = await rescue(volume, [...mount, '--tmpfs=/saved'], '/old', '--salvage', '/saved')
    expect([salvaged.exitCode, salvaged.stdout]).toEqual([33, ''])
    expect(salvaged.stderr).toMatch(
      /cannot salvage [^]* is of Postgres 16, and this image has 17[^]*pg_resetwal/,
    )
    expect(salvaged.stderr).not.toContain('copying')
    await onVolume(old, 'echo 17 > a/PG_VERSION; cp -r a b')
    expect(await rescue(volume, mount, '/old', '--adopt')).toMatchObject({
      exitCode: 85,
      stderr: expect.stringContaining('Name the folder of one'),
    })
    await onVolume(old, 'rm -r b; mkdir a/pg_tblspc/16385')
    expect(await rescue(volume, mount, '/old', '--adopt')).toMatchObject({
      exitCode: 85,
      stderr: expect.stringContaining('tablespaces'),
    })
    await onVolume(old, 'rmdir a/pg_tblspc/16385; ln -s /etc/passwd a/link')
    expect(await rescue(volume, mount, '/old', '--adopt')).toMatchObject({
      exitCode: 85,
      stderr: expect.stringContaining('link in it is a link or a device'),
    })
    await onVolume(old, 'rm a/link; head -c 200000000 /dev/zero > a/large')
    const writer = await start({
      args: ['-c', 'while :; do date > /old/a/written; done'],
      run: ['--entrypoint=sh', ...mount],
    })
    expect(await rescue(volume, mount, '/old', '--adopt')).toMatchObject({
      exitCode: 85,
      stderr: expect.stringContaining('something writes to it'),
    })
    await writer.remove()
    expect((await rescue(volume, [])).stdout).toBe('nothing of Mathesar or Postgres is here')
  })

  /** A cluster in order, but for what it has in two tables. */
  const makeHarmed = async (): Promise<readonly [volume: string, torn: string]> => {
    const volume = await newVolume()
    const box = await start({ volume })
    await box.ready()
    await sql(box, 'mathesar_django', 'CREATE DATABASE zoo')
    await sql(
      box,
      'zoo',
      "CREATE TABLE public.animals AS SELECT 'animal ' || n FROM generate_series(1, 100) n",
    )
    await sql(
      box,
      'mathesar_django',
      `CREATE TABLE public.a_deadly AS SELECT repeat('deadly', 40) AS text;
      CREATE TABLE public.torn AS SELECT n, repeat('x', 100) FROM generate_series(1, 2000) n;
      CREATE TABLE public.whole AS SELECT 'whole ' || n FROM generate_series(1, 100) n;`,
    )
    const path = (table: string) =>
      sql(box, 'mathesar_django', `SELECT pg_relation_filepath('public.${table}')`)
    const [deadly, torn] = [await path('a_deadly'), await path('torn')]
    expect((await box.stop()).exitCode).toBe(0)
    await box.remove()
    await onVolume(
      volume,
      `export PATH=$(ls -d /usr/lib/postgresql/*/bin):$PATH
      cd postgres; pg_checksums --disable -D . > /dev/null
      python3 - ${deadly} ${torn} <<'END'
${harm}
END`,
    )
    return [volume, torn]
  }

  it('gives no checksums to a page that is damaged, and says which one that is', async () => {
    const [[old, torn], volume] = [await makeHarmed(), await newVolume()]
    const mount = [`--volume=${old}:/old:ro`]
    const adopt = () => rescue(volume, mount, '/old/postgres', '--adopt')
    const enable = `export PATH=$(ls -d /usr/lib/postgresql/*/bin):$PATH; cd postgres
      pg_checksums --enable -D . > /dev/null`
    for (const prepare of ['true', enable]) {
      await onVolume(old, prepare)
      expect(await adopt()).toMatchObject({
        exitCode: 34,
        stderr: expect.stringMatching(
          /Postgres cannot read page 3 of \S+\/base\/\d+\/\d+\n[^]*--salvage \/saved/,
        ),
      })
    }
    // As soon as its headers are in order, what its checksums say.
    await onVolume(
      old,
      `cd postgres; dd if=${torn} bs=1 skip=16396 count=4 status=none |
        dd of=${torn} bs=1 seek=24588 conv=notrunc status=none`,
    )
    expect(await adopt()).toMatchObject({
      exitCode: 34,
      stderr: expect.stringMatching(/checksum verification failed in file \S+, block 3\b/),
    })
    expect((await rescue(volume, [])).stdout).toBe('nothing of Mathesar or Postgres is here')
  })

  it('salvages what comes after a table that kills whoever reads it', async () => {
    const [[volume], saved] = [await makeHarmed(), await newVolume()]
    const salvaged = await rescue(volume, [`--volume=${saved}:/saved`], '--salvage', '/saved')
    expect(salvaged.stdout).toMatch(
      /^LOST {5}mathesar_django: public.a_deadly: .*server closed the connection/m,
    )
    expect(salvaged.stdout).toMatch(/^DAMAGED {2}mathesar_django: public.torn: .* at least 1 pages/m)
    const fileOf = (name: string): string =>
      new RegExp(`^saved {4}${name}: /saved/(.*)$`, 'm').exec(salvaged.stdout)?.[1] ?? 'missing'
    const [whole, animals] = [fileOf('mathesar_django: public.whole'), fileOf('zoo: public.animals')]
    expect(await onVolume(saved, `grep -c '^whole ' ${whole}; grep -c '^animal ' ${animals}`)).toBe(
      '100\n100',
    )
    expect(salvaged.exitCode).toBe(34)
  })

  it('salvages from a copy of a cluster that does not open, by table, and says what is lost', async () => {
    const volume = await newVolume()
    const box = await start({ volume })
    await box.ready()
    const tables = `
      CREATE TABLE public.whole AS SELECT n FROM generate_series(1, 100) n;
      CREATE TABLE public.torn AS SELECT n, repeat('x', 100) FROM generate_series(1, 2000) n;
      CREATE TABLE public.gone AS SELECT 1 AS n`
    await sql(box, 'mathesar_django', tables)
    await sql(box, 'mathesar_django', 'CHECKPOINT')
    const path = (table: string) =>
      sql(box, 'mathesar_django', `SELECT pg_relation_filepath('public.${table}')`)
    const [torn, gone] = [await path('torn'), await path('gone')]
    await box.signal('KILL')
    await box.ended()
    await box.remove()
    await onVolume(
      volume,
      `cd postgres; rm pg_wal/0* ${gone}
        printf XXXX | dd of=${torn} bs=1 seek=28000 conv=notrunc status=none`,
    )
    const untouched = await checksumOf(volume)
    const salvaged = await rescue(volume, ['--tmpfs=/saved'], '--salvage', '/saved')
    expect(salvaged.stdout).toContain('Its log could not be replayed')
    expect(salvaged.stdout).toMatch(/^LOST {5}mathesar_django: public.gone: .*could not open file/m)
    expect(salvaged.stdout).toMatch(/^DAMAGED {2}mathesar_django: public.torn: .* at least 1 pages/m)
    expect(salvaged.stdout).toMatch(/^saved {4}mathesar_django: public.whole: \/saved\/1\/\d+.sql/m)
    expect(salvaged.exitCode).toBe(34)
    expect(await checksumOf(volume)).toBe(untouched)
    await onVolume(volume, `mv postgres/pg_wal wal; ln -s ${dataFolder}/wal postgres/pg_wal`)
    const linked = await checksumOf(volume)
    expect(await rescue(volume, ['--tmpfs=/saved'], '--salvage', '/saved')).toMatchObject({
      exitCode: 85,
      stderr: expect.stringContaining('pg_wal in it is a link'),
    })
    expect(await checksumOf(volume)).toBe(linked)
  })
})

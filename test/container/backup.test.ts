import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Box,
  checksumOf,
  cleanUp,
  dataFolder,
  describeContainer,
  docker,
  image,
  logIn,
  makeAdmin,
  mustDocker,
  newVolume,
  onVolume,
  type Result,
  start,
  until,
} from '../helpers/docker.ts'
import { description, entriesOf, packed } from '../unit/operations/archives.ts'

const passphrase = 'a passphrase for a test'
const oddDatabase = `we "ird' name`
const oddRole = `o'dd "role`
const oddFile = `${'long name '.repeat(20)}\n"quoted".csv`

/** One command of Docker's client with files for its streams. */
const stream = async (
  args: readonly string[],
  files: { readonly from?: string; readonly to?: string },
): Promise<Result> => {
  const { exitCode, stderr } = await execa('docker', [...args], {
    reject: false,
    timeout: 120_000,
    ...(files.from === undefined ? { stdin: 'ignore' } : { inputFile: files.from }),
    ...(files.to === undefined ? {} : { stdout: { file: files.to }, buffer: { stdout: false } }),
  })
  return { exitCode: exitCode ?? -1, stdout: '', stderr: String(stderr) }
}

const runOn = (volume: string, ...more: readonly string[]): string[] => [
  'run',
  '--rm',
  '--interactive',
  '--network=none',
  `--volume=${volume}:${dataFolder}`,
  ...more,
]

const restoreInto = (volume: string, archive: string, ...more: readonly string[]): Promise<Result> =>
  stream([...runOn(volume), image, 'restore', '-', ...more], { from: archive })

/** All that a restore must bring back, as it is now. */
const stateOf = async (box: Box): Promise<string> => {
  const sql = `
    SELECT 'note', count(*), sum(id) FROM public.note;
    SELECT 'oid', 'public.note'::regclass::oid, attname, attnum FROM pg_attribute
      WHERE attrelid = 'public.note'::regclass AND attnum > 0 AND NOT attisdropped;
    SELECT 'large', lo_get(1234567);
    SELECT 'unlogged', count(*) FROM public.unlogged_note;
    SELECT datname, oid FROM pg_database WHERE NOT datistemplate ORDER BY 2;
    SELECT rolname, oid, rolpassword FROM pg_authid WHERE oid > 16383 ORDER BY 2`
  const { stdout, exitCode, stderr } = await box.supervisor(
    'psql',
    '--superuser',
    '-d',
    'mathesar_django',
    '-tAc',
    sql,
  )
  if (exitCode !== 0) throw new Error(stderr)
  const files = await box.sh(
    `cd ${dataFolder}; find media -type f -print0 | sort -z | xargs -0 sha256sum; ` +
      'sha256sum secrets/secret_key; supervisor config get GUNICORN_TIMEOUT',
  )
  return stdout + files.stdout
}

/** None comes by itself between those of the tests. */
const byHand = { BACKUP_SCHEDULE: '0 0 1 1 *', BACKUP_DRILL: 'off' }

/** The commands in README.txt of an archive: what is indented. */
const commandsIn = (readme: string): string =>
  readme
    .slice(readme.indexOf('Without it:'))
    .split('\n')
    .filter((line) => line.startsWith('    '))
    .join('\n')

describeContainer('a backup', () => {
  const folder = mkdtempSync(join(tmpdir(), 'backup-'))
  const archive = join(folder, 'archive.tar')
  let volume: string
  let box: Box
  let state: string

  const backUp = (to: string, ...options: readonly string[]): Promise<Result> =>
    stream(['exec', box.id, 'supervisor', 'backup', ...options], { to })

  beforeAll(async () => {
    volume = await newVolume()
    box = await start({ volume, env: byHand })
    await box.ready(90_000)
    await makeAdmin(box)
    for (const sql of [
      'CREATE TABLE note (id int, gone int, text text)',
      'ALTER TABLE note DROP gone',
      'CREATE UNLOGGED TABLE unlogged_note (id int)',
      "SELECT lo_from_bytea(1234567, 'a large object')",
      'INSERT INTO note SELECT i, repeat(i::text, 10) FROM generate_series(1, 10000) AS i',
      `CREATE DATABASE "${oddDatabase.replaceAll('"', '""')}"`,
      'CREATE DATABASE half',
      `CREATE ROLE "${oddRole.replaceAll('"', '""')}" LOGIN PASSWORD 'hunter2'`,
    ])
      expect(await box.supervisor('psql', '-c', sql)).toMatchObject({ exitCode: 0 })
    // As an interrupted DROP DATABASE leaves it: nobody gets in.
    const half = "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half'"
    expect(await box.supervisor('psql', '--superuser', '-c', half)).toMatchObject({ exitCode: 0 })
    expect(await box.supervisor('config', 'set', 'GUNICORN_TIMEOUT=299')).toMatchObject({ exitCode: 0 })
    const media = `setpriv --reuid 8000 --regid 8000 --clear-groups sh -euc`
    const script =
      `cd ${dataFolder}/media; printf data > "$1"; mkdir -p a/b; date > a/b/c; ` +
      'ln -s /etc/passwd link; mkfifo fifo'
    expect(await box.exec('sh', '-c', `${media} '${script}' -- "$1"`, '--', oddFile)).toMatchObject({
      exitCode: 0,
    })
    state = await stateOf(box)
    expect(await backUp(archive, '--include-secrets')).toMatchObject({
      exitCode: 0,
      stderr: expect.stringMatching(/not encrypted, and has the secret key[^]*backed up: \d/),
    })
  })
  afterAll(async () => {
    await cleanUp()
    rmSync(folder, { recursive: true })
  })

  it('restores an empty volume: rows, OIDs, column numbers, roles, databases, media and keys', async () => {
    const other = await newVolume()
    expect(await restoreInto(other, archive)).toMatchObject({
      exitCode: 0,
      stderr: expect.stringMatching(/restored: the state of 20[^]*It is in place/),
    })
    expect(await onVolume(other, 'find media ! -type f ! -type d; ls restore')).toBe('')
    const restored = await start({ volume: other, env: byHand })
    await restored.ready(90_000)
    expect(await stateOf(restored)).toBe(state)
    await logIn(restored)
    const manifest = await onVolume(other, 'cat manifest.json')
    const before = await onVolume(volume, 'cat manifest.json')
    expect(JSON.parse(manifest).instance).toBe(JSON.parse(before).instance)
    await restored.remove()
  })

  it('opens with stock tools alone, by the commands in its README.txt', async () => {
    const readme = (await execa('tar', ['-xOf', archive, 'README.txt'])).stdout
    const commands = commandsIn(readme)
      .replace('ARCHIVE', '/tmp/archive.tar')
      .replace('psql -h', 'psql -tA -h')
    const script =
      `cd "$(mktemp -d)"; cat > /tmp/archive.tar\n${commands} -c 'SELECT count(*), ` + `sum(id) FROM note'`
    const args = ['run', '--rm', '-i', '--network=none', '--user=5432:5432', '--entrypoint=bash', image]
    const { stdout, exitCode, stderr } = await execa('docker', [...args, '-euo', 'pipefail', '-c', script], {
      inputFile: archive,
      reject: false,
    })
    expect(exitCode, `${stdout}\n${stderr}`).toBe(0)
    expect(stdout).toContain('backup successfully verified')
    expect(stdout).toMatch(/^10000\|50005000$/m)
  })

  describe('that builds on another', () => {
    const chain = join(folder, 'chain')
    let [full, middle, last] = ['', '', '']
    const count = ['psql', '-tAc', 'SELECT count(*) FROM since'] as const

    /** One more row, and a backup in another second. Returns what it said, and its name. */
    const backUpMore = async (on: Box, ...args: readonly string[]): Promise<[said: string, name: string]> => {
      const sql = 'CREATE TABLE IF NOT EXISTS since (id int); INSERT INTO since VALUES (1)'
      await on.supervisor('psql', '-qc', sql)
      await delay(1100)
      const { exitCode, stdout, stderr } = await on.supervisor('backup', ...args, '--include-secrets')
      expect(exitCode, stderr).toBe(0)
      return [stderr, stdout.split('/').at(-1)!]
    }

    it('says so in its name, and is listed and proved with all that it needs', async () => {
      let said: string
      ;[said, full] = await backUpMore(box, '--scheduled')
      expect(said).toContain('a full backup is made: there is none yet')
      const id = /^mathesar-(\w{8}-20[\dTZ-]+)\.tar$/
      middle = (await backUpMore(box, '--scheduled'))[1]
      expect(middle).toContain(`-after-${id.exec(full)![1]}.tar`)
      ;[said, last] = await backUpMore(box, 'volume', '--incremental')
      expect(said).not.toContain('a full backup')
      expect(last).toMatch(new RegExp(`^mathesar-20[\\dTZ-]+-after-${middle.slice(9, 38)}\\.tar$`))
      const { stdout: list } = await box.supervisor('backup', 'list')
      expect(list).toMatch(new RegExp(`${last} .* incremental .* 2 more, [\\d.]+ MiB`))
      expect((await box.supervisor('backup', 'show', last)).stdout).toContain(`"parent": "${middle}"`)
      expect((await box.supervisor('backup', 'verify', last)).stdout).toMatch(/^proved in/)
      mkdirSync(chain)
      const copy = ['exec', box.id, 'tar', '-C', `${dataFolder}/backups`, '-c', '.']
      await stream(copy, { to: `${chain}.tar` })
      await execa('tar', ['-xf', `${chain}.tar`, '--no-same-owner', '-C', chain])
      await execa('chmod', ['-R', 'a+rX', chain])
    })

    it('is refused alone and restored with the others; no history that was left is built on', async () => {
      const other = await newVolume()
      expect(await restoreInto(other, join(chain, last))).toMatchObject({
        exitCode: 94,
        stderr: expect.stringContaining(middle),
      })
      const restore = [...runOn(other, `--volume=${chain}:/from:ro`), image, 'restore', `/from/${last}`]
      expect(await stream(restore, {})).toMatchObject({ exitCode: 0 })
      const restored = await start({ volume: other })
      await restored.ready(90_000)
      expect(await stateOf(restored)).toBe(state)
      expect((await restored.supervisor(...count)).stdout).toBe('3')
      const [, kept] = await backUpMore(restored, '--scheduled')
      expect((await backUpMore(restored, '--scheduled'))[1]).toContain('-after-')
      expect(await restored.supervisor('restore', kept, '--replace')).toMatchObject({ exitCode: 0 })
      await mustDocker('restart', restored.id)
      await restored.ready(90_000)
      // It has the same identifier and timeline, and never had what the last one has.
      expect((await backUpMore(restored, '--scheduled'))[0]).toContain(
        'a full backup is made: Postgres has no summary of its log since the last one',
      )
      await restored.remove()
    })

    it('opens with stock tools alone, by the commands in its README.txt', async () => {
      const { stdout: readme } = await execa('tar', ['-xOf', join(chain, last), 'README.txt'])
      const commands = commandsIn(readme).replace('ARCHIVE', last).replace('psql -h', 'psql -tA -h')
      const script = `cd "$(mktemp -d)"; cp /from/*.tar .\n${commands} -c 'SELECT count(*) FROM since'`
      const args = ['run', '--rm', '-v', `${chain}:/from:ro`, '--network=none', '--user=5432:5432']
      const stock = await docker(...args, '--entrypoint=bash', image, '-euo', 'pipefail', '-c', script)
      expect(stock.exitCode, stock.stderr).toBe(0)
      expect(stock.stdout).toMatch(/backup successfully verified[^]*^3$/m)
    })

    it('keeps from removal what it builds on, also where somebody made it by hand', async () => {
      const options = ['-e', 'BACKUP_KEEP=1 last', '-e', 'BACKUP_FULL_EVERY=0', box.id]
      for (const isThere of [true, false]) {
        await mustDocker('exec', ...options, 'supervisor', 'backup', '--scheduled')
        const names = (await box.sh(`ls ${dataFolder}/backups`)).stdout
        expect([full, middle].map((name) => names.includes(name))).toEqual([isThere, isThere])
        await box.sh(`rm -f ${dataFolder}/backups/${last}; sleep 1.1`)
      }
    })
  })

  it('that is cut off, altered, foreign or locked is refused, a volume in use, too: all stays', async () => {
    const used = await newVolume()
    await onVolume(
      used,
      'mkdir secrets postgres; echo 17 > postgres/PG_VERSION; echo key > secrets/secret_key',
    )
    const before = await checksumOf(used)
    const bytes = readFileSync(archive)
    const bad = join(folder, 'bad.tar')
    const refused = async (content: Buffer, exitCode: number, ...more: readonly string[]): Promise<void> => {
      writeFileSync(bad, content)
      expect(await restoreInto(used, bad, ...more)).toMatchObject({ exitCode })
      expect(await onVolume(used, 'ls -A restore 2>/dev/null || true')).toBe('')
    }
    await refused(bytes, 84)
    await refused(bytes.subarray(0, bytes.length - 5000), 81, '--replace')
    bytes[bytes.length >> 1]! ^= 1
    await refused(bytes, 81, '--replace')
    await refused(Buffer.of(), 81, '--replace')
    await refused(Buffer.from('something else '.repeat(1000)), 81, '--replace')
    await refused(Buffer.from('age-encryption.org/v1\n-> X25519 a\n'), 83, '--replace')
    for (const script of [
      'ln -s /etc/passwd l; tar -c l',
      'touch f; ln f h; tar -c f h',
      'mkfifo p; tar -c p',
      'touch x; tar -c -P --transform "s|x|../../../x|" x',
      'touch x; tar -c -P --transform "s|x|/var/lib/mathesar/x|" x',
      'mkdir -p global; touch PG_VERSION; tar -c .',
    ]) {
      const { stdout } = await execa('sh', ['-euc', `cd "$(mktemp -d)"; ${script}`], { encoding: 'buffer' })
      const inner: [string, Buffer] = ['postgres.tar.zst', Buffer.from(stdout)]
      const entries = await entriesOf(inner, ['media.tar.zst', Buffer.alloc(1024)])
      const said = {
        name: 'backup.json',
        data: Buffer.from(JSON.stringify({ ...description, migration: null })),
      }
      await refused(
        packed(entries.map((entry) => (entry.name === said.name ? said : entry))),
        81,
        '--replace',
      )
    }
    expect(await checksumOf(used)).toBe(before)
  })

  it('replaces the state of a container that serves at its next start, and goes back', async () => {
    const other = await newVolume()
    const serving = await start({ volume: other })
    await serving.ready(90_000)
    const exec = ['exec', '-i', serving.id, 'supervisor', 'restore', '-']
    expect(await stream(exec, { from: archive })).toMatchObject({ exitCode: 84 })
    expect(await stream([...exec, '--replace'], { from: archive })).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('docker restart'),
    })
    expect((await serving.supervisor('health')).stdout).toBe('ready')
    await serving.signal('KILL')
    await serving.startAgain()
    await serving.ready(90_000)
    expect(await stateOf(serving)).toBe(state)
    expect(await serving.supervisor('restore', '--undo')).toMatchObject({ exitCode: 0 })
    await mustDocker('restart', serving.id)
    await serving.ready(90_000)
    expect((await serving.supervisor('psql', '-tAc', "SELECT to_regclass('note') IS NULL")).stdout).toBe('t')
    expect(await serving.supervisor('restore', '--forget')).toMatchObject({ exitCode: 0 })
    expect((await serving.sh(`ls -A ${dataFolder}/restore`)).stdout).toBe('')
    await serving.remove()
  })

  it('that waits for the next start is taken back, and loses nothing that was kept before', async () => {
    const other = await newVolume()
    const serving = await start({ volume: other })
    await serving.ready(90_000)
    await serving.supervisor('psql', '-c', 'CREATE TABLE mine (id int)')
    const restore = (...more: readonly string[]): Promise<Result> =>
      stream(['exec', '-i', serving.id, 'supervisor', 'restore', '-', '--replace', ...more], {
        from: archive,
      })
    const isMine = async (): Promise<boolean> =>
      (await serving.supervisor('psql', '-tAc', "SELECT to_regclass('mine')")).stdout === 'mine'
    expect(await restore()).toMatchObject({ exitCode: 0 })
    const told = (await serving.supervisor('status')).stdout
    expect(told).toMatch(/! supervisor: a restore of 20.* waits for the next start/)
    expect(await serving.supervisor('restore', '--forget')).toMatchObject({
      exitCode: 84,
      stderr: expect.stringContaining('waits for the next start'),
    })
    expect(await serving.supervisor('restore', '--undo')).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('is taken back'),
    })
    expect((await serving.supervisor('status')).stdout).not.toContain('waits for the next start')
    await mustDocker('restart', serving.id)
    await serving.ready(90_000)
    expect(await isMine()).toBe(true)

    expect(await restore()).toMatchObject({ exitCode: 0 })
    await mustDocker('restart', serving.id)
    await serving.ready(90_000)
    expect(await isMine()).toBe(false)
    expect(await restore()).toMatchObject({
      exitCode: 84,
      stderr: expect.stringMatching(/the state from before the restore of 20.* is kept, and would go/),
    })
    expect(await restore('--forget')).toMatchObject({ exitCode: 0 })
    expect(await serving.supervisor('restore', '--undo')).toMatchObject({ exitCode: 0 })
    expect(await serving.supervisor('restore', '--undo')).toMatchObject({
      exitCode: 0,
      stderr: expect.stringMatching(/brought back: the state that was kept at the restore of 20/),
    })
    await mustDocker('restart', serving.id)
    await serving.ready(90_000)
    expect(await isMine()).toBe(true)
    await serving.remove()
  })

  it('without its key replaces nothing that has another one, unless the key is given', async () => {
    const plain = join(folder, 'keyless.tar')
    expect(await backUp(plain)).toMatchObject({ exitCode: 0 })
    const secretKey = await onVolume(volume, 'cat secrets/secret_key')
    const other = await newVolume()
    const serving = await start({ volume: other })
    await serving.ready(90_000)
    const restore = (...env: readonly string[]): Promise<Result> =>
      stream(['exec', '-i', ...env, serving.id, 'supervisor', 'restore', '-', '--replace'], { from: plain })
    expect(await restore()).toMatchObject({
      exitCode: 84,
      stderr: expect.stringMatching(/it has no secret key[^]*-e SECRET_KEY=[^]*Nothing was changed/),
    })
    expect((await serving.sh(`ls -A ${dataFolder}/restore 2>/dev/null || true`)).stdout).toBe('')
    expect(await restore('-e', `SECRET_KEY=${secretKey}`)).toMatchObject({ exitCode: 0 })
    await mustDocker('restart', serving.id)
    await serving.ready(90_000)
    await logIn(serving)
    await serving.remove()
  })

  it('is listed where it does not open, beside those that do', async () => {
    await box.supervisor('backup', 'volume')
    const cut = 'head -c 3000 "$(ls | head -n 1)" > mathesar-2026-01-01T00-00-00Z.tar'
    await box.sh(`cd ${dataFolder}/backups; ${cut}`)
    const listed = await box.supervisor('backup', 'list')
    expect(listed, listed.stderr).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/ exact [^]*2026-01-01T00-00-00Z\.tar +0\.0 +cannot use this archive/),
    })
    await box.sh(`rm ${dataFolder}/backups/mathesar-2026-01-01T00-00-00Z.tar`)
    expect(await box.supervisor('restore', `${dataFolder}/backups`, '--replace')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('it is a folder'),
    })
  })

  it('without encryption leaves secrets out; with the key of the installation it serves', async () => {
    const plain = join(folder, 'plain.tar')
    expect(await backUp(plain)).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('--include-secrets'),
    })
    const { stdout } = await execa('tar', ['-tf', plain])
    expect(stdout).not.toContain('secrets/')
    const secretKey = await onVolume(volume, 'cat secrets/secret_key')
    expect(readFileSync(plain).includes(secretKey)).toBe(false)

    const other = await newVolume()
    expect(await restoreInto(other, plain)).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('-e SECRET_KEY='),
    })
    const without = await start({ volume: other })
    expect(await without.ended()).toBe(35)
    const restored = await start({ volume: other, env: { SECRET_KEY: secretKey } })
    await restored.ready(90_000)
    await logIn(restored)
    await restored.remove()
  })

  it('is encrypted with a passphrase, opens with it alone, and can be listed and verified', async () => {
    const locked = join(folder, 'locked.tar.age')
    const secret = ['-e', `BACKUP_PASSPHRASE=${passphrase}`]
    expect(await stream(['exec', ...secret, box.id, 'supervisor', 'backup'], { to: locked })).toMatchObject({
      exitCode: 0,
    })
    expect(readFileSync(locked).subarray(0, 21).toString()).toBe('age-encryption.org/v1')
    const inside = await mustDocker('exec', ...secret, box.id, 'supervisor', 'backup', 'volume')
    expect(inside).toMatch(/^\/var\/lib\/mathesar\/backups\/mathesar-[\dTZ-]+\.tar\.age$/)
    expect(await mustDocker('exec', ...secret, box.id, 'supervisor', 'backup', 'list')).toMatch(
      /volume +mathesar-[\dTZ-]+\.tar\.age +[\d.]+ +20\S+ +exact +0\.0\.1-sample +17\.\d+ +encrypted/,
    )
    const proof = await mustDocker('exec', ...secret, box.id, 'supervisor', 'backup', 'verify', 'newest')
    expect(proof).toMatch(/^proved in [\d.]+ s: .* and it has \d{5} rows in \d+ tables of 3 databases$/)
    expect((await box.supervisor('status')).stdout).toMatch(/Backup: .*last proved .*, a restore takes \d+ s/)
    expect((await box.sh(`ls -A ${dataFolder}/restore`)).stdout).toBe('')
    expect(await box.supervisor('backup', 'verify', inside)).toMatchObject({ exitCode: 83 })

    const other = await newVolume()
    expect(await restoreInto(other, locked)).toMatchObject({ exitCode: 83 })
    const args = runOn(other, ...secret)
    expect(await stream([...args, image, 'restore', '-'], { from: locked })).toMatchObject({ exitCode: 0 })
  })

  it('of a user other than root restores for that user', async () => {
    const [from, to] = [await newVolume(), await newVolume()]
    const run = ['--user', '12345:0']
    const own = join(folder, 'own.tar')
    const first = await start({ volume: from, run })
    await first.ready(90_000)
    await makeAdmin(first)
    const secretKey = (await first.sh(`cat ${dataFolder}/secrets/secret_key`)).stdout
    expect(await stream(['exec', first.id, 'supervisor', 'backup'], { to: own })).toMatchObject({
      exitCode: 0,
    })
    await first.remove()
    expect(await stream([...runOn(to, ...run), image, 'restore', '-'], { from: own })).toMatchObject({
      exitCode: 0,
    })
    const second = await start({ volume: to, run, env: { SECRET_KEY: secretKey } })
    await second.ready(90_000)
    await logIn(second)
    await second.remove()
  })

  it('is written nowhere that goes with the container', async () => {
    expect(await box.supervisor('backup', '/tmp')).toMatchObject({
      exitCode: 87,
      stderr: expect.stringContaining('nothing is mounted there'),
    })
  })

  it('that is killed leaves no slot and an archive that is refused; Mathesar serves on', async () => {
    const killed = join(folder, 'killed.tar')
    let exitCode = 0
    for (let attempt = 0; exitCode === 0 && attempt < 5; attempt++) {
      rmSync(killed, { force: true })
      const running = stream(['exec', box.id, 'supervisor', 'backup', '--include-secrets'], { to: killed })
      await until('it writes', () => (statSync(killed, { throwIfNoEntry: false })?.size ?? 0) > 0)
      await box.sh("pkill -KILL -f 'main.cjs backup'")
      exitCode = (await running).exitCode // 0 where it was faster.
      const { stdout } = await execa('tar', ['--list', '--file', killed], { reject: false })
      if (stdout.endsWith('SHA256SUMS')) exitCode = 0 // It was faster, but for its end.
    }
    expect(exitCode).not.toBe(0)
    const slots = ['psql', '--superuser', '-tAc', 'SELECT count(*) FROM pg_replication_slots']
    await until('the slot is gone', async () => (await box.supervisor(...slots)).stdout === '0')
    const other = await newVolume()
    expect(await restoreInto(other, killed)).toMatchObject({ exitCode: 81 })
    expect((await box.supervisor('health')).stdout).toBe('ready')
    expect(await backUp(killed, '--include-secrets')).toMatchObject({ exitCode: 0 })
  })

  it(
    'restores whole or not at all when the restore is killed at any moment',
    { timeout: 900_000 },
    async () => {
      const other = await newVolume()
      let placed = 0
      for (let afterMs = 200; placed < 2 && afterMs < 100_000; afterMs = Math.round(afterMs * 1.35)) {
        const name = `${box.id}-restore`
        const args = [
          'run',
          '--rm',
          '--interactive',
          '--name',
          name,
          '--network=none',
          `--volume=${other}:${dataFolder}`,
        ]
        const running = stream([...args, image, 'restore', '-', '--replace'], { from: archive })
        await Promise.race([delay(afterMs), running])
        await docker('kill', name)
        await running
        const isThere = (await onVolume(other, 'test -e postgres/PG_VERSION && echo yes || true')) === 'yes'
        const journal = await onVolume(other, 'cat restore/journal.json 2>/dev/null || true')
        if (journal === '' && !isThere)
          expect(await onVolume(other, 'ls -A')).not.toMatch(/postgres|secrets|manifest/)
        placed += isThere || journal !== '' ? 1 : 0
      }
      expect(placed).toBe(2)
      const restored = await start({ volume: other })
      await restored.ready(90_000)
      expect(await stateOf(restored)).toBe(state)
      await restored.remove()
    },
  )

  it('can be made of a volume at rest; a portable one has every database by its name', async () => {
    expect((await box.stop()).exitCode).toBe(0)
    const [offline, portable] = [join(folder, 'offline.tar'), join(folder, 'portable.tar')]
    const args = [...runOn(volume), image, 'backup', '-']
    expect(await stream([...args, '--include-secrets'], { to: offline })).toMatchObject({
      exitCode: 0,
      stderr: expect.not.stringMatching(/ info +postgres /),
    })
    expect(statSync(offline).size).toBeGreaterThan(1_000_000)
    expect(await stream([...args, '--portable'], { to: portable })).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('not what people built in Mathesar'),
    })
    const readme = (await execa('tar', ['-xOf', portable, 'README.txt'])).stdout
    expect(readme).toContain(JSON.stringify(oddDatabase))
    const script = `cd "$(mktemp -d)"; tar -x; sha256sum --quiet --check SHA256SUMS
      cat databases/1.dump.zst.* | zstd -d | pg_restore -f - | grep -c 'COPY public.note '
      cat roles.sql.zst.* | zstd -d`
    const { stdout } = await execa(
      'docker',
      ['run', '--rm', '-i', '--entrypoint=bash', image, '-euc', script],
      { inputFile: portable },
    )
    expect(stdout).toMatch(/^1\n/)
    expect(stdout).toContain(`CREATE ROLE "${oddRole.replaceAll('"', '""')}"`)
    expect(stdout).not.toContain('SCRAM-SHA-256')
    const other = await newVolume()
    expect(await restoreInto(other, portable)).toMatchObject({
      exitCode: 82,
      stderr: expect.stringContaining('README.txt'),
    })
    expect(await restoreInto(other, offline)).toMatchObject({ exitCode: 0 })
  })

  it('brings everything back by the commands of docs/lost-container.md', async () => {
    await box.remove()
    const page = readFileSync(new URL('../../docs/lost-container.md', import.meta.url), 'utf8')
    const fresh = await newVolume()
    const script = [...page.matchAll(/^```sh\n([^]*?)^```/gm)]
      .map(([, block]) => block)
      .join('')
      .replaceAll('mathesar-new:', `${fresh}:`)
      .replaceAll('mathesar:/v', `${volume}:/v`)
      .replaceAll('mathesar-one', image)
      .replaceAll(/^docker run -d .*$/gm, '') // The other tests start it.
    const { exitCode, stdout, stderr } = await execa('bash', ['-euc', script], { cwd: folder, reject: false })
    expect(exitCode, stderr).toBe(0)
    expect(stdout).toContain('an installation of this image')
    expect(stdout).toContain('The short way back is the image that made it')
    const again = await start({ volume: fresh })
    await again.ready(90_000)
    expect(await stateOf(again)).toBe(state)
    await again.remove()
  })
})

describeContainer('a restore that does not fit', () => {
  const folder = mkdtempSync(join(tmpdir(), 'large-'))
  const archive = join(folder, 'large.tar')

  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true })
    await cleanUp()
  })

  it('ends before Postgres, which serves from the volume, has no space', async () => {
    const from = await start({ volume: await newVolume() })
    await from.ready(90_000)
    await from.sh(
      `head -c 400M /dev/urandom > ${dataFolder}/media/large && chmod 644 ${dataFolder}/media/large`,
    )
    const args = ['exec', from.id, 'supervisor', 'backup', '-', '--include-secrets']
    const made = await stream(args, { to: archive })
    expect(made.exitCode, made.stderr).toBe(0)
    await from.remove()

    const box = await start({ volume: await newVolume(420), run: [`--volume=${folder}:/from:ro`] })
    await box.ready(90_000)
    const least = box.sh(`
      for _ in $(seq 600); do
        df --output=avail -m ${dataFolder} | tail -1
        [ -e ${dataFolder}/tmp/enough ] && break
        sleep 0.05
      done | sort -n | head -1`)
    const refused = await box.supervisor('restore', '/from/large.tar', '--replace')
    await box.sh(`touch ${dataFolder}/tmp/enough`)
    expect(refused.exitCode, refused.stderr).toBe(31)
    expect(refused.stderr).toContain('cannot restore')
    expect(Number((await least).stdout)).toBeGreaterThan(4)
    expect(await box.logs()).not.toContain('No space left')
    expect(await box.unit('postgres')).toMatchObject({ state: 'ready', restarts: 0 })
    await box.remove()
  })
})

describe('the commands of a README.txt', () => {
  it('are what is indented', () => {
    expect(commandsIn('x\n    docker run\n\nWithout it:\n\n    a\nb\n    c\n')).toBe('    a\n    c')
  })
})

import { expect, it } from 'vitest'
import { cleanUpAfterEach, describeContainer, docker, image, newVolume, start } from '../helpers/docker.ts'

/** More of them are tried by hand: 10,000 tables, and 3,000 MB, of which Postgres makes several files. */
const tables = Number(process.env.TEST_TABLES ?? 500)
const megabytes = Number(process.env.TEST_MEGABYTES ?? 20)

const rowsOfMegabyte = 4000 // Of 256 bytes, about.

const build = `supervisor psql -X -q -v ON_ERROR_STOP=1 > /dev/null << 'END'
CREATE SCHEMA many;
SELECT format('CREATE TABLE many.t%s AS SELECT %s AS n', i, i) FROM generate_series(1, ${tables}) AS i \\gexec
CREATE TABLE large AS SELECT n, repeat(md5(n::text), 7) AS text
  FROM generate_series(1, ${megabytes * rowsOfMegabyte}) AS n;
END`

const counts = `
  SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'many'::regnamespace AND relkind = 'r'),
  (SELECT n FROM many.t${tables}), count(*), sum(hashtext(text)) FROM large`

describeContainer('a backup of a large installation', () => {
  cleanUpAfterEach()

  it('is proved, and restores all of it', { timeout: 1_800_000 }, async () => {
    const [volume, other] = [await newVolume(), await newVolume()]
    const box = await start({ volume, env: { BACKUP_SCHEDULE: 'off' } })
    await box.ready()
    expect(await box.sh(build)).toMatchObject({ exitCode: 0, stderr: '' })
    const count = async (at: typeof box): Promise<string> =>
      (await at.supervisor('psql', '-X', '-tAc', counts)).stdout.trim()
    const before = await count(box)
    expect(before).toMatch(`${tables}|${tables}|${megabytes * rowsOfMegabyte}|`)
    expect(await box.supervisor('backup', 'volume', '--include-secrets')).toMatchObject({ exitCode: 0 })
    const verified = await box.supervisor('backup', 'verify', 'newest')
    expect(verified, verified.stderr).toMatchObject({ exitCode: 0 })
    const [, inTables] = /rows in (\d+) tables/.exec(verified.stdout) ?? []
    expect(Number(inTables)).toBeGreaterThan(tables)
    const archive = (await box.sh('ls /var/lib/mathesar/backups/mathesar-*')).stdout.trim()
    await docker('stop', box.id)
    const mounts = [`--volume=${volume}:/from:ro`, `--volume=${other}:/var/lib/mathesar`]
    const from = archive.replace('/var/lib/mathesar', '/from')
    const restored = await docker('run', '--rm', '--network=none', ...mounts, image, 'restore', from)
    expect(restored.exitCode, restored.stderr).toBe(0)
    const next = await start({ volume: other, env: { BACKUP_SCHEDULE: 'off' } })
    await next.ready()
    expect(await count(next)).toBe(before)
  })
})

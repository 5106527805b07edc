import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { cleanUp, describeContainer, docker, image, mustDocker, newVolume } from '../helpers/docker.ts'

/** How many of the points of each operation are tried; `all` of them by hand. */
const wanted = process.env.TEST_KILL_POINTS === 'all' ? 10_000 : Number(process.env.TEST_KILL_POINTS ?? 3)

const die = fileURLToPath(new URL('../fixtures/die.cjs', import.meta.url))

/** What all scripts begin with. `old` is a cluster of another image, `base` an installation at rest. */
const prelude = `
  cd /lab; export SUPERVISOR_DATA=/lab/v PORT=18999 BIND_ADDRESS=127.0.0.1
  export BACKUP_SCHEDULE='0 0 1 1 *' BACKUP_DRILL=off
  as() { setpriv --reuid postgres --regid postgres --clear-groups \\
    env PATH=/usr/lib/postgresql/17/bin:$PATH "$@"; }
  marks() {
    find "$1" -path "$1/restore" -prune -o ! -name '.*lock' -type f -printf '%P %s %T@ %i\\n' | sort
  }
  dying="/usr/local/lib/supervisor/node --require /die.cjs /usr/local/lib/supervisor/main.cjs"
`
const make = `${prelude}
  mkdir -m 755 base old; chown postgres old
  SUPERVISOR_DATA=/lab/base timeout -s TERM 250 supervisor run > made.log 2>&1 &
  until supervisor health > /dev/null; do sleep 0.2; done
  supervisor psql -c 'CREATE TABLE mark AS SELECT 1 AS id' > /dev/null
  export SUPERVISOR_DATA=/lab/base
  supervisor backup - --include-secrets > archive.tar 2> /dev/null
  for id in 2 3; do
    supervisor backup --scheduled --include-secrets > last
    supervisor psql -c "INSERT INTO mark VALUES ($id)" > /dev/null
    sleep 1.1 # The name of an archive has seconds.
  done
  cp -a base/backups chain; ln -s "$(basename "$(cat last)")" chain/last; grep -q after last
  kill -TERM %1; wait %1 || cat made.log >&2
  as initdb -D old -U postgres -A trust -E UTF8 > /dev/null
  as pg_ctl -D old -w -o '-k /tmp -c listen_addresses=' start > /dev/null
  as createdb -h /tmp -U postgres library; as pg_ctl -D old -w stop > /dev/null`

/** Runs an operation on a copy of the installation, and kills it there. Says what is there then. */
const killAt = (operation: string, point: number): string => `${prelude}
  rm -rf v; cp -a base v; marks v > before
  DIE_AT=${point} $dying ${operation} > out 2>&1
  pkill -KILL -x postgres; while pgrep -x postgres > /dev/null; do sleep 0.02; done
  if test -e v/restore/journal.json; then echo new
  elif test "$(marks v)" = "$(cat before)"; then echo old
  else echo changed; fi`

/** A start on it, as far as the database, and what it has. */
const open = `${prelude}
  supervisor backup - --include-secrets > after.tar 2> out || { cat out; exit 1; }
  tar -xOf after.tar backup.json | grep -o '"instance.*'; grep -o '"restored"\\|"adopted"' v/manifest.json
  ls v/restore`

const archivesAreWhole = `${prelude}
  for each in v/backups/mathesar-*; do test -e "$each" || continue
    rm -rf unpacked; mkdir unpacked; tar -xf "$each" -C unpacked
    (cd unpacked; sha256sum --quiet --check SHA256SUMS) || exit 1
  done
  supervisor backup --scheduled > out 2>&1 && supervisor backup verify --quick newest > out 2>&1 ||
    { cat out; exit 1; }`

describeContainer('an operation that is killed at any of its steps', () => {
  let lab: string
  const sh = async (script: string): Promise<string> => {
    const { stdout, stderr, exitCode } = await docker('exec', lab, 'bash', '-uc', script)
    if (exitCode !== 0) throw new Error(`${exitCode}: ${stdout}\n${stderr}`)
    return stdout
  }
  beforeAll(async () => {
    const volume = await newVolume()
    const mounts = ['--volume', `${volume}:/lab`, '--volume', `${die}:/die.cjs:ro`]
    lab = await mustDocker('run', '--init', '--detach', ...mounts, '--entrypoint=sleep', image, 'infinity')
    await sh(make)
  })
  afterAll(async () => {
    await docker('rm', '--force', '--volumes', lab)
    await cleanUp()
  })

  /** Some of the points, the first and the last among them. */
  const pointsOf = async (operation: string): Promise<readonly number[]> => {
    const said = await sh(`${prelude} rm -rf v; cp -a base v; $dying ${operation} 2>&1 >/dev/null`)
    const count = Number(/^steps: (\d+)$/m.exec(said)?.[1] ?? 0)
    expect(count, said).toBeGreaterThan(20)
    const step = Math.max(1, (count - 1) / Math.max(1, wanted - 1))
    return [...new Set(Array.from({ length: Math.min(wanted, count) }, (_, n) => Math.floor(n * step)))]
  }

  it.each([
    ['restore', 'restore /lab/archive.tar --replace', '"restored"'],
    ['restore of a chain', 'restore /lab/chain/$(readlink /lab/chain/last) --replace', '"restored"'],
    ['adoption', 'rescue /lab/old --adopt --replace', '"adopted"'],
  ])(
    'a %s leaves the old state untouched, or the next start has the new one whole',
    async (_, operation, mark) => {
      const found = { old: 0, new: 0 }
      for (const point of await pointsOf(operation)) {
        const state = (await sh(killAt(operation, point))).trim()
        expect(['old', 'new'], `killed at step ${point}`).toContain(state)
        if (state === 'new') expect(await sh(open), `killed at step ${point}`).toContain(mark)
        found[state as keyof typeof found] += 1
      }
      console.log(`${operation}: ${JSON.stringify(found)}`)
      expect(found.old).toBeGreaterThan(0)
      expect(found.new).toBeGreaterThan(0)
    },
    3_000_000,
  )

  it.each(['backup volume', 'backup --scheduled'])(
    '`%s` leaves no archive that is not whole, and the next one is made',
    async (operation) => {
      const points = await pointsOf(operation)
      for (const point of points) {
        await sh(killAt(operation, point))
        await sh(archivesAreWhole)
      }
      console.log(`${operation}: ${points.length} points`)
    },
    3_000_000,
  )
})

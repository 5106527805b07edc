import { inWords } from '../../core/outcome.ts'
import { inVolume } from '../place.ts'
import { asMathesar, libpqEnvironment } from '../postgres/libpq.ts'
import type { Scope } from '../unit.ts'

/** How many are kept; the oldest goes first. */
const keptLimit = 4

/**
 * Keeps a dump of the internal database on an external server before an upgrade: nothing may be copied
 * beside it there. Mathesar keys nothing of its own tables by OID, so a restored dump is exact. One that
 * cannot be had is said, and is not a reason to stay with the old version: such a server has backups of its
 * own.
 */
export const dumpBefore = async (scope: Scope<'volume'>, to: string, signal: AbortSignal): Promise<void> => {
  const { system, place, inForce, results } = scope
  const { files, log } = system
  if (results.volume.isEphemeral) return
  const folder = inVolume(place.paths).kept
  const day = new Date(system.clock.now()).toISOString().slice(0, 10)
  const path = `${folder}/${day}-before-${to.replaceAll(/[^0-9A-Za-z.+-]/g, '-').slice(0, 30)}.dump`
  const part = `${folder}/new.part` // A try that fails takes nothing away from an earlier one.
  files.makeFolder(folder, 0o700)
  const { outcome, lines } = await system.runProgram(
    'migrations',
    {
      argv: ['pg_dump', '--format=custom', '--no-password', '--lock-wait-timeout=10s', `--file=${part}`],
      cwd: '/',
      env: libpqEnvironment(place, asMathesar(place.paths, inForce.database)),
    },
    signal,
  )
  const refuse = (why: string): void => {
    files.remove(part)
    log.say('warn', `no dump is kept of before the upgrade: ${why}`)
  }
  if (outcome.code !== 0) return refuse(`pg_dump ${inWords(outcome)}: ${lines.at(-1) ?? ''}`)
  try {
    files.syncFile(part)
    files.renameWhole(part, path)
  } catch (error) {
    return refuse((error as Error).message)
  }
  log.say('info', `the internal database before Mathesar ${to} is kept as ${path}`)
  const dumps = files.listFolder(folder).filter((name) => name.endsWith('.dump'))
  for (const name of dumps.slice(0, -keptLimit)) files.remove(`${folder}/${name}`)
}

import { newestFirst, parseArchiveName } from '../../core/archive-name.ts'
import { minuteOf } from '../../core/moment.ts'
import type { System } from '../../system/ports.ts'
import { inVolume, type Place } from '../place.ts'
import type { Scope } from '../unit.ts'
import { alterSystemHint } from './alter-system.ts'

/** The archives in the volume, the newest first; those that a clock has dated in the future come last. */
export const archivesIn = (
  { files, clock }: Pick<System, 'files' | 'clock'>,
  place: Place,
): readonly { readonly path: string; readonly atMs: number }[] => {
  const { backups } = inVolume(place.paths)
  try {
    const found = files.listFolder(backups).flatMap((name) => {
      const atMs = parseArchiveName(name)?.atMs
      return atMs === undefined ? [] : [{ path: `${backups}/${name}`, atMs }]
    })
    const order = newestFirst(clock.now())
    return found.toSorted((one, other) => order(one.atMs, other.atMs))
  } catch {
    return []
  }
}

/** What to type where the cluster cannot be used: an archive first, for it loses no number of a table. */
export const wayBackHint = (scope: Scope<never>): string => {
  const newest = archivesIn(scope.system, scope.place)[0]
  const archive =
    newest === undefined
      ? 'Restore a backup: `docker run --rm -i --volumes-from CONTAINER IMAGE restore - --replace < FILE`.'
      : `The volume has a backup of ${minuteOf(newest.atMs)} UTC, and \`docker run --rm --volumes-from ` +
        `CONTAINER IMAGE restore ${newest.path} --replace\` brings it back; what is there now is kept beside.`
  return (
    `${archive} \`docker run --rm --volumes-from CONTAINER -v ./saved:/saved IMAGE rescue --salvage ` +
    '/saved` saves what can be read of what is there. Nothing was changed.'
  )
}

/** What Postgres says of files that are torn or gone. */
const damage = new RegExp(
  [
    'PANIC',
    'valid checkpoint record',
    'invalid page',
    'incorrect checksum',
    'corrupt',
    'could not read blocks?',
    'could not (open|read|access) (file|directory) .*No such file',
  ].join('|'),
)

/** What to type when Postgres died again and again, as far as its files or its last lines tell. */
export const crashHint = (scope: Scope<never>): string | undefined => {
  const isDamaged = scope.system.log.tail('postgres', 20).some((line) => damage.test(line))
  return alterSystemHint(scope) ?? (isDamaged ? wayBackHint(scope) : undefined)
}

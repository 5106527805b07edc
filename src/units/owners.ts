import type { User } from '../core/unit.ts'
import { SupervisorError } from '../errors.ts'
import { readManifest } from './manifest.ts'
import { inVolume } from './place.ts'
import { chownHint } from './refusal.ts'
import type { Scope } from './unit.ts'

const versionFile = ({ place }: Scope<never>): string => `${inVolume(place.paths).cluster}/PG_VERSION`

/**
 * Refuses, as root, a volume that was made with `--user`: Postgres could not read its data as another user,
 * nor that user what root would take. Data that a restore gave to somebody else is not such a volume.
 */
export const requireOwnData = (scope: Scope<never>, postgres: User): void => {
  const { system, place } = scope
  const { paths } = place
  // Root runs no Postgres: a file system that names root names whoever asks.
  const owner = system.files.statOf(versionFile(scope))?.uid ?? 0
  if (owner === 0 || owner === postgres.uid) return
  const startedAs = readManifest(scope).cluster?.startedAs
  if (startedAs === 0 || system.files.statOf(inVolume(paths).secrets)?.uid === 0) return
  const start = `Start with \`--user ${owner}:0\` or \`-e PUID=${owner}\``
  const giveBack = chownHint(place, `${postgres.uid}:${postgres.gid}`, inVolume(paths).cluster)
  throw new SupervisorError(
    'VOLUME_NOT_WRITABLE',
    `cannot use ${paths.data} as root: its data belongs to user ${owner}, and Postgres would run as ` +
      `user ${postgres.uid}`,
    {
      hint:
        startedAs === owner
          ? `${start}, as before; nothing was changed.`
          : `${start} if it was made so. If a restore lost its owners, give them back: ${giveBack}. ` +
            'Nothing was changed.',
    },
  )
}

/** Gives back to the users of the services what a restore or a copy gave to others. Only root can. */
export const restoreOwners = (scope: Scope<never>): void => {
  const { system, place, inForce } = scope
  const { postgres, mathesar } = place.identities
  const { cluster, media } = inVolume(place.paths)
  const give = (tree: string, last: string, user: User | undefined): void => {
    const owners = [tree, last].map((path) => system.files.statOf(path)?.uid)
    if (user === undefined || owners.every((uid) => uid === undefined || uid === user.uid)) return
    const count = system.files.giveTree(tree, user, last)
    if (count > 1) system.log.say('warn', `${count} files in ${tree} were not ${user.name}'s: given back`)
  }
  if (inForce.database.kind === 'embedded') give(cluster, versionFile(scope), postgres)
  give(media, media, mathesar)
}

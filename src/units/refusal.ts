import { spaceInWords } from '../core/space.ts'
import { SupervisorError, toSupervisorError } from '../errors.ts'
import { readManifest } from './manifest.ts'
import type { Place } from './place.ts'
import type { Scope } from './unit.ts'

const readOnlyHint =
  'It is mounted read-only: leave off `:ro` (`readOnly`). If it is not, the kernel did so after an error: ' +
  'look at `dmesg` on the host.'

/** Root passes every mode: what keeps it out is the mount. */
const rootHint =
  'Modes do not stop root, so it is the mount. SELinux: add `:Z` to it (`-v ./data:/var/lib/mathesar:Z`). ' +
  'NFS: export it with `no_root_squash`, or start with `--user` and the ids of the folder. ' +
  'FUSE: mount it with `allow_other`.'

/** How somebody gives files in the volume to other ids, on the host and where they know it only by name. */
export const chownHint = ({ paths }: Pick<Place, 'paths'>, ids: string, path = paths.data): string =>
  `\`docker run --rm --user 0 --entrypoint chown -v VOLUME:${paths.data} IMAGE -R ${ids} ${path}\``

const ownerHint = (scope: Scope<never>): string => {
  const { supervisor } = scope.place.identities
  const startedAs = readManifest(scope).cluster?.startedAs
  if (startedAs === 0) return 'The volume is one of root: start without `--user`, as before.'
  if (startedAs !== undefined && startedAs !== supervisor.uid)
    return `Start with \`--user ${startedAs}:0\`, as before.`
  const ids = `${supervisor.uid}:${supervisor.gid}`
  return (
    `Give it to this user once: ${chownHint(scope.place, ids)}. ` +
    `A folder of the host: \`chown -R ${ids}\` it there. In Kubernetes set \`fsGroup\`.`
  )
}

/** Whether the file system would let somebody else. */
export const isForbidden = (cause: unknown): boolean =>
  ['EACCES', 'EPERM'].includes((cause as NodeJS.ErrnoException).code ?? '')

const hintOf = (scope: Scope<never>, cause: unknown): string | undefined => {
  if ((cause as NodeJS.ErrnoException).code === 'EROFS') return readOnlyHint
  if (!isForbidden(cause)) return undefined
  return scope.place.identities.supervisor.uid === 0 ? rootHint : ownerHint(scope)
}

/** What is free on the volume, to follow a sentence that says it is full. */
export const whatIsFree = ({ system, place }: Scope<never>): string => {
  const space = system.files.freeSpace(place.paths.data)
  return space === undefined ? '' : ` (${spaceInWords(space)})`
}

/** Turns what the file system refuses into words. `hint` is for a place where another one works. */
export const refusalOf = (
  scope: Scope<never>,
  path: string,
  cause: unknown,
  hint?: string,
): SupervisorError => {
  const error = toSupervisorError(cause)
  const { code = '', message } = cause as NodeJS.ErrnoException
  if (cause instanceof SupervisorError || code === 'EIO' || !/^E[A-Z0-9]+$/.test(code)) return error
  const told = hint ?? hintOf(scope, cause)
  const options = { cause, ...(told === undefined ? {} : { hint: told }) }
  return error.code === 'VOLUME_FULL'
    ? new SupervisorError('VOLUME_FULL', `cannot use ${path}: no space left${whatIsFree(scope)}`, options)
    : new SupervisorError(
        'VOLUME_NOT_WRITABLE',
        `cannot use ${path} as user ${scope.place.identities.supervisor.uid}: ${message}`,
        options,
      )
}

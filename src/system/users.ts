import type { User } from '../core/unit.ts'
import { SupervisorError } from '../errors.ts'

type ServiceUsers = { readonly postgres: User; readonly mathesar: User; readonly door: User }

/** The ids of the image's own users. Files in volumes belong to them. */
const imageIds = { postgres: 5432, mathesar: 8000, door: 8001 }

/**
 * The users that run the services for root, in the lines of /etc/passwd. Postgres lets them in by the first
 * name that their id has there, and no two must be the same: there would be no wall between Mathesar and the
 * superuser. Outside of an image there are no ids of ours, and Mathesar and the door may run as nobody.
 */
export const findServiceUsers = (users: readonly User[], isImage: boolean): ServiceUsers => {
  const numbered = (uid: number): User | undefined => users.find((user) => user.uid === uid)
  const named = (name: string): User | undefined => users.find((user) => user.name === name)
  const [postgres, mathesar, door] = isImage
    ? [numbered(imageIds.postgres), numbered(imageIds.mathesar), numbered(imageIds.door)]
    : [named('postgres'), named('mathesar') ?? named('nobody'), named('door') ?? named('nobody')]
  const isOurs =
    !isImage || (postgres?.name === 'postgres' && mathesar?.name === 'mathesar' && door?.name === 'door')
  const isApart = ![mathesar?.uid, door?.uid].includes(postgres?.uid)
  if (postgres && mathesar && door && isOurs && isApart) return { postgres, mathesar, door }
  throw new SupervisorError(
    'PRIVILEGES_INSUFFICIENT',
    'cannot start as root: /etc/passwd does not have the users ' +
      `${Object.entries(imageIds)
        .map(([name, id]) => `${name} (${id})`)
        .join(', ')}, which keep Mathesar apart from Postgres`,
    {
      hint:
        'It is not the file of the image: start without the mount at /etc/passwd, or with ' +
        '`--user 1000:0` (any number but 0) on a volume of its own.',
    },
  )
}

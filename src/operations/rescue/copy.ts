import { createHash } from 'node:crypto'
import { SupervisorError } from '../../errors.ts'
import type { User } from '../../core/unit.ts'
import { outputOf, runToEnd, tool } from '../programs.ts'
import { makeMissingFolders } from '../../units/postgres/folder.ts'
import type { OperationScope } from '../scope.ts'
import { findOdd, makeOwnFolder, removeOddMedia } from '../stage.ts'

/** A digest of what every file in a folder is, and when it was last written. */
const stateOf = async (scope: OperationScope, folder: string): Promise<string> => {
  const digest = createHash('sha256')
  const argv = ['find', folder, '-type', 'f', '-printf', String.raw`%P\0%s\0%T@\0%C@\0`] as const
  const listing = outputOf(scope, {
    what: `read ${folder}`,
    command: tool(argv),
  })
  for await (const chunk of listing) digest.update(chunk)
  return digest.digest('hex')
}

const copyCommand = [
  'cp',
  '--recursive',
  '--no-dereference',
  '--reflink=auto',
  '--preserve=mode,timestamps',
] as const

const copy = async (
  scope: OperationScope,
  from: string,
  to: string,
  user: User | undefined,
  fine: readonly number[] = [0],
): Promise<void> => {
  makeOwnFolder(scope, to, undefined, 0o700)
  await runToEnd(scope, {
    what: `copy ${from}`,
    command: tool([...copyCommand, `${from}/.`, to]),
    code: 'VOLUME_NOT_WRITABLE',
    fine,
  })
  if (user !== undefined) scope.system.files.giveTree(to, user, to)
}

/** Of the server that ran on it, and where its data is that is not below the folder. */
const leftOut = ['postmaster.pid', 'postmaster.opts']

/** What is done to a copy must not reach what a link in it leads to, such as the log of the original. */
const makeFit = async (scope: OperationScope, from: string, to: string): Promise<void> => {
  const odd = await findOdd(scope, to)
  if (odd !== undefined)
    throw new SupervisorError('RESCUE_REFUSED', `cannot use ${from}: ${odd} in it is a link or a device`, {
      hint: 'Put what it leads to in its place, in a copy of that folder. Nothing was changed.',
    })
  for (const name of leftOut) scope.system.files.remove(`${to}/${name}`)
  await makeMissingFolders(scope, to)
}

/**
 * Copies a cluster. Where nothing in it changed meanwhile, the copy is as a cut of the power leaves one, and
 * Postgres recovers it. No lock file tells whether a server in another container writes to it.
 */
export const copyCluster = async (scope: OperationScope, from: string, to: string): Promise<void> => {
  const { files } = scope.system
  if (files.isThere(`${from}/pg_tblspc`) && files.listFolder(`${from}/pg_tblspc`).length > 0)
    throw new SupervisorError(
      'RESCUE_REFUSED',
      `cannot adopt ${from}: it has tablespaces, which lie elsewhere`,
      {
        hint:
          'Move what is in them into the cluster (`ALTER TABLE … SET TABLESPACE pg_default`). ' +
          'Nothing was changed.',
      },
    )
  const before = await stateOf(scope, from)
  await copy(scope, from, to, scope.place.identities.postgres)
  if ((await stateOf(scope, from)) !== before)
    throw new SupervisorError(
      'RESCUE_REFUSED',
      `cannot adopt ${from}: something writes to it, so a server runs on it`,
      { hint: 'Stop the old container (`docker stop`), and try again. Nothing was changed.' },
    )
  await makeFit(scope, from, to)
}

/** Copies what can be read of a cluster on a disk that fails. */
export const copyWhatCanBeRead = async (scope: OperationScope, from: string, to: string): Promise<void> => {
  await copy(scope, from, to, scope.place.identities.postgres, [0, 1])
  await makeFit(scope, from, to)
}

/** Copies what people uploaded, if there is any. */
export const copyMedia = async (
  scope: OperationScope,
  from: string | undefined,
  to: string,
): Promise<void> => {
  const { mathesar } = scope.place.identities
  if (from === undefined) return makeOwnFolder(scope, to, mathesar, 0o750)
  await copy(scope, from, to, mathesar)
  await removeOddMedia(scope, to)
  scope.system.setOwner(to, mathesar, 0o750)
}

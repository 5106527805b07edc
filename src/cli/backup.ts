import { isatty } from 'node:tty'
import { renderTable } from '../core/table.ts'
import { spaceInWords } from '../core/space.ts'
import { SupervisorError } from '../errors.ts'
import type { Bytes } from '../operations/archive/bytes.ts'
import type { Description } from '../operations/archive/description.ts'
import { checkArchive, openArchive } from '../operations/archive/read.ts'
import { lockOf, writeBackup } from '../operations/backup.ts'
import { keyOf } from '../operations/keys.ts'
import { lockOperations, type OperationScope } from '../operations/scope.ts'
import { prove } from '../operations/verify.ts'
import { mountOf } from '../units/mounts.ts'
import { parseArguments } from './arguments.ts'
import { backupsFolder, createProgress, openOperation, tell, untilStopped, withServer } from './operation.ts'

const MiB = 1024 * 1024
/** What has to stay free where an archive is written: a server that shares the file system needs it. */
const reserveBytes = 128 * MiB

const usage = (why: string): never => {
  throw new SupervisorError('USAGE', `cannot back up: ${why}`, { hint: 'Type `supervisor backup --help`.' })
}

/** Writes to standard output as fast as it is read. */
const print = async (bytes: Bytes): Promise<void> => {
  for await (const chunk of bytes)
    if (!process.stdout.write(chunk))
      await new Promise<void>((resolve) => process.stdout.once('drain', resolve))
}

/** Stops before the file system is full. */
async function* whileThereIsRoom(
  { system }: OperationScope,
  folder: string,
  bytes: Bytes,
): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    const space = system.files.freeSpace(folder)
    if (space !== undefined && (space.bytes < reserveBytes || space.inodes === 0))
      throw new SupervisorError(
        'VOLUME_FULL',
        `cannot write an archive to ${folder}: ${spaceInWords(space)}`,
        {
          hint: 'Nothing of it was kept. Free some space, or write it elsewhere: `… backup - > FILE`.',
        },
      )
    yield chunk
  }
}

const requirePlace = (scope: OperationScope, folder: string): void => {
  const { system, place } = scope
  if (!folder.startsWith('/')) usage(`${folder} is not an absolute path`)
  if (!system.files.isThere(folder)) usage(`${folder} is not there`)
  const mounts = system.readMounts()
  if (mounts.size === 0 || folder.startsWith(`${place.paths.data}/`) || mountOf(mounts, folder).point !== '/')
    return
  throw new SupervisorError('USAGE', `cannot back up to ${folder}: nothing is mounted there`, {
    hint: `It would be gone with the container. Mount a folder: \`-v /srv/backups:${folder}\`.`,
  })
}

/** The folder that is meant, `undefined` for standard output. */
const folderOf = (scope: OperationScope, place: string): string | undefined => {
  if (place === '-') return undefined
  if (place === 'volume') return backupsFolder(scope)
  requirePlace(scope, place)
  return place
}

const nameOf = ({ system }: OperationScope, isLocked: boolean): string => {
  const at = new Date(system.clock.now()).toISOString().replace(/\.\d+/, '').replaceAll(':', '-')
  return `mathesar-${at}.tar${isLocked ? '.age' : ''}`
}

type Wanted = {
  readonly place: string
  readonly isPortable: boolean
  readonly includesSecrets: boolean
}

const warn = ({ isPortable }: Wanted, isLocked: boolean, hasSecrets: boolean): void => {
  if (isPortable)
    tell(
      'A portable archive has the rows, and not what people built in Mathesar (settings, explorations, ' +
        'forms): a dump gives every table another OID.',
    )
  if (isLocked) return
  tell(
    hasSecrets
      ? 'This archive is not encrypted, and has the secret key: who has it can read every stored password.'
      : 'The secret key is not in this archive: without it nobody can decrypt the passwords that Mathesar ' +
          'stores. Set BACKUP_PASSPHRASE to encrypt archives, or give --include-secrets.',
  )
}

const create = async (scope: OperationScope, wanted: Wanted): Promise<void> => {
  const { system, inForce } = scope
  if (inForce.database.kind === 'external' && !wanted.isPortable)
    throw new SupervisorError('USAGE', 'cannot copy the files of an external database', {
      hint: 'Type `supervisor backup --portable`, or use the backups of its host, which are exact.',
    })
  const folder = folderOf(scope, wanted.place)
  lockOperations(scope)
  const lock = lockOf(scope)
  const hasSecrets = lock !== undefined || wanted.includesSecrets
  const progress = createProgress(system.clock)
  let written = 0
  const count = async function* (bytes: Bytes): AsyncGenerator<Buffer> {
    for await (const chunk of bytes) {
      written += chunk.length
      yield chunk
    }
  }
  warn(wanted, lock !== undefined, hasSecrets)
  const kind = wanted.isPortable ? 'portable' : 'exact'
  const plain = writeBackup(scope, { kind, hasSecrets, onProgress: progress.report })
  const archive = count(lock === undefined ? plain : system.encrypt(plain, lock))
  if (folder === undefined) await print(archive)
  else {
    const path = `${folder}/${nameOf(scope, lock !== undefined)}`
    await system.writeStream(path, whileThereIsRoom(scope, folder, archive))
    process.stdout.write(`${path}\n`)
  }
  const tookMs = progress.end()
  tell(`backed up: ${(written / MiB).toFixed(1)} MiB in ${(tookMs / 1000).toFixed(1)} s`)
}

const inWords = ({ kind, mathesar, postgres, hasSecrets }: Description, isLocked: boolean): string[] => [
  kind,
  mathesar ?? '',
  postgres ?? '',
  isLocked ? 'encrypted' : `with${hasSecrets ? '' : 'out'} secrets`,
]

const openFile = async (scope: OperationScope, path: string) => {
  const bytes = path === '-' ? process.stdin : scope.system.readStream(path)
  return await openArchive(scope.system, bytes as Bytes, keyOf(scope))
}

const list = async (scope: OperationScope, folder = backupsFolder(scope)): Promise<number> => {
  const names = scope.system.files.listFolder(folder).filter((name) => /\.tar(\.age)?$/.test(name))
  const rows = []
  for (const name of names.toSorted().toReversed()) {
    try {
      const { description, isLocked, entries } = await openFile(scope, `${folder}/${name}`)
      rows.push([name, description.at, ...inWords(description, isLocked)])
      await entries.return(undefined)
    } catch (error) {
      rows.push([name, '', (error as Error).message])
    }
  }
  if (rows.length > 0)
    process.stdout.write(
      `${renderTable([['ARCHIVE', 'MADE AT', 'KIND', 'MATHESAR', 'POSTGRES', 'SECRETS'], ...rows])}\n`,
    )
  return 0
}

const show = async (scope: OperationScope, path: string): Promise<number> => {
  const { description, entries } = await openFile(scope, path)
  await entries.return(undefined)
  process.stdout.write(`${JSON.stringify(description, null, 2)}\n`)
  return 0
}

const verify = async (scope: OperationScope, path: string, isQuick: boolean): Promise<number> => {
  const archive = await openFile(scope, path)
  const progress = createProgress(scope.system.clock)
  if (isQuick || archive.description.kind === 'portable') {
    const bytes = await checkArchive(archive)
    process.stdout.write(`every checksum is right; ${(bytes / MiB).toFixed(1)} MiB are in it\n`)
    return 0
  }
  let read = 0
  const { databases, tables, rows } = await prove(scope, archive, (more) => {
    read += more
    progress.report(read, archive.description.databaseBytes)
  })
  const tookMs = progress.end()
  process.stdout.write(
    `proved in ${(tookMs / 1000).toFixed(1)} s: it restores, every page and index is sound ` +
      `(pg_verifybackup, amcheck), and it has ${rows} rows in ${tables} tables ` +
      `of ${databases} databases\n`,
  )
  return 0
}

const options = {
  portable: { type: 'boolean', default: false },
  'include-secrets': { type: 'boolean', default: false },
  quick: { type: 'boolean', default: false },
} as const

/** Makes an archive, or looks into some. */
export const run = async (args: readonly string[]): Promise<number> => {
  const { positionals, values } = parseArguments(args, options, usage)
  const [first, second, ...more] = positionals
  if (more.length > 0) usage('there are too many arguments')
  if (first === 'list') return await list(await openOperation(), second)
  if (first === 'show' || first === 'verify') {
    if (second === undefined) return usage(`name the archive to ${first}, or - for standard input`)
    const scope = await openOperation()
    return await untilStopped(first === 'show' ? show(scope, second) : verify(scope, second, values.quick))
  }
  if (second !== undefined) usage(`${first} and ${second} are two places`)
  const isTerminal = isatty(1)
  if (first === '-' && isTerminal)
    usage('an archive is nothing for a terminal: write it to a file, `… backup - > FILE`')
  const wanted = {
    place: first ?? (isTerminal ? 'volume' : '-'),
    isPortable: values.portable,
    includesSecrets: values['include-secrets'],
  }
  return await withServer((scope) => create(scope, wanted))
}

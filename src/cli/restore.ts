import { isatty } from 'node:tty'
import { SupervisorError } from '../errors.ts'
import type { Bytes } from '../operations/archive/bytes.ts'
import { keyOf } from '../operations/keys.ts'
import { forgetRestore, restore, undoRestore } from '../operations/restore.ts'
import type { OperationScope } from '../operations/scope.ts'
import { inVolume } from '../units/place.ts'
import { parseArguments } from './arguments.ts'
import { createProgress, isServing, openOperation, tell, untilStopped } from './operation.ts'

const usage = (why: string): never => {
  throw new SupervisorError('USAGE', `cannot restore: ${why}`, { hint: 'Type `supervisor restore --help`.' })
}

const options = {
  replace: { type: 'boolean', default: false },
  undo: { type: 'boolean', default: false },
  forget: { type: 'boolean', default: false },
} as const

/** Whether the volume is ours alone; throws where another container has it. */
const takeVolume = async ({ system, place }: OperationScope): Promise<boolean> => {
  system.files.makeFolder(place.paths.data, 0o755)
  if (system.lock(inVolume(place.paths).lock)) return true
  if (await isServing()) return false
  throw new SupervisorError(
    'VOLUME_IN_USE',
    `cannot restore into ${place.paths.data}: a container that is running uses it`,
    {
      hint: 'Stop it, or restore in it: `docker exec -i CONTAINER supervisor restore - --replace < ARCHIVE`.',
    },
  )
}

const sayWhatNext = (isInPlace: boolean, kept: string | undefined): void => {
  tell(
    isInPlace
      ? 'It is in place: start the container on this volume.'
      : 'It takes the place of what serves now at the next start: `docker restart CONTAINER`.',
  )
  if (kept !== undefined)
    tell(
      `The state before is kept in ${kept}: \`supervisor restore --undo\` brings it back, ` +
        '`supervisor restore --forget` removes it.',
    )
}

/** Restores an archive, or the state from before that. */
export const run = async (args: readonly string[]): Promise<number> => {
  const {
    positionals: [path, ...more],
    values: { replace, undo, forget },
  } = parseArguments(args, options, usage)
  const isWithoutArchive = undo || forget
  if (more.length > 0) return usage('there are too many arguments')
  if ((path === undefined) !== isWithoutArchive || (undo && forget))
    return usage('name one archive, or - for standard input, or give --undo or --forget alone')
  if (path === '-' && isatty(0)) return usage('standard input is a terminal: `… restore - < ARCHIVE`')
  const scope = await openOperation()
  const isAlone = await takeVolume(scope)
  if (forget) {
    tell(forgetRestore(scope) ? 'The state from before the last restore is removed.' : 'There is none.')
    return 0
  }
  if (undo) {
    sayWhatNext(isAlone, undoRestore(scope, isAlone))
    return 0
  }
  const progress = createProgress(scope.system.clock)
  const bytes = path === '-' ? process.stdin : scope.system.readStream(path!)
  const { description, kept, warnings } = await untilStopped(
    restore(scope, bytes as Bytes, {
      mayReplace: replace,
      isAlone,
      lock: keyOf(scope),
      onProgress: progress.report,
    }),
  )
  const tookMs = progress.end()
  tell(`restored: the state of ${description.at}, proved by checksums, in ${(tookMs / 1000).toFixed(1)} s`)
  for (const warning of warnings) tell(warning)
  sayWhatNext(isAlone, kept)
  return 0
}

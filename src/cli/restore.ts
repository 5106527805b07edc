import { isatty } from 'node:tty'
import { inSeconds } from '../core/amounts.ts'
import { minuteOf } from '../core/moment.ts'
import { keyOf } from '../operations/locks.ts'
import { forgetRestore, restore, type Undone, undoRestore } from '../operations/restore.ts'
import { openSource } from './archives.ts'
import { parseArguments, type Usage, usageOf } from './arguments.ts'
import { createProgress, openOperation, tell, untilStopped } from './operation.ts'
import { sayWhatNext, takeVolume } from './into-volume.ts'

const usage: Usage = usageOf('restore', 'restore')

const options = {
  replace: { type: 'boolean', default: false },
  undo: { type: 'boolean', default: false },
  forget: { type: 'boolean', default: false },
} as const

const sayUndone = (isAlone: boolean, undone: Undone): void => {
  if (undone.is === 'taken back')
    return tell('The restore that waited for the next start is taken back: all stays as it is.')
  tell(`brought back: the state that was kept at the restore of ${minuteOf(undone.at)} UTC`)
  sayWhatNext(isAlone, undone.kept)
}

/** Restores an archive, or the state from before that. */
export const run = async (args: readonly string[]): Promise<number> => {
  const {
    positionals: [path, ...more],
    values: { replace, undo, forget },
  } = parseArguments(args, options, usage)
  const isWithoutArchive = undo || (forget && !replace)
  if (more.length > 0) return usage('there are too many arguments')
  if ((path === undefined) !== isWithoutArchive || (undo && forget))
    return usage('name one archive, or - for standard input, or give --undo or --forget alone')
  if (path === '-' && isatty(0)) return usage('standard input is a terminal: `… restore - < ARCHIVE`')
  const scope = await openOperation()
  const isAlone = await takeVolume(scope)
  if (path === undefined && forget) {
    tell(
      forgetRestore(scope)
        ? 'The state from before the last restore is removed.'
        : 'No state from before a restore is kept.',
    )
    return 0
  }
  if (undo) {
    sayUndone(isAlone, undoRestore(scope, isAlone))
    return 0
  }
  const progress = createProgress(scope.system.clock)
  const source = await openSource(scope, path!)
  const { description, kept, warnings } = await untilStopped(
    restore(scope, source, {
      mayReplace: replace,
      mayForget: forget,
      isAlone,
      lock: keyOf(scope),
      onProgress: progress.report,
    }),
    'Nothing was changed: what was there is as before. Type the same again to restore.',
  )
  const tookMs = progress.end()
  tell(`restored: the state of ${description.at}, proved by checksums, in ${inSeconds(tookMs)}`)
  for (const warning of warnings) tell(warning)
  sayWhatNext(isAlone, kept)
  return 0
}

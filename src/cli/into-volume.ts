import { SupervisorError } from '../errors.ts'
import { isServing } from '../http/client.ts'
import { lockOperations, type OperationScope } from '../operations/scope.ts'
import { inUseBy, requireUnheld } from '../units/holder.ts'
import { inVolume } from '../units/place.ts'
import { finishBegun } from '../units/swap.ts'
import { tell } from './operation.ts'

const requireWhole = (scope: OperationScope): void => {
  if (!finishBegun(scope)) return
  throw new SupervisorError(
    'RESTORE_REFUSED',
    'cannot begin: a restore that was cut off had to be finished first, and its state is in place now',
    { hint: '`supervisor restore --undo` brings back the one before; or type the same again.' },
  )
}

/** Whether the volume is ours alone; throws where another container has it. */
export const takeVolume = async (scope: OperationScope): Promise<boolean> => {
  const { system, place } = scope
  system.files.makeFolder(place.paths.data, 0o755)
  if (system.lock(inVolume(place.paths).lock)) {
    await requireUnheld({ system, place })
    requireWhole(scope)
    return true
  }
  if (await isServing()) return false
  lockOperations(scope) // Who has the volume may be a restore: what a killed container left names that one.
  throw new SupervisorError('VOLUME_IN_USE', inUseBy({ system, place }).message, {
    hint: 'Stop it, or restore in it: `docker exec -i CONTAINER supervisor restore - --replace < ARCHIVE`.',
  })
}

/** Says what to type once a state has come into the volume. */
export const sayWhatNext = (isInPlace: boolean, kept: string | undefined): void => {
  if (isInPlace) {
    tell('It is in place: start the container on this volume.')
    if (kept !== undefined)
      tell(
        `The state before is kept in ${kept}: \`supervisor restore --undo\` brings it back, ` +
          '`supervisor restore --forget` removes it.',
      )
    return
  }
  tell('It takes the place of what serves now at the next start: `docker restart CONTAINER`.')
  if (kept !== undefined)
    tell(
      `What serves now is kept in ${kept} then. \`supervisor restore --undo\` takes this back, before that ` +
        'start or after it; `supervisor restore --forget` removes what is kept.',
    )
}

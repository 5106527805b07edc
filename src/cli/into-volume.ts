import { SupervisorError } from '../errors.ts'
import type { OperationScope } from '../operations/scope.ts'
import { inUseBy, requireUnheld } from '../units/holder.ts'
import { inVolume } from '../units/place.ts'
import { isServing, tell } from './operation.ts'

/** Whether the volume is ours alone; throws where another container has it. */
export const takeVolume = async ({ system, place }: OperationScope): Promise<boolean> => {
  system.files.makeFolder(place.paths.data, 0o755)
  if (system.lock(inVolume(place.paths).lock)) {
    await requireUnheld({ system, place })
    return true
  }
  if (await isServing()) return false
  throw new SupervisorError('VOLUME_IN_USE', inUseBy({ system, place }).message, {
    hint: 'Stop it, or restore in it: `docker exec -i CONTAINER supervisor restore - --replace < ARCHIVE`.',
  })
}

/** Says what to type once a state has come into the volume. */
export const sayWhatNext = (isInPlace: boolean, kept: string | undefined): void => {
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

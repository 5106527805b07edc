import { inWholeMiB } from '../core/amounts.ts'
import { fits, spaceInWords } from '../core/space.ts'
import { SupervisorError } from '../errors.ts'
import type { Where } from './unit.ts'

type About = {
  /** What it is for: "restore into /var/lib/mathesar". */
  readonly what: string
  readonly hint?: string
}

/** Refuses what needs more bytes than are free on the file system of a folder. */
export const requireFreeBytes = (
  { system }: Pick<Where, 'system'>,
  folder: string,
  bytes: number,
  { what, ...options }: About,
): void => {
  const space = system.files.freeSpace(folder)
  if (space === undefined || fits(space, bytes)) return
  throw new SupervisorError(
    'VOLUME_FULL',
    `cannot ${what}: about ${inWholeMiB(bytes)} are needed, and ${spaceInWords(space)}`,
    options,
  )
}

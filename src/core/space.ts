import { inMiB, MiB } from './amounts.ts'

/** What is free on a file system. Some have no fixed number of inodes. */
export type Space = { readonly bytes: number; readonly inodes: number | undefined }

/** Postgres writes its log ahead in files of this size (WAL segments). */
export const leastBytes = 16 * MiB
/** What stays free where something large is written: Postgres and all else come first. */
export const reserveBytes = 128 * MiB

/** What is free, in words. */
export const spaceInWords = ({ bytes, inodes }: Space): string =>
  inodes === 0 ? 'no inode is free, though bytes are' : `${inMiB(bytes)} are free`

/** Whether a file of that size can be written. */
export const fits = (space: Space, bytes: number): boolean => space.bytes >= bytes && space.inodes !== 0

/** Whether Postgres will soon be unable to write. */
export const isFull = (space: Space): boolean => !fits(space, leastBytes)

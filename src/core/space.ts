import { inMiB, MiB } from './amounts.ts'

/** What is free on a file system. Some have no fixed number of inodes. */
export type Space = { readonly bytes: number; readonly inodes: number | undefined }

/** Postgres writes its log ahead in files of this size (WAL segments). */
const leastBytes = 16 * MiB

/** What is free, in words. */
export const spaceInWords = ({ bytes, inodes }: Space): string =>
  inodes === 0 ? 'no inode is free, though bytes are' : `${inMiB(bytes)} are free`

/** Whether Postgres will soon be unable to write. */
export const isFull = ({ bytes, inodes }: Space): boolean => bytes < leastBytes || inodes === 0

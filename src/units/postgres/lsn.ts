/** Places in the log of Postgres (LSN), and its files. As numbers they are exact up to 9 PB of log. */

/** "16/B374D848" as a number. */
export const parseLsn = (text: string): number => {
  const [high = '', low = ''] = text.split('/')
  return Number.parseInt(high, 16) * 2 ** 32 + Number.parseInt(low, 16)
}

const hex = (number: number): string => number.toString(16).toUpperCase()

/** The same as Postgres writes it. */
export const formatLsn = (lsn: number): string => `${hex(Math.floor(lsn / 2 ** 32))}/${hex(lsn % 2 ** 32)}`

type Segments = { readonly timeline: number; readonly segmentBytes: number }

/** The number of the file that has a place. */
export const segmentOf = (lsn: number, { segmentBytes }: Pick<Segments, 'segmentBytes'>): number =>
  Math.floor(lsn / segmentBytes)

/** The name of a file by its number (xlog_internal.h, XLogFileName). */
export const segmentName = (segment: number, { timeline, segmentBytes }: Segments): string => {
  const perId = 2 ** 32 / segmentBytes
  return [timeline, Math.floor(segment / perId), segment % perId]
    .map((part) => hex(part).padStart(8, '0'))
    .join('')
}

/** The timeline that a file is of. */
export const timelineIn = (name: string): number => Number.parseInt(name.slice(0, 8), 16)

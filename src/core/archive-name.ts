/**
 * The name of an archive: when it was made (UTC), and, where the schedule made it, of which installation it
 * is. Only such a one is ever thinned out: what people made themselves stays.
 */
export type ArchiveName = { readonly atMs: number; readonly by: string | undefined }

const pattern = /^mathesar(?:-([A-Za-z0-9]{8}))?-(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)Z\.tar(?:\.age)?$/

export const formatArchiveName = ({ atMs, by }: ArchiveName, isLocked: boolean): string => {
  const at = new Date(atMs).toISOString().replace(/\.\d+/, '').replaceAll(':', '-')
  return `mathesar-${by === undefined ? '' : `${by}-`}${at}.tar${isLocked ? '.age' : ''}`
}

/** `undefined` for the name of anything else. */
export const parseArchiveName = (name: string): ArchiveName | undefined => {
  const [, by, day, hours, minutes, seconds] = pattern.exec(name) ?? []
  const atMs = Date.parse(`${day}T${hours}:${minutes}:${seconds}Z`)
  return Number.isNaN(atMs) ? undefined : { atMs, by }
}

/** What may be asked for by name: it has no folder in it. */
export const isArchiveName = (name: string): boolean => /^[A-Za-z0-9][\w.-]{0,200}\.tar(\.age)?$/.test(name)

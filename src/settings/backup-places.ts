import { excerpt } from '../core/message.ts'
import { listItems } from '../core/text.ts'

/** Where archives are kept. */
export type BackupPlace =
  | { readonly kind: 'volume' }
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 's3'; readonly bucket: string; readonly prefix: string }

/** No part of a name climbs or hides. */
const partPattern = /^[\w@=-][\w.@=-]*$/

/** `undefined` for a text that names none. */
export const parsePlace = (text: string): BackupPlace | undefined => {
  if (text === 'volume') return { kind: 'volume' }
  const [, bucket, rest = ''] = /^s3:\/\/([A-Za-z0-9][A-Za-z0-9._-]{1,62})(\/.*)?$/.exec(text) ?? []
  if (bucket !== undefined) {
    const parts = rest.split('/').filter((part) => part !== '')
    if (rest.length > 500 || !parts.every((part) => partPattern.test(part))) return undefined
    return { kind: 's3', bucket, prefix: parts.map((part) => `${part}/`).join('') }
  }
  const isFolder = /^\/[^\0\n\r]{0,1000}$/.test(text) && !text.split('/').includes('..')
  return isFolder ? { kind: 'folder', path: text.replace(/\/+$/, '') || '/' } : undefined
}

/** The place as people write it. */
export const placeInWords = (place: BackupPlace): string => {
  switch (place.kind) {
    case 'volume':
      return 'volume'
    case 'folder':
      return place.path
    case 's3':
      return `s3://${place.bucket}/${place.prefix}`.replace(/\/$/, '')
  }
}

/** Why a text does not list places. */
export const whyNotPlaces = (text: string): string | undefined => {
  const items = listItems(text)
  const wrong = items.find((item) => parsePlace(item) === undefined)
  if (wrong !== undefined)
    return (
      `"${excerpt(wrong, 80)}" must be \`volume\`, a mounted folder such as /backups, ` +
      'or s3://BUCKET/PREFIX'
    )
  const names = items.map((item) => placeInWords(parsePlace(item)!))
  return new Set(names).size < names.length ? `"${excerpt(text, 80)}" names a place twice` : undefined
}

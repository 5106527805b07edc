/** What S3 answers, in XML that programs write: it is read by the few names that matter. */

const unescape = (text: string): string =>
  text
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replace(/&#(?:34|x22);/gi, '"')
    .replaceAll('&amp;', '&')

/** The content of the first element of a name. */
export const textIn = (xml: string, name: string): string | undefined => {
  const [, text] = new RegExp(`<${name}(?: [^>]*)?>([^<]*)</${name}>`).exec(xml) ?? []
  return text === undefined ? undefined : unescape(text)
}

const elementsIn = (xml: string, name: string): readonly string[] =>
  xml.match(new RegExp(`<${name}>.*?</${name}>`, 'gs')) ?? []

export type Listed = { readonly key: string; readonly bytes: number; readonly etag: string }

/** A page of a list of objects, and what asks for the next one. */
export const parseList = (
  xml: string,
): {
  readonly objects: readonly Listed[]
  /** Whether more follow. */
  readonly isCut: boolean
  readonly next: string | undefined
} => {
  const objects = elementsIn(xml, 'Contents').map((each) => ({
    key: textIn(each, 'Key') ?? '',
    bytes: Number(textIn(each, 'Size')),
    etag: textIn(each, 'ETag') ?? '',
  }))
  const isCut = textIn(xml, 'IsTruncated') === 'true'
  return { objects, isCut, next: textIn(xml, 'NextContinuationToken') }
}

type Unfinished = { readonly key: string; readonly id: string; readonly atMs: number }

/** Uploads in parts that were begun and never ended. */
export const parseUploads = (xml: string): readonly Unfinished[] =>
  elementsIn(xml, 'Upload').map((each) => ({
    key: textIn(each, 'Key') ?? '',
    id: textIn(each, 'UploadId') ?? '',
    atMs: Date.parse(textIn(each, 'Initiated') ?? ''),
  }))

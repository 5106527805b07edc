import { dayMs } from '../../core/amounts.ts'
import { isArchiveName, parseArchiveName } from '../../core/archive-name.ts'
import { SupervisorError } from '../../errors.ts'
import type { BackupPlace } from '../../settings/backup-places.ts'
import type { Settings } from '../../settings/typed.ts'
import type { Upload } from '../../system/ports.ts'
import type { OperationScope } from '../scope.ts'
import { type Listed, parseList, parseUploads } from './s3-answers.ts'
import { type Account, isWorthIt, S3Client } from './s3-client.ts'
import { partBytesFor, S3Upload } from './s3-upload.ts'
import type { Store } from './store.ts'

type Bucket = Extract<BackupPlace, { readonly kind: 's3' }>

/** 1000 objects each. */
const pagesLimit = 100
/** Tries without a byte, in the midst of an archive. */
const readTries = 8

const accountOf = (settings: Settings, { bucket }: Bucket, title: string): Account => {
  const { BACKUP_S3_ACCESS_KEY: accessKey, BACKUP_S3_SECRET_KEY: secretKey } = settings
  if (accessKey === undefined || secretKey === undefined)
    throw new SupervisorError('BACKUP_PLACE_FAILED', `cannot use ${title}: it needs keys`, {
      hint: 'Give BACKUP_S3_ACCESS_KEY and BACKUP_S3_SECRET_KEY, or files with them: `…_FILE`.',
    })
  const region = settings.BACKUP_S3_REGION
  return {
    title,
    endpoint: settings.BACKUP_S3_ENDPOINT ?? `https://s3.${region}.amazonaws.com`,
    region,
    isPathStyle: settings.BACKUP_S3_PATH_STYLE,
    bucket,
    accessKey,
    secretKey,
  }
}

/** An authority of one's own, as storages in a home or company have. */
const trustOwn = ({ system, inForce: { settings } }: OperationScope, title: string): void => {
  const { BACKUP_S3_CA: path } = settings
  if (path === undefined) return
  try {
    const pem = system.files.readIfThere(path)
    if (pem === undefined) throw new Error('it is not there')
    system.trust(pem)
  } catch (cause) {
    const why = `cannot use ${title}: BACKUP_S3_CA, ${path}: ${(cause as Error).message}`
    throw new SupervisorError('BACKUP_PLACE_FAILED', why, {
      cause,
      hint: 'Mount a file in PEM there: -----BEGIN CERTIFICATE-----.',
    })
  }
}

/** A list goes on where it was, page by page: a try again costs one page. */
async function* listObjects(client: S3Client, prefix: string): AsyncGenerator<Listed> {
  let token: string | undefined
  for (let page = 0; page < pagesLimit; page++) {
    const more = token === undefined ? {} : { 'continuation-token': token }
    const query = { 'list-type': '2', delimiter: '/', prefix, ...more }
    const { objects, isCut, next } = parseList((await client.call({ method: 'GET', query })).text)
    yield* objects
    if (!isCut) return
    if (next === undefined) break
    token = next
  }
  // The newest come last: what is removed, and what is the newest, is decided by all of it.
  throw client.failure(new Error('it does not tell the whole list of its objects'))
}

/** An archive as it is read. Where the network is cut, it goes on behind the last byte. */
async function* readObject(
  { system }: OperationScope,
  client: S3Client,
  key: string,
): AsyncGenerator<Buffer> {
  let [at, total, tag, failures] = [0, Number.NaN, '', 0]
  for (;;) {
    try {
      const headers = at === 0 ? {} : { range: `bytes=${at}-`, 'if-match': tag }
      const answer = await client.attempt({ method: 'GET', key, headers })
      if (at === 0) total = Number(answer.headers.get('content-length') ?? Number.NaN)
      tag = answer.headers.get('etag') ?? ''
      let skipped = answer.status === 206 ? 0 : at // It may know no ranges.
      for await (const chunk of answer.body) {
        const rest = chunk.subarray(Math.min(skipped, chunk.length))
        skipped -= chunk.length - rest.length
        at += rest.length
        if (rest.length > 0) failures = 0
        yield rest
      }
      if (Number.isNaN(total) || at >= total) return
      throw new Error(`it ends after ${at} of ${total} bytes`)
    } catch (error) {
      failures += 1
      if (!isWorthIt(error) || failures > readTries) throw client.failure(error)
      await system.clock.delay(Math.min(250 * 2 ** failures, 10_000))
    }
  }
}

/** Parts of an archive that was cut off cost money, and show up in no list of objects. */
const removeUnfinished = async (
  { system }: OperationScope,
  client: S3Client,
  prefix: string,
  name: string,
): Promise<void> => {
  const query = { uploads: '', prefix: `${prefix}mathesar-` }
  const { text } = await client.call({ method: 'GET', query })
  const by = parseArchiveName(name)?.by
  for (const { key, id, atMs } of parseUploads(text)) {
    const isOurs = parseArchiveName(key.slice(prefix.length))?.by === by
    if (isOurs && system.clock.now() - atMs > dayMs)
      await client.call({ method: 'DELETE', key, query: { uploadId: id } })
  }
}

/** Archives in a bucket of S3, or of a storage of its kind. */
export const openBucket = (scope: OperationScope, bucket: Bucket, title: string): Store => {
  const { prefix } = bucket
  trustOwn(scope, title)
  const client = new S3Client(scope.system, accountOf(scope.inForce.settings, bucket, title))
  const begin = async (name: string, aboutBytes: number): Promise<Upload> => {
    const key = `${prefix}${name}`
    await removeUnfinished(scope, client, prefix, name).catch(() => {}) // Some know no such list.
    const look = async (): Promise<Listed | undefined> => {
      for await (const object of listObjects(client, key)) if (object.key === key) return object
      return undefined
    }
    return new S3Upload(client, key, partBytesFor(aboutBytes), look)
  }
  return {
    title,
    list: async () => {
      const found = []
      for await (const { key, bytes } of listObjects(client, prefix)) {
        const name = key.slice(prefix.length)
        if (isArchiveName(name)) found.push({ name, bytes })
      }
      return found
    },
    read: (name) => readObject(scope, client, `${prefix}${name}`),
    begin,
    remove: async (name) => void (await client.call({ method: 'DELETE', key: `${prefix}${name}` })),
  }
}

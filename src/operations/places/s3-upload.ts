import { MiB } from '../../core/amounts.ts'
import { SupervisorError } from '../../errors.ts'
import type { Upload } from '../../system/ports.ts'
import { textIn } from './s3-answers.ts'
import { Refusal, type S3Client } from './s3-client.ts'

/** S3 takes 10,000 parts of an object, and some of its kin want all of the same size. */
const leastPartBytes = 8 * MiB
const partsAimed = 9000

/** How long a part waits for a network that was cut, or for a storage that throttles. */
const partForMs = 180_000

export const partBytesFor = (aboutBytes: number): number =>
  Math.max(leastPartBytes, Math.ceil(aboutBytes / partsAimed / MiB) * MiB)

/** What S3 has of an object. `undefined`: it is not there. */
type Look = () => Promise<{ readonly bytes: number } | undefined>

const hash = (algorithm: string, body: Buffer, form: 'hex' | 'base64' = 'hex'): string =>
  process.getBuiltinModule('node:crypto').hash(algorithm, body, form)

/**
 * The tag of a part is the MD5 of what has arrived, unless the storage encrypts with keys of its own. The
 * signature has the SHA-256 of the part, which an honest storage compares.
 */
const requireTag = (headers: ReadonlyMap<string, string>, body: Buffer): string => {
  const tag = headers.get('etag') ?? ''
  const encryption = headers.get('x-amz-server-side-encryption') ?? 'AES256'
  const [, md5] = /^"?([0-9a-f]{32})"?$/.exec(tag) ?? []
  if (tag === '') throw new Error('its answer to a part has no ETag')
  if (md5 !== undefined && encryption === 'AES256' && md5 !== hash('md5', body))
    throw new Error('what arrived of a part is not what was sent')
  return tag
}

const tagXml = (tag: string): string => tag.replace(/[&<>]/g, '').replaceAll('"', '&quot;')

/**
 * An object that is written in parts of one size: a buffer is filled while the other one is on its way, so
 * memory stays flat. It is there once S3 has joined the parts, and has it with all of its bytes.
 */
export class S3Upload implements Upload {
  readonly #client: S3Client
  readonly #key: string
  readonly #look: Look
  readonly #tags: string[] = []
  #filling: Buffer
  #other: Buffer
  #filled = 0
  #written = 0
  #id: string | undefined
  #sending: Promise<void> = Promise.resolve()

  constructor(client: S3Client, key: string, partBytes: number, look: Look) {
    this.#client = client
    this.#key = key
    this.#look = look
    this.#filling = Buffer.allocUnsafeSlow(partBytes)
    this.#other = Buffer.allocUnsafeSlow(partBytes)
  }

  async write(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const copied = chunk.copy(this.#filling, this.#filled, at)
      at += copied
      this.#filled += copied
      this.#written += copied
      if (this.#filled === this.#filling.length) await this.#flush()
    }
  }

  async finish(): Promise<void> {
    if (this.#id === undefined) {
      const body = this.#filling.subarray(0, this.#filled)
      await this.#client.call({ method: 'PUT', key: this.#key, body, forMs: partForMs })
    } else {
      if (this.#filled > 0) await this.#flush()
      await this.#sending
      await this.#join(this.#id)
    }
    await this.#requireWhole()
  }

  async abort(): Promise<void> {
    await this.#sending.catch(() => {})
    if (this.#id === undefined) return
    const call = { method: 'DELETE', key: this.#key, query: { uploadId: this.#id } } as const
    await this.#client.call(call).catch(() => {})
  }

  /** Sends what is filled, once the part before has arrived. */
  async #flush(): Promise<void> {
    await this.#sending
    this.#id ??= await this.#begin()
    const body = this.#filling.subarray(0, this.#filled)
    this.#sending = this.#send(body, this.#id, this.#tags.length + 1)
    this.#sending.catch(() => {}) // It is awaited in its turn.
    this.#filling = this.#other
    this.#other = body
    this.#filled = 0
  }

  async #begin(): Promise<string> {
    const { text } = await this.#client.call({ method: 'POST', key: this.#key, query: { uploads: '' } })
    const id = textIn(text, 'UploadId')
    if (id === undefined) throw this.#client.failure(new Error('it begins no upload in parts'))
    return id
  }

  async #send(body: Buffer, uploadId: string, number: number): Promise<void> {
    const query = { partNumber: String(number), uploadId }
    const headers = { 'content-md5': hash('md5', body, 'base64') }
    const call = { method: 'PUT', key: this.#key, query, headers, body, forMs: partForMs } as const
    try {
      const answer = await this.#client.call(call)
      this.#tags.push(requireTag(answer.headers, body))
    } catch (error) {
      throw this.#client.failure(error)
    }
  }

  /** An upload that is no longer known was joined by a try whose answer was cut off: the look tells. */
  async #join(uploadId: string): Promise<void> {
    const parts = this.#tags.map(
      (tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${tagXml(tag)}</ETag></Part>`,
    )
    const body = Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`)
    const call = { method: 'POST', key: this.#key, query: { uploadId }, body, forMs: partForMs } as const
    try {
      const { text } = await this.#client.call(call)
      const code = textIn(text, 'Code') // An error may come with status 200.
      if (code !== undefined) throw this.#client.failure(new Error(`it does not join the parts (${code})`))
    } catch (error) {
      const { cause } = error as SupervisorError
      if (!(cause instanceof Refusal && cause.code === 'NoSuchUpload')) throw error
    }
  }

  async #requireWhole(): Promise<void> {
    const seen = await this.#look()
    if (seen?.bytes === this.#written) return
    const has = seen === undefined ? 'nothing' : `${seen.bytes} bytes`
    throw this.#client.failure(
      new Error(`it said that all went well, but it has ${has} of ${this.#written}: do not trust it`),
    )
  }
}

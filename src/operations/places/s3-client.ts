import { MiB } from '../../core/amounts.ts'
import { SupervisorError } from '../../errors.ts'
import type { HttpAnswer } from '../../system/ports.ts'
import type { Bytes } from '../archive/bytes.ts'
import type { OperationScope } from '../scope.ts'
import { textIn } from './s3-answers.ts'

type System = OperationScope['system']

/** A bucket, and who asks for it. */
export type Account = {
  /** As people write the place: errors name it. */
  readonly title: string
  readonly endpoint: string
  readonly region: string
  readonly isPathStyle: boolean
  readonly bucket: string
  readonly accessKey: string
  readonly secretKey: string
}

type Call = {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** Without a key, the call is for the bucket itself. */
  readonly key?: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
  /** How long to try again. */
  readonly forMs?: number
}

/** How long a part may take on a slow line. */
const answerMs = 300_000
const tryForMs = 20_000
/** Answers are lists and errors. */
const textLimit = 4 * MiB

/** An answer that says no. */
export class Refusal extends Error {
  readonly status: number
  /** In the words of S3, such as `SlowDown`. */
  readonly code: string
  /** Milliseconds since 1970, by the clock of the storage. */
  readonly theirMs: number

  constructor({ status, headers }: HttpAnswer, xml: string) {
    const code = textIn(xml, 'Code') ?? ''
    const text = textIn(xml, 'Message') ?? ''
    super(`it answers ${status}${code === '' ? '' : ` (${code}${text === '' ? '' : `: ${text}`})`}`)
    this.status = status
    this.code = code
    this.theirMs = Date.parse(headers.get('date') ?? '')
  }
}

const hopeless = /CERT|SELF_SIGNED|ENOTFOUND|UNABLE_TO|ERR_INVALID|ERR_SSL|ERR_TLS|EPROTO|HPE_INVALID/

/** Whether another try may help: not where the keys are wrong, or the name of the server. */
export const isWorthIt = (error: unknown): boolean => {
  if (error instanceof SupervisorError) return false
  if (!(error instanceof Refusal)) return !hopeless.test((error as NodeJS.ErrnoException).code ?? '')
  return (
    error.status >= 500 || error.status === 429 || error.status === 408 || error.code === 'RequestTimeout'
  )
}

const readText = async (body: Bytes): Promise<string> => {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > textLimit) throw new Error('its answer is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

const keysHint =
  'Check BACKUP_S3_ACCESS_KEY and BACKUP_S3_SECRET_KEY. They must permit to list the bucket, and to read, ' +
  'write and delete in it.'

const placeHint = 'Check BACKUP_TO, BACKUP_S3_ENDPOINT, BACKUP_S3_REGION and BACKUP_S3_PATH_STYLE.'

const refusalInWords = (
  refusal: Refusal,
  { bucket }: Account,
  nowMs: number,
): readonly [why: string, hint: string] => {
  const { code, status, message, theirMs } = refusal
  if (code === 'RequestTimeTooSkewed' || /time.*(skew|too large)/i.test(message)) {
    const iso = (ms: number): string => (Number.isNaN(ms) ? 'another time' : new Date(ms).toISOString())
    return [
      `the clock of this machine is wrong: it says ${iso(nowMs)}, and the storage ${iso(theirMs)}`,
      'Set the clock of the host (NTP), and try again.',
    ]
  }
  if (code === 'NoSuchBucket') return [`it has no bucket ${bucket}`, placeHint]
  if (status === 401 || status === 403) return [message, keysHint]
  if (status < 400 || code === 'AuthorizationHeaderMalformed')
    return [`${message}: another region`, placeHint]
  return [message, placeHint]
}

/** What kept a request from an answer. */
const faultInWords = ({ code = '', message }: NodeJS.ErrnoException): readonly [why: string, hint: string] =>
  /CERT|SELF_SIGNED/.test(code)
    ? [
        message.split(';')[0]!,
        'Give the certificate of the authority that it has its own from: BACKUP_S3_CA.',
      ]
    : [message || code, placeHint]

/** Asks S3: signs (AWS Signature 4), tries again, and puts words to what it refuses. */
export class S3Client {
  readonly #system: System
  readonly #account: Account

  constructor(system: System, account: Account) {
    this.#system = system
    this.#account = account
  }

  /** One try. Throws a `Refusal`, or what kept it from an answer. */
  async attempt({ method, key, query = {}, headers = {}, body }: Call): Promise<HttpAnswer> {
    const { AwsV4Signer } = await import('aws4fetch')
    const { region, accessKey, secretKey } = this.#account
    const hash = process.getBuiltinModule('node:crypto').hash('sha256', body ?? '')
    const datetime = new Date(this.#system.clock.now()).toISOString().replace(/[:-]|\.\d{3}/g, '')
    const signer = new AwsV4Signer({
      method,
      url: this.#urlOf(key, query),
      headers: { ...headers, 'x-amz-content-sha256': hash },
      region,
      service: 's3',
      accessKeyId: accessKey,
      secretAccessKey: secretKey,
      datetime,
    })
    const signed = await signer.sign()
    const answer = await this.#system.request({
      method,
      url: signed.url.href,
      headers: Object.fromEntries(signed.headers),
      ...(body === undefined ? {} : { body }),
      timeoutMs: answerMs,
    })
    if (answer.status < 300) return answer
    throw new Refusal(answer, await readText(answer.body))
  }

  /** An answer that is read whole, with further tries where one may help. */
  async call(call: Call): Promise<{ readonly headers: HttpAnswer['headers']; readonly text: string }> {
    const act = async () => {
      const { headers, body } = await this.attempt(call)
      return { headers, text: await readText(body) }
    }
    const { forMs = tryForMs } = call
    try {
      return await this.#system.retry(act, { forMs, isWorthIt })
    } catch (error) {
      throw this.failure(error)
    }
  }

  /** The same in words for people; a refusal stays as the cause. */
  failure(error: unknown): SupervisorError {
    if (error instanceof SupervisorError) return error
    const { title } = this.#account
    const [why, hint] =
      error instanceof Refusal
        ? refusalInWords(error, this.#account, this.#system.clock.now())
        : faultInWords(error as NodeJS.ErrnoException)
    const message = `cannot use ${title}: ${this.#system.log.redact(why)}`
    return new SupervisorError('BACKUP_PLACE_FAILED', message, { cause: error, hint })
  }

  #urlOf(key: string | undefined, query: Readonly<Record<string, string>>): string {
    const { endpoint, bucket, isPathStyle } = this.#account
    const url = new URL(endpoint)
    const base = url.pathname.replace(/\/$/, '')
    if (!isPathStyle) url.hostname = `${bucket}.${url.hostname}`
    url.pathname = `${base}${isPathStyle ? `/${bucket}` : ''}/${key ?? ''}`
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    return url.href
  }
}

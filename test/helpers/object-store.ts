import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Where a storage is, and who may use it. */
export type ObjectStore = {
  readonly endpoint: string
  readonly accessKey: string
  readonly secretKey: string
  readonly bucket: string
}

/** A real one, where somebody gives it: http://ACCESS_KEY:SECRET_KEY@HOST:PORT/BUCKET. */
export const givenStore = (): ObjectStore | undefined => {
  const { TEST_S3_URL: text } = process.env
  if (text === undefined) return undefined
  const { origin, username, password, pathname } = new URL(text)
  return { endpoint: origin, accessKey: username, secretKey: password, bucket: pathname.slice(1) }
}

const readAll = async (stream: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const listen = async (server: Server): Promise<string> => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex')

/** So small that a list has several pages. */
const pageSize = 2

const list = (objects: ReadonlyMap<string, Buffer>, { searchParams }: URL): string => {
  const prefix = searchParams.get('prefix') ?? ''
  const after = searchParams.get('continuation-token') ?? ''
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).toSorted()
  const page = keys.slice(0, pageSize)
  const contents = page.map(
    (key) => `<Contents><Key>${key}</Key><Size>${objects.get(key)!.length}</Size></Contents>`,
  )
  const isCut = keys.length > page.length
  const token = isCut ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : ''
  const parts = [`<IsTruncated>${isCut}</IsTruncated>`, token, ...contents]
  return `<ListBucketResult>${parts.join('')}</ListBucketResult>`
}

/** What S3 does, as far as a backup needs it, in memory. It takes every key. */
export const startStore = async () => {
  const objects = new Map<string, Buffer>()
  const uploads = new Map<string, { readonly key: string; readonly parts: Map<number, Buffer> }>()

  const get = (key: string, { headers }: IncomingMessage, response: ServerResponse): void => {
    const object = objects.get(key)
    if (object === undefined) return void response.writeHead(404).end('<Error><Code>NoSuchKey</Code></Error>')
    const [, from = '0'] = /^bytes=(\d+)-$/.exec(headers.range ?? '') ?? []
    const bytes = object.subarray(Number(from))
    response.writeHead(headers.range === undefined ? 200 : 206, {
      'content-length': bytes.length,
      etag: `"${md5(object)}"`,
    })
    response.end(bytes)
  }

  const put = (key: string, { searchParams }: URL, body: Buffer, response: ServerResponse): void => {
    const upload = uploads.get(searchParams.get('uploadId') ?? '')
    if (upload === undefined) objects.set(key, body)
    else upload.parts.set(Number(searchParams.get('partNumber')), body)
    response.writeHead(200, { etag: `"${md5(body)}"` }).end()
  }

  const post = (key: string, { searchParams }: URL, response: ServerResponse): void => {
    if (searchParams.has('uploads')) {
      const id = randomBytes(8).toString('hex')
      uploads.set(id, { key, parts: new Map() })
      return void response.end(`<Result><UploadId>${id}</UploadId></Result>`)
    }
    const id = searchParams.get('uploadId') ?? ''
    const upload = uploads.get(id)
    if (upload === undefined)
      return void response.writeHead(404).end('<Error><Code>NoSuchUpload</Code></Error>')
    const parts = [...upload.parts].toSorted(([one], [other]) => one - other)
    objects.set(key, Buffer.concat(parts.map(([, part]) => part)))
    uploads.delete(id)
    response.end('<CompleteMultipartUploadResult/>')
  }

  const answer = async (asked: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(asked.url ?? '', 'http://store')
    const key = url.pathname.split('/').slice(2).join('/')
    const body = await readAll(asked)
    switch (asked.method ?? '') {
      case 'GET':
        if (url.searchParams.has('uploads')) return void response.end('<ListMultipartUploadsResult/>')
        return key === '' ? void response.end(list(objects, url)) : get(key, asked, response)
      case 'PUT':
        return put(key, url, body, response)
      case 'POST':
        return post(key, url, response)
      default:
        objects.delete(key)
        uploads.delete(url.searchParams.get('uploadId') ?? '')
        response.writeHead(204).end()
    }
  }
  const server = createServer((asked, response) => void answer(asked, response).catch(() => asked.destroy()))
  const endpoint = await listen(server)
  const store: ObjectStore = { endpoint, accessKey: 'key', secretKey: 'secret', bucket: 'bucket' }
  return { store, objects, uploads, close: () => server.close() }
}

export type Asked = {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingMessage['headers']
}
type Reply = { readonly status: number; readonly headers: IncomingMessage['headers']; readonly body: Buffer }

/** What becomes of a request on its way: it passes when nothing is said. */
export type Fault =
  /** The line is cut before it arrives, when it has arrived, or in the midst of the answer. */
  'cut before' | 'cut after' | 'cut within' | ((reply: Reply) => Reply) | undefined

const forward = (target: string, { method, url, headers }: IncomingMessage, body: Buffer): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const sent = request(`${target}${url}`, { method, headers, agent: false }, (answer) => {
      const { statusCode: status = 0, headers: answered } = answer
      readAll(answer).then((bytes) => resolve({ status, headers: answered, body: bytes }), reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })

/** A line to a storage that is as bad as a test wants it. The Host stays, for it is signed. */
export const startLine = async (target: string) => {
  const faults = { of: (_asked: Asked): Fault => undefined }
  const pass = async (asked: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', headers } = asked
    const fault = faults.of({ method, url: new URL(asked.url ?? '', target), headers })
    if (fault === 'cut before') return void asked.socket.destroy()
    const body = await readAll(asked)
    const reply = await forward(target, asked, body)
    if (fault === 'cut after') return void asked.socket.destroy()
    const { status, headers: answered, body: bytes } = typeof fault === 'function' ? fault(reply) : reply
    const { 'transfer-encoding': _t, connection: _c, ...rest } = answered
    response.writeHead(status, { ...rest, 'content-length': bytes.length })
    if (fault !== 'cut within') return void response.end(bytes)
    response.write(bytes.subarray(0, bytes.length >> 1), () => asked.socket.destroy())
  }
  const server = createServer((asked, response) => void pass(asked, response).catch(() => asked.destroy()))
  return { endpoint: await listen(server), faults, close: () => server.close() }
}

import { connect } from 'node:net'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import {
  type Box,
  browse,
  cleanUp,
  dataFolder,
  describeContainer,
  makeAdmin,
  start,
  until,
} from '../helpers/docker.ts'

const MB = 1_000_000
/** The shared form of the sample app. */
const form = '6f1ed002-ab59-5ab0-8a2c-1f7d1d2a3b4c'

const ofLength = (bytes: number, method = 'POST'): RequestInit => ({ method, body: Buffer.alloc(bytes) })

/** Without a length: fetch sends a stream in chunks. */
const inChunks = (bytes: number): RequestInit => {
  let left = bytes
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const chunk = new Uint8Array(Math.min(left, 65_536))
      left -= chunk.length
      if (chunk.length > 0) controller.enqueue(chunk)
      else controller.close()
    },
  })
  return { method: 'POST', body, duplex: 'half' }
}

describeContainer('the body of a request', () => {
  let box: Box
  let admin: ReturnType<typeof browse>
  let stranger: ReturnType<typeof browse>
  beforeAll(async () => {
    box = await start({ env: { SAMPLE_APP_TEST: '1', WEB_CONCURRENCY: '2' } })
    await box.ready()
    admin = await makeAdmin(box)
    stranger = browse(box)
  })
  afterAll(cleanUp)

  const lengthOf = ({ text }: { readonly text: string }): number =>
    (JSON.parse(text) as { readonly length: number }).length
  /** Bytes of bodies in the volume. nginx unlinks each file as it makes it: only its processes show them. */
  const held = async (): Promise<number> => {
    const script = `for f in /proc/[0-9]*/fd/*; do
      case $(readlink $f) in ${dataFolder}/buffer/client_body/*) stat -Lc %s $f;; esac
    done`
    const { stdout } = await box.exec(
      'setpriv',
      '--reuid=8001',
      '--regid=8001',
      '--clear-groups',
      'sh',
      '-c',
      script,
    )
    return stdout.split('\n').reduce((sum, size) => sum + Number(size), 0)
  }

  /** Sends headers and some of a body, and stays. */
  const begin = async (path: string, header: string, bytes: number, host = 'localhost') => {
    const told = { answer: '' }
    const socket = connect(box.port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket
      .on('error', () => {})
      .on('data', (chunk) => {
        told.answer += chunk.toString()
      })
    const send = (count: number): void => {
      if (header.includes('chunked')) socket.write(`${count.toString(16)}\r\n`)
      socket.write(Buffer.alloc(count))
      if (header.includes('chunked')) socket.write('\r\n')
    }
    await new Promise((resolve) => socket.once('connect', resolve))
    socket.write(`POST ${path} HTTP/1.1\r\nHost: ${host}\r\n${header}\r\n\r\n`)
    send(bytes)
    return { told, send }
  }

  it('is of any size where its sender is logged in, or has the link of a form', async () => {
    for (const init of [ofLength(30 * MB), inChunks(30 * MB), ofLength(30 * MB, 'PUT')])
      expect(lengthOf(await admin.get('/echo/', init))).toBe(30 * MB)
    expect(lengthOf(await stranger.get(`/echo/?form_token=${form}`, ofLength(30 * MB)))).toBe(30 * MB)
    expect(await held()).toBe(0)
  })

  it.each([
    ['/echo/', 403],
    ['/files/', 403],
    ['/echo/?form_token=no-uuid', 403],
    [`/echo/?form_token=${form.replace('6', '7')}`, 403],
    ['/complete_installation/', 413],
    ['/livez', 413],
    ['/static/none.css', 413],
    ['/supervisor/restore/part', 413],
  ])('of 20 MB is refused to a stranger before any of it lies in the volume: %s', async (path, status) => {
    const { told } = await begin(path, `Content-Length: ${20 * MB}`, MB)
    await until('the answer', () => told.answer.startsWith(`HTTP/1.1 ${status} `))
    if (status === 403) await until('the word', () => told.answer.includes('Log in, and send it again.'))
    expect(await held()).toBe(0)
  })

  it('is refused by its length by another name, and where the client waits to be told to send', async () => {
    const refused = await begin('/echo/', `Content-Length: ${20 * MB}`, 0, 'evil.example')
    const waiting = await begin('/echo/', `Content-Length: ${20 * MB}\r\nExpect: 100-continue`, 0)
    await until('both answers', () => [refused, waiting].every(({ told }) => / 4\d\d /.test(told.answer)))
    expect(await held()).toBe(0)
  })

  it('in chunks is refused to a stranger at 3 MB, and then lies there no more', async () => {
    const { told, send } = await begin('/echo/', 'Transfer-Encoding: chunked', 2 * MB)
    await until('it lies there', async () => (await held()) > MB)
    expect(told.answer).toBe('')
    send(2 * MB)
    await until('the answer', () => told.answer.startsWith('HTTP/1.1 403 '))
    await until('nothing is held', async () => (await held()) === 0)
  })

  it('of less than 3 MB comes from anybody, of twenty a time from one address', async () => {
    for (const init of [ofLength(2.5 * MB), inChunks(2.5 * MB)])
      expect(lengthOf(await stranger.get('/echo/', init))).toBe(2.5 * MB)
    const all = await Promise.all(
      Array.from({ length: 30 }, () => begin('/echo/', `Content-Length: ${2.9 * MB}`, MB)),
    )
    const refused = () => all.filter(({ told }) => told.answer.startsWith('HTTP/1.1 429 ')).length
    await until('ten are refused', () => refused() >= 10)
    expect(await held()).toBeLessThan(20 * 3 * MB)
    const others = { headers: { 'x-forwarded-for': '203.0.113.9' } }
    expect(lengthOf(await stranger.get('/echo/', { ...ofLength(MB), ...others }))).toBe(MB)
    expect(lengthOf(await stranger.get('/echo/', ofLength(90_000)))).toBe(90_000)
    expect(lengthOf(await admin.get('/echo/', ofLength(5 * MB)))).toBe(5 * MB)
  })

  it('is one of a number that the files bound which the web server may open', async () => {
    const script = "for p in $(pgrep -f '[n]ginx: worker'); do grep 'Max open files' /proc/$p/limits; done"
    const { stdout } = await box.sh(script)
    for (const line of stdout.trim().split('\n')) expect(line).toMatch(/^Max open files +8192 /)
  })

  it('of a large request waits through a crash, or is not carried out, and fails in no change', async () => {
    await box.exec('pkill', '-9', '-f', 'gunicorn') // What a worker has begun is not begun again.
    const [taken, refused] = await Promise.all([
      admin.get('/echo/', ofLength(5 * MB)),
      stranger.get('/echo/', ofLength(5 * MB)),
    ])
    // It waits for 3 s, which a machine under load may need for longer: then it is told to come again.
    const isToldSo = ({ status, text }: typeof taken): boolean =>
      status === 503 && text.includes('this request was not carried out')
    expect([taken.status === 200 || isToldSo(taken), refused.status === 403 || isToldSo(refused)]).toEqual([
      true,
      true,
    ])
    await box.ready()
    let isOver = false
    const statuses: number[] = []
    const send = async (): Promise<void> => {
      while (!isOver) statuses.push((await admin.get('/echo/', ofLength(MB))).status)
    }
    const sent = Promise.all([send(), send()])
    const change = box.supervisor('config', 'set', 'GUNICORN_TIMEOUT=77').finally(() => {
      isOver = true
    })
    const [changed] = await Promise.all([change, sent])
    expect(changed.exitCode, changed.stderr).toBe(0)
    console.log(`${statuses.length} bodies of 1 MB while Mathesar changed`)
    expect(statuses.filter((status) => status !== 200)).toEqual([])
  })
})

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { files } from '../../src/system/files.ts'
import { createGate } from '../../src/system/gate.ts'
import { openKernel } from '../../src/system/kernel.ts'
import { withClient } from '../../src/system/postgres.ts'
import { httpGet } from '../../src/system/http.ts'
import { until } from '../helpers/daemon.ts'

const cleanUps: (() => void)[] = []
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp()
})
const never = new AbortController().signal

describe('the gate', () => {
  const kernel = openKernel()
  /** A gate, and the end that the candidate answers on, which never waits. */
  const open = () => {
    const ends: number[] = []
    const gate = createGate(() => {
      const pipe = kernel.pipe()
      ends.push(pipe.read, pipe.write)
      return pipe
    })
    const answerFd = ends[3]!
    kernel.setNonBlocking(answerFd, true)
    cleanUps.push(() => {
      gate.release()
      gate.close()
    })
    /** Writes as much as the pipe takes. */
    const write = (text: string): number => {
      try {
        return writeSync(answerFd, text)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
        throw error
      }
    }
    return { gate, write }
  }

  test('takes one line, however it comes', async () => {
    const { gate, write } = open()
    const answer = gate.check(never)
    for (const part of ['20', '0 /auth', '/login/\nmore']) {
      write(part)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(await answer).toBe('200 /auth/login/')
  })

  test.each(['a'.repeat(65_536), `${'a'.repeat(5000)}\n`])(
    'refuses an answer that is longer than 4 KiB',
    async (part) => {
      const { gate, write } = open()
      const answer = gate.check(never)
      write(part)
      await expect(answer).rejects.toThrow(
        'the new generation cannot be checked: its answer is longer than 4 KiB',
      )
    },
  )

  test('reads no more once it has its answer: a writer that goes on has to wait', async () => {
    const { gate, write } = open()
    const answer = gate.check(never)
    write('200 /\n')
    await answer
    let written = 0
    const part = 'a'.repeat(65_536)
    for (let turn = 0; turn < 100; turn++) {
      written += write(part)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(written).toBeLessThan(400_000)
  })
})

describe('an endless page', () => {
  test('is read no further than a MiB', async () => {
    let sent = 0
    let isCut = false
    const server = createHttpServer((_, response) => {
      const part = Buffer.alloc(65_536)
      const more = (): void => {
        while (!response.destroyed && response.write(part)) sent += part.length
        if (!response.destroyed) response.once('drain', more)
      }
      response.once('close', () => {
        isCut = true
      })
      response.writeHead(200, { location: '/x' })
      more()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    cleanUps.push(() => server.close().closeAllConnections())
    const { port } = server.address() as AddressInfo
    const get = { path: '/', hostHeader: 'x', timeoutMs: 5000 }
    expect(await httpGet({ host: '127.0.0.1', port }, get, never)).toEqual({ status: 200, location: '/x' })
    await until('the connection to be cut', () => isCut, 3000)
    expect(sent).toBeLessThan(16 * 1024 * 1024) // What the kernel keeps on the way comes to it.
  })
})

/** A message of a server, and what lets a client in. */
const message = (type: string, body: Buffer, length = body.length + 4): Buffer => {
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeInt32BE(length, 1)
  return Buffer.concat([head, body])
}
const ready = message('Z', Buffer.from('I'))
const welcome = Buffer.concat([message('R', Buffer.alloc(4)), ready])

describe('a database server that never stops sending', () => {
  /** Lets everybody in, and answers the first query with `answer` forever. */
  const serve = async (greeting: Buffer, endless: Buffer): Promise<number> => {
    const sockets: Socket[] = []
    const flood = (socket: Socket): void => {
      const more = (): void => {
        while (!socket.destroyed && socket.write(endless));
        if (!socket.destroyed) socket.once('drain', more)
      }
      more()
    }
    const server = createServer((socket) => {
      sockets.push(socket)
      socket.on('error', () => {})
      socket.once('data', () => {
        if (greeting.length === 0) return flood(socket)
        socket.write(greeting)
        socket.once('data', () => flood(socket))
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    cleanUps.push(() => {
      server.close()
      for (const socket of sockets) socket.destroy()
    })
    return (server.address() as AddressInfo).port
  }
  const part = Buffer.alloc(256 * 1024, 'x')

  test.each([
    ['one message of a GiB', welcome, message('N', part, 1024 ** 3)],
    ['notices', welcome, message('N', Buffer.from('Mhello\0\0'))],
    ['one message of a GiB instead of a welcome', Buffer.alloc(0), message('N', part, 1024 ** 3)],
  ])('is cut off: %s', async (_, greeting, endless) => {
    const port = await serve(greeting, endless)
    const before = process.memoryUsage.rss()
    await expect(
      withClient(
        [{ host: '127.0.0.1', port, user: 'x', password: 'x', database: 'x', ssl: false }],
        (client) => client.query('SELECT 1'),
      ),
    ).rejects.toThrow('it sent more than 16 MiB')
    expect(process.memoryUsage.rss() - before).toBeLessThan(200 * 1024 * 1024)
  })
})

describe('a server of Postgres that does not close a connection', () => {
  test('is not waited for', { timeout: 10_000 }, async () => {
    const answer = Buffer.concat([message('C', Buffer.from('SET\0')), ready])
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      cleanUps.push(() => socket.destroy())
      socket.once('data', () => {
        socket.write(welcome)
        socket.once('data', () => socket.write(answer))
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    cleanUps.push(() => server.close())
    const { port } = server.address() as AddressInfo
    const way = { host: '127.0.0.1', port, user: 'x', database: 'x', ssl: false }
    const rows = await withClient([way], async (client) => (await client.query('SET a = 1')).rows)
    expect(rows).toEqual([])
  })
})

describe('a file that another user may have put there', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'foreign-'))
    cleanUps.push(() => rmSync(folder, { recursive: true, force: true }))
  })

  test.each<[string, (path: string) => void, RegExp]>([
    ['a folder', (path) => mkdirSync(path), /^it is a folder/],
    ['a FIFO', (path) => void execFileSync('mkfifo', [path]), /^it is not a regular file$/],
    [
      'a link to a file',
      (path) => {
        writeFileSync(`${path}-2`, 'secret')
        symlinkSync(`${path}-2`, path)
      },
      /^it is not a regular file$/,
    ],
    ['a link to nothing', (path) => symlinkSync('/nothing', path), /^it is not a regular file$/],
    ['a link to itself', (path) => symlinkSync(path, path), /^it is not a regular file$/],
    [
      'too large',
      (path) => {
        writeFileSync(path, '')
        truncateSync(path, 4097)
      },
      /^it is larger than 4 KiB$/,
    ],
    [
      'far too large',
      (path) => {
        writeFileSync(path, '')
        truncateSync(path, 8 * 1024 ** 3)
      },
      /^it is larger than 4 KiB$/,
    ],
  ])('is not read when it is %s', (_, put, why) => {
    const path = join(folder, 'postmaster.pid')
    put(path)
    expect(() => files.readForeign(path, 4096)).toThrow(why)
  })

  test.each([0, 1, 4096, 65_536, 65_537, 200_000, 262_144])(
    'is read whole with its %d bytes, and not with one more than permitted',
    (size) => {
      const path = join(folder, 'x')
      const content = Buffer.alloc(size, 'A\n')
      writeFileSync(path, content)
      expect(files.readForeign(path, size)?.equals(content)).toBe(true)
      expect(files.readIfThere(path)).toBe(content.toString())
      if (size > 0) expect(() => files.readForeign(path, size - 1)).toThrow('it is larger than')
    },
  )

  test('is undefined where there is none', () => {
    expect([files.readForeign(join(folder, 'x'), 1), files.readIfThere(join(folder, 'x/y'))]).toEqual([
      undefined,
      undefined,
    ])
  })
})

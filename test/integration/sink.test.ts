import { closeSync, readSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { openKernel } from '../../src/system/kernel.ts'
import { createLog } from '../../src/system/log.ts'
import { createProcesses } from '../../src/system/process.ts'
import { Sink } from '../../src/system/sink.ts'

const kernel = openKernel()
const open: number[] = []
afterEach(() => {
  for (const fd of open.splice(0)) closeSync(fd)
})

/** A sink that writes to a pipe, and its reader. */
const openPipe = () => {
  const pipe = kernel.pipe()
  open.push(pipe.read)
  kernel.setNonBlocking(pipe.read, true)
  const sink = new Sink(kernel, pipe.write)
  const buffer = Buffer.alloc(1 << 16)
  const read = (): string => {
    try {
      return buffer.toString('latin1', 0, readSync(pipe.read, buffer))
    } catch {
      return ''
    }
  }
  const readAll = async (): Promise<string> => {
    let text = ''
    for (let idle = 0; idle < 5; idle++) {
      const part = read()
      if (part !== '') idle = -1
      text += part
      await delay(1)
    }
    return text
  }
  return { sink, read, readAll, close: () => closeSync(open.pop()!) }
}

const kilobyte = (i: number): Buffer => Buffer.from(`${String(i).padStart(1023, '.')}\n`)

describe('the sink', () => {
  test('writes at once what the reader takes', () => {
    const { sink, read } = openPipe()
    sink.write(Buffer.from('a\n'), 1)
    expect(read()).toBe('a\n')
    expect(sink.behind).toBeUndefined()
  })

  test('keeps 4 MiB for a reader that stalls, in order, and the caller may reuse its buffer', async () => {
    const { sink, readAll } = openPipe()
    const block = Buffer.alloc(1024)
    for (let i = 0; i < 4096; i++) {
      kilobyte(i).copy(block)
      sink.write(block, 1)
    }
    expect(sink.dropped).toBe(0)
    expect(await readAll()).toBe(Array.from({ length: 4096 }, (_, i) => kilobyte(i).toString()).join(''))
  })

  test('drops and counts what is beyond, and reports it once there is room', async () => {
    const { sink, readAll } = openPipe()
    const reported: number[] = []
    sink.onDropped((lost) => reported.push(lost))
    for (let i = 0; i < 6000; i++) sink.write(kilobyte(i), 2)
    expect(sink.dropped).toBeGreaterThan(2 * 1500)
    expect(reported).toEqual([])
    const lines = (await readAll()).trim().split('\n')
    expect(lines.length * 2 + sink.dropped).toBe(12_000)
    expect(reported).toEqual([sink.dropped])
  })

  test('asks to wait for a slow reader, and no longer than a second for one that takes nothing', async () => {
    const { sink, readAll } = openPipe()
    for (let i = 0; i < 3000; i++) sink.write(kilobyte(i), 1)
    let over = false
    void sink.behind!.then(() => {
      over = true
    })
    await delay(50)
    expect(over).toBe(false)
    await readAll()
    expect(over).toBe(true)
    expect(sink.behind).toBeUndefined()

    for (let i = 0; i < 3000; i++) sink.write(kilobyte(i), 1)
    await sink.behind
    expect(sink.behind).toBeUndefined() // Nobody waits for it any more, until it reads again.
    await readAll()
    for (let i = 0; i < 3000; i++) sink.write(kilobyte(i), 1)
    expect(sink.behind).toBeInstanceOf(Promise)
    await readAll()
  })

  test('gives up at the end, without what the reader never took', async () => {
    const { sink } = openPipe()
    for (let i = 0; i < 300; i++) sink.write(kilobyte(i), 1)
    const before = performance.now()
    await sink.flush(100)
    expect(performance.now() - before).toBeLessThan(5000)
  })

  test('goes on without a reader', async () => {
    const { sink, close } = openPipe()
    for (let i = 0; i < 3000; i++) sink.write(kilobyte(i), 1)
    const wait = sink.behind
    close()
    await wait
    sink.write(Buffer.from('b\n'), 1)
    expect(sink.dropped).toBe(1)
    await sink.flush(1000)
  })
})

test('a slow reader gets each of 200,000 lines written at once, and nobody else waits for it', async () => {
  const { sink, read } = openPipe()
  const log = createLog(sink, 'text', 'info')
  const { ended } = createProcesses(kernel).start(
    { argv: ['seq', '200000'], env: { PATH: process.env.PATH! } },
    log.lines('mathesar'),
  )
  let hasEnded = false
  void ended.then(() => (hasEnded = true))
  let text = ''
  let longestMs = 0
  // What is lost would be waited for for ever.
  for (let idle = 0; !text.endsWith(' 200000\n') && idle < 1000;) {
    const before = performance.now()
    const part = read()
    text += part
    idle = part === '' && hasEnded ? idle + 1 : 0
    await delay(1)
    longestMs = Math.max(longestMs, performance.now() - before)
  }
  expect(await ended).toEqual({ code: 0, signal: null })
  expect(
    text
      .trim()
      .split('\n')
      .map((line) => Number(line.split(' ').at(-1))),
  ).toEqual(Array.from({ length: 200_000 }, (_, i) => i + 1))
  expect(sink.dropped).toBe(0)
  expect(longestMs).toBeLessThan(5000)
})

import { describe, expect, test } from 'vitest'
import { Pushed } from '../../src/core/pushed.ts'

const pieces = ['a', 'b', 'c'].map((text) => Buffer.from(text))
const readAll = async (pushed: Pushed): Promise<string> => {
  let text = ''
  for await (const piece of pushed) text += piece.toString()
  return text
}

describe('bytes that are pushed', () => {
  test('are read in order, to their end', async () => {
    const pushed = new Pushed()
    const read = readAll(pushed)
    for (const piece of pieces) await pushed.push(piece)
    pushed.end()
    expect(await read).toBe('abc')
  })

  test('wait until they are taken: no second piece is kept', async () => {
    const pushed = new Pushed()
    let taken = 0
    const first = pushed.push(pieces[0]!).then(() => taken++)
    await new Promise(setImmediate)
    expect(taken).toBe(0)
    const reader = pushed[Symbol.asyncIterator]()
    expect((await reader.next()).value).toEqual(pieces[0])
    expect(taken).toBe(0)
    const next = reader.next()
    await first
    pushed.end()
    expect(await next).toEqual({ done: true, value: undefined })
  })

  test('are all read where two push at once, and each hears that its own was taken', async () => {
    const pushed = new Pushed()
    const waiting = Promise.all(pieces.map((piece) => pushed.push(piece)))
    const read = readAll(pushed)
    await waiting
    pushed.end()
    expect(await read).toBe('abc')
  })

  test('are not taken for the whole where they end with a failure', async () => {
    const pushed = new Pushed()
    const read = readAll(pushed)
    await pushed.push(pieces[0]!)
    pushed.end(new Error('the browser has gone'))
    await expect(read).rejects.toThrow('the browser has gone')
  })

  test('hold up nobody once no one reads any more', async () => {
    const pushed = new Pushed()
    const reader = pushed[Symbol.asyncIterator]()
    const waiting = [pushed.push(pieces[0]!)]
    await reader.next()
    await reader.return(undefined)
    waiting.push(pushed.push(pieces[1]!))
    await Promise.all(waiting)
  })
})

import { spawn } from 'node:child_process'
import { buffer, text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'

const chunks = 60
const length = 10_000

// One buffer for all chunks, as an archive has it.
const script = `
import { print } from '${new URL('../../src/cli/output.ts', import.meta.url).href}'
const buffer = Buffer.alloc(${length})
async function* overwritten() {
  for (let index = 0; index < ${chunks}; index++) yield buffer.fill(index)
}
await print(overwritten(), 'BACKUP_FAILED').catch(({ code, message }) => console.error(code, message))
`

const printing = () =>
  spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] })

it('what is printed is out before the next chunk overwrites it, however late it is read', async () => {
  const child = printing()
  await delay(1000)
  const wanted = Buffer.concat(Array.from({ length: chunks }, (_, index) => Buffer.alloc(length, index)))
  expect((await buffer(child.stdout)).equals(wanted)).toBe(true)
})

it('where nobody reads any more that is said, and it ends', async () => {
  const child = printing()
  child.stdout.destroy()
  expect(await text(child.stderr)).toMatch(/^BACKUP_FAILED cannot write to standard output: write E\w+\n$/)
})

import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openKernel } from '../../src/system/kernel.ts'
import { createLock } from '../../src/system/lock.ts'

/** How often this process has a file open. */
const countOpen = (path: string): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path
    } catch {
      return false // That of the folder itself.
    }
  }).length

test('a lock that somebody else holds is refused, and leaves no descriptor however often it is asked', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lock-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'lock')
  const kernel = openKernel()
  const [holder, other] = [createLock(kernel), createLock(kernel)]
  expect([holder(path), holder(path)]).toEqual([true, true])
  for (let times = 0; times < 5; times++) expect(other(path)).toBe(false)
  expect(countOpen(path)).toBe(1)
})

test('where the file system has no locks nothing stays open', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lock-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'lock')
  const refuse = (): never => {
    throw new Error('ENOLCK')
  }
  expect(() => createLock({ tryLock: refuse })(path)).toThrow('ENOLCK')
  expect(countOpen(path)).toBe(0)
})

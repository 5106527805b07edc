import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { removeSmall } from '../../src/system/small-folder.ts'

describe('removeSmall', () => {
  let at: string
  let folder: string

  beforeEach(() => {
    at = mkdtempSync(join(tmpdir(), 'small-folder-'))
    folder = join(at, 'folder')
    mkdirSync(folder)
  })
  afterEach(() => rmSync(at, { recursive: true }))

  it('takes a folder with what nginx leaves', () => {
    for (const name of ['client_body', 'proxy', 'uwsgi']) mkdirSync(join(folder, name))
    writeFileSync(join(folder, 'nginx.pid'), '20\n')
    expect(removeSmall(folder)).toBe(true)
    expect(existsSync(folder)).toBe(false)
  })

  it('takes a folder that is not there for removed', () => {
    expect(removeSmall(join(at, 'nothing'))).toBe(true)
  })

  it('removes a link, and not what it leads to', () => {
    writeFileSync(join(at, 'other'), 'kept')
    symlinkSync(join(at, 'other'), join(folder, 'link'))
    symlinkSync(at, join(folder, 'up'))
    expect(removeSmall(folder)).toBe(true)
    expect(existsSync(join(at, 'other'))).toBe(true)
  })

  it('leaves to others a link in its place, and what that leads to', () => {
    writeFileSync(join(folder, 'other'), 'kept')
    symlinkSync(folder, join(at, 'link'))
    expect(removeSmall(join(at, 'link'))).toBe(false)
    expect(existsSync(join(folder, 'other'))).toBe(true)
  })

  it('leaves to others what this user may not remove', () => {
    writeFileSync(join(folder, 'nginx.pid'), '20\n')
    chmodSync(at, 0o755)
    chmodSync(folder, 0o555)
    const user = process.geteuid!()
    if (user === 0) process.seteuid!(65_534) // Modes do not stop root.
    try {
      expect(removeSmall(folder)).toBe(false)
    } finally {
      process.seteuid!(user)
      chmodSync(folder, 0o755)
    }
    expect(existsSync(join(folder, 'nginx.pid'))).toBe(true)
  })

  it.each([
    ['a folder that is not empty', () => mkdirSync(join(folder, 'proxy/1'), { recursive: true })],
    ['a large file', () => writeFileSync(join(folder, 'upload'), Buffer.alloc(100_000))],
    ['many names', () => Array.from({ length: 17 }, (_, n) => mkdirSync(join(folder, String(n))))],
  ])('leaves %s to others', (_, fill) => {
    fill()
    expect(removeSmall(folder)).toBe(false)
    expect(existsSync(folder)).toBe(true)
  })
})

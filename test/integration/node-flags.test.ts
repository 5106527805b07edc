import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cachedDataVersionTag } from 'node:v8'
import { describe, expect, it } from 'vitest'
import { releaseMemory } from '../../src/system/memory.ts'

const shim = readFileSync(join(import.meta.dirname, '../../rootfs/usr/local/bin/supervisor'), 'utf8')

const tagWith = (options: readonly string[]): string =>
  execFileSync(process.execPath, [...options, '-p', 'v8.cachedDataVersionTag()'], { encoding: 'utf8' })

describe("V8's code cache", () => {
  it('is of use with the options that PID 1 has: else Node compiles its own modules at each start', () => {
    const options = /my @options = qw\((.*)\)/.exec(shim)![1]!.split(' ')
    expect(tagWith(options)).toBe(tagWith([]))
    expect(tagWith([...options, '--bytecode-old-age=1'])).not.toBe(tagWith([]))
  })

  it('is of use after memory was given back', () => {
    const before = cachedDataVersionTag()
    releaseMemory({ trimHeap: () => undefined, forgetMapped: () => undefined })
    expect(cachedDataVersionTag()).toBe(before)
  })
})

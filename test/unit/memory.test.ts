import { describe, expect, test } from 'vitest'
import { cleanPartsOf } from '../../src/system/memory.ts'

/** As `/proc/PID/smaps` has it, with the lines that count. */
const part = (range: string, flags: string, path: string, rss: number, anonymous: number): string =>
  [
    `${range} ${flags} 00000000 fe:00 4711                       ${path}`,
    `Rss:            ${String(rss).padStart(8)} kB`,
    `Anonymous:      ${String(anonymous).padStart(8)} kB`,
    'VmFlags: rd mr mw me',
    '',
  ].join('\n')

const node = '/usr/local/lib/supervisor/node'

describe('the pages of a program that may go', () => {
  test('are those which it only reads, and never wrote', () => {
    const smaps = [
      part('00400000-00500000', 'r--p', node, 1024, 0),
      part('00500000-00900000', 'r-xp', node, 3000, 0),
      part('00900000-00a00000', 'r--p', node, 1024, 64), // Relocated, then protected.
      part('00a00000-00b00000', 'rw-p', node, 1024, 0),
      part('00c00000-00d00000', 'r-xp', '/lib/libc.so.6', 1024, 0),
    ].join('')
    expect(cleanPartsOf(smaps, node)).toEqual([
      { address: 0x400000, bytes: 0x100000 },
      { address: 0x500000, bytes: 0x400000 },
    ])
  })

  test('are none where the figures say that none is in memory, as an emulator does', () => {
    const smaps = [
      part('00500000-00900000', 'r-xp', node, 0, 0),
      part('00900000-00a00000', 'r--p', node, 0, 0),
    ]
    expect(cleanPartsOf(smaps.join(''), node)).toEqual([])
  })
})

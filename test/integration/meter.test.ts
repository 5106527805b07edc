import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openKernel } from '../../src/system/kernel.ts'
import { Meter } from '../../src/system/meter.ts'
import { childrenOf, residentBytes } from '../../src/system/proc.ts'
import { until } from '../helpers/daemon.ts'

const fixture = fileURLToPath(new URL('../fixtures/memory.ts', import.meta.url))
const MiB = 1024 * 1024
/** A process with 40 MiB, and three children that share them. */
const script = `$x = "a"; $x x= 40 << 20; for (1 .. 3) { fork or last } sleep 60`
/** What Docker lets root keep, as far as it matters here: not CAP_SYS_PTRACE and not CAP_PERFMON. */
const capabilities = ['chown', 'dac_override', 'kill', 'setgid', 'setuid']
const isRoot = process.getuid!() === 0

describe('memory', () => {
  let child: ChildProcess
  const start = (before: readonly string[] = []): void => {
    const [file, ...args] = [...before, 'perl', '-e', script]
    child = spawn(file, args, { detached: true, stdio: 'ignore' })
  }
  const allAtWork = (): Promise<unknown> => until('the children', () => childrenOf(child.pid!).length === 3)
  beforeEach(() => {
    child = undefined!
  })
  afterEach(() => {
    process.kill(-child.pid!, 'SIGKILL')
  })

  test('of processes that share their pages is what they have together', async () => {
    start()
    await allAtWork()
    const resident = [child.pid!, ...childrenOf(child.pid!)].map(residentBytes)
    expect(resident.reduce((sum, bytes) => sum + bytes)).toBeGreaterThan(160 * MiB)
    const meter = new Meter(openKernel())
    const memoryBytes = await meter.memoryOf(child.pid!)
    expect(memoryBytes).toBeGreaterThan(40 * MiB)
    expect(memoryBytes).toBeLessThan(60 * MiB)
    expect(await Promise.all([meter.memoryOf(child.pid!), meter.memoryOf(child.pid!)])).toEqual([
      expect.closeTo(memoryBytes!, -6),
      expect.closeTo(memoryBytes!, -6),
    ])
  })

  test('of a process that is gone is unknown', async () => {
    start()
    const ended = new Promise((resolve) => child.once('exit', resolve))
    process.kill(-child.pid!, 'SIGKILL')
    await ended
    expect(await new Meter(openKernel()).memoryOf(child.pid!)).toBeNull()
    start()
  })

  describe.skipIf(!isRoot)('of another user, for root in Docker,', () => {
    const measure = (kept: readonly string[]): number => {
      const set = ['-all', ...kept.map((name) => `+${name}`)].join(',')
      const options = [`--bounding-set=${set}`, '--inh-caps=-all']
      const argv = [...options, '--', process.execPath, fixture, String(child.pid)]
      const text = execFileSync('setpriv', argv, { encoding: 'utf8' })
      return (JSON.parse(text) as { memoryBytes: number }).memoryBytes
    }
    beforeEach(async () => {
      start(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all', '--'])
      await allAtWork()
    })

    test('is the same, and we can be looked into as before', () => {
      const memoryBytes = measure(capabilities)
      expect(memoryBytes).toBeGreaterThan(40 * MiB)
      expect(memoryBytes).toBeLessThan(60 * MiB)
    })

    test('is resident memory where the kernel does not tell', () => {
      expect(measure(capabilities.filter((name) => name !== 'setuid'))).toBeGreaterThan(160 * MiB)
    })
  })
})

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readlinkSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openKernel } from '../../src/system/kernel.ts'
import { isProcessIn } from '../../src/system/proc.ts'
import { until } from '../helpers/daemon.ts'

const isRoot = process.getuid!() === 0

describe('a process', () => {
  let root: string
  let folder: string
  let child: ChildProcess | undefined
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'proc-'))
    folder = join(root, 'data')
    for (const name of ['data', 'other']) mkdirSync(join(root, name))
  })
  afterEach(() => {
    child?.kill('SIGKILL')
    rmSync(root, { recursive: true })
  })
  /** A process whose working folder is called `folder`. */
  const start = async (before = ''): Promise<number> => {
    const started = spawn('sh', ['-c', `${before} cd ${folder} && exec sleep 60`], { stdio: 'ignore' })
    child = started
    await until('it is in its folder', () => readlinkSync(`/proc/${started.pid}/cwd`) === folder)
    return started.pid!
  }

  test('runs in its working folder, by whatever path that is named, and in no other', async () => {
    const pid = await start()
    symlinkSync('data', join(root, 'link'))
    const kernel = openKernel()
    const seen = ['data', 'link', 'other', 'none'].map((name) => isProcessIn(kernel, join(root, name), pid))
    expect(seen).toEqual([true, true, false, false])
    expect(isProcessIn(kernel, folder, 2 ** 22 + 1)).toBe(false)
  })

  test.skipIf(!isRoot)('does not run in a folder of the same name that another container has', async () => {
    child = spawn('unshare', [
      '--mount',
      'sh',
      '-c',
      `mount -t tmpfs x ${folder}; cd ${folder}; exec sleep 60`,
    ])
    const pid = child.pid!
    await until('it is in its folder', () => readlinkSync(`/proc/${pid}/cwd`) === folder)
    expect(isProcessIn(openKernel(), folder, pid)).toBe(false)
  })
})

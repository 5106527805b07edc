import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { openKernel } from '../../src/system/kernel.ts'
import { countWaiting, measureSelf } from '../../src/system/measures.ts'
import { freePort } from '../helpers/port.ts'

const connected = (socket: Socket): Promise<unknown> =>
  new Promise((resolve) => socket.once('connect', resolve))

test('counts the connections that wait in a socket which nobody accepts from', async () => {
  const kernel = openKernel()
  const [port, folder] = [await freePort(), mkdtempSync('/tmp/waiting-')]
  const socketPath = `${folder}/there.sock`
  const fds = [kernel.listenTcp('127.0.0.1', port), kernel.listenUnix(socketPath)]
  const [tcp, unix] = [{ host: '127.0.0.1', port }, { socketPath }]
  expect([countWaiting(tcp), countWaiting(unix)]).toEqual([0, 0])
  expect(fds.map(kernel.isAwaited)).toEqual([false, false])
  const clients = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1'), connect(socketPath)]
  onTestFinished(() => {
    for (const client of clients) client.destroy()
    rmSync(folder, { recursive: true })
  })
  await Promise.all(clients.map(connected))
  expect([countWaiting(tcp), countWaiting(unix)]).toEqual([2, 1])
  expect(fds.map(kernel.isAwaited)).toEqual([true, true])
  expect(measureSelf().openFds).toBeGreaterThan(3)
})

test('tells that a child has shut a socket, and opens it again under the same number', async () => {
  const kernel = openKernel()
  const folder = mkdtempSync('/tmp/shut-')
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = `${folder}/there.sock`
  const fd = kernel.listenUnix(path)
  expect(kernel.isShut(fd)).toBe(false)
  const shut = 'open my $socket, "+<&=3"; shutdown($socket, 2) or die $!'
  expect(spawnSync('perl', ['-e', shut], { stdio: ['ignore', 'ignore', 'inherit', fd] }).status).toBe(0)
  expect(kernel.isShut(fd)).toBe(true)
  rmSync(path)
  kernel.listenUnixAgain(path, fd)
  expect([kernel.isShut(fd), kernel.isAwaited(fd)]).toEqual([false, false])
  const client = connect(path)
  await connected(client)
  client.destroy()
  expect(kernel.isAwaited(fd)).toBe(true)
})

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parseReleases, updateIn } from '../../src/core/releases.ts'
import { Updates } from '../../src/daemon/updates.ts'
import { whyNotUpdateNotice } from '../../src/settings/update-notice.ts'
import { httpRead } from '../../src/system/http.ts'
import { inVolume } from '../../src/units/place.ts'
import { createScope } from './fakes/scope.ts'

const hourMs = 3_600_000
const answer = JSON.stringify([
  { tag_name: '0.14.0', name: '', body: '', prerelease: true },
  { tag_name: 'v0.13.0', name: 'Forms', body: 'More forms.' },
  { tag_name: '0.12.0', name: '0.12.0', body: 'Fixes CVE-2026-1.' },
  { tag_name: '0.11.0', name: '', body: 'A security release' },
  { tag_name: 'nightly', name: '', body: 'security' },
  null,
])

const stage = (config = '') => {
  const at = createScope({ config })
  at.disk.put('/code/mathesar/__init__.py', '__version__ = "0.11.0"\n')
  const reads: string[] = []
  const says = { text: async (): Promise<string> => answer }
  at.replies.read = async (url) => {
    reads.push(url)
    return await says.text()
  }
  const open = (): Updates => {
    const instance = { inForce: at.scope.inForce, isStopping: false }
    const updates = new Updates({ system: at.system, place: at.scope.place, instance })
    updates.start()
    return updates
  }
  return { ...at, open, reads, says }
}

describe('the releases of Mathesar', () => {
  test('tell which one is newer, and whether one since ours speaks of security', () => {
    const releases = parseReleases(answer)
    expect(updateIn(releases, '0.11.0')).toEqual({ version: '0.13.0', security: true })
    expect(updateIn(releases, '0.12.0')).toEqual({ version: '0.13.0', security: false })
    expect(updateIn(releases, '0.9.3')).toEqual({ version: '0.13.0', security: true })
    expect(updateIn(releases, '0.13.0')).toBeNull()
    expect(updateIn(releases, 'a branch')).toBeNull()
    expect(() => parseReleases('{}')).toThrow('it is not a list of releases')
  })
})

describe('the update notice', () => {
  test.each(['null', '{}', '[', '{"askedMs":0,"releases":1}'])('is none where its record is %s', (text) => {
    const { open, disk, scope } = stage()
    disk.put(inVolume(scope.place.paths).updateRecord, text)
    expect(open().status()).toBeNull()
  })

  test('asks once a day, and an answer lasts over a restart until it is no news', async () => {
    const { open, clock, reads, disk } = stage()
    const updates = open()
    await clock.advance(hourMs / 12)
    expect(reads).toEqual([])
    await clock.advance(23 * hourMs)
    expect(reads).toEqual(['https://api.github.com/repos/mathesar-foundation/mathesar/releases?per_page=20'])
    expect(updates.status()).toEqual({ version: '0.13.0', security: true })
    updates.stop()

    const next = open()
    expect(next.status()).toEqual({ version: '0.13.0', security: true })
    await clock.advance(72 * hourMs)
    expect(reads.length).toBe(4)
    next.stop()
    disk.put('/code/mathesar/__init__.py', '__version__ = "0.13.0"\n')
    expect(open().status()).toBeNull()
  })

  test('asks nobody when it is off', async () => {
    const { open, clock, reads } = stage('UPDATE_NOTICE=off\n')
    const updates = open()
    await clock.advance(72 * hourMs)
    expect(reads).toEqual([])
    expect(updates.status()).toBeNull()
  })

  test('fails in silence, and asks again a day later', async () => {
    const { open, clock, reads, said, failures, says } = stage()
    says.text = async () => {
      throw new Error('no route to host')
    }
    open()
    await clock.advance(25 * hourMs)
    says.text = async () => '<html>'
    await clock.advance(25 * hourMs)
    expect(reads.length).toBe(3)
    expect(said.filter((line) => !line.startsWith('debug'))).toEqual([])
    expect(failures).toEqual([])
  })

  test('takes https alone, without a password', () => {
    expect(whyNotUpdateNotice('off')).toBeUndefined()
    expect(whyNotUpdateNotice('https://releases.example/x.json')).toBeUndefined()
    expect(whyNotUpdateNotice('http://releases.example/x.json')).toMatch(
      'is neither off nor an https address',
    )
    expect(whyNotUpdateNotice('https://a:b@releases.example/')).toMatch('has a password')
  })
})

test('a document that is larger, late or elsewhere is not read; the request says nothing of us', async () => {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.url} ${Object.keys(request.headers).join()}`)
    if (request.url === '/late') return
    const status = request.url === '/moved' ? 302 : 200
    response
      .writeHead(status, { location: '/whole' })
      .end(request.url === '/large' ? 'x'.repeat(5000) : '[1]')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const read = (path: string, timeoutMs = 5000): Promise<string> =>
    httpRead(`${base}${path}`, { timeoutMs, limitBytes: 1000 }, new AbortController().signal)
  expect(await read('/whole')).toBe('[1]')
  await expect(read('/large')).rejects.toThrow('it is larger than 1000 bytes')
  await expect(read('/moved')).rejects.toThrow('it answers 302')
  await expect(read('/late', 30)).rejects.toThrow('abort')
  const headers = 'user-agent,accept,host,connection'
  expect(asked).toEqual(['/whole', '/large', '/moved', '/late'].map((path) => `${path} ${headers}`))
})

import { afterEach, expect, test, vi } from 'vitest'
import { run as permit } from '../../src/cli/permit.ts'
import { startDaemon } from './fakes/daemon.ts'

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

test.each([
  ['nas.local', 'a.org,nas.local'],
  ['b.org', 'a.org,nas.local,b.org'],
])('permits %s beside a.org and nas.local: %s', async (host, value) => {
  const settings = [{ name: 'ALLOWED_HOSTS', value: 'a.org, nas.local' }]
  const result = { result: 'unchanged', version: 'x', changes: [], warnings: [] }
  const { run, asked, close } = await startDaemon(({ method }) => ({
    status: 200,
    body: method === 'GET' ? { version: 'x', settings } : { result },
  }))
  vi.stubEnv('SUPERVISOR_RUN', run)
  vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  try {
    expect(await permit([host])).toBe(0)
    expect(asked[1]).toContain(JSON.stringify({ set: { ALLOWED_HOSTS: value } }).slice(1, -1))
  } finally {
    close()
  }
})

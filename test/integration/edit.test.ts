import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { startDaemon } from '../unit/fakes/daemon.ts'

const main = new URL('../../src/main.ts', import.meta.url).pathname

test('a text for `config edit` that is not UTF-8 is refused, and nothing is changed', async () => {
  const daemon = await startDaemon(() => ({ status: 200, body: { version: '0123456789ab' } }))
  try {
    const edit = spawn(process.execPath, ['--no-warnings', main, 'config', 'edit'], {
      env: { ...process.env, SUPERVISOR_RUN: daemon.run },
    })
    edit.stdin.end(Buffer.from('# a comment\nPOSTGRES_PASSWORD=p\xe4ssword\n', 'latin1'))
    const [said, [exitCode]] = await Promise.all([text(edit.stderr), once(edit, 'exit')])
    expect([exitCode, said]).toEqual([2, expect.stringContaining('cannot edit: line 2 is not UTF-8')])
    expect(daemon.asked).toEqual(['GET /v1/config'])
  } finally {
    daemon.close()
  }
})

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readOwnSecret } from '../../src/cli/own.ts'

test('a command reads a secret of the volume without what an editor adds, as a boot does', () => {
  const data = mkdtempSync(join(tmpdir(), 'secrets-'))
  onTestFinished(() => rmSync(data, { recursive: true }))
  mkdirSync(join(data, 'secrets'))
  writeFileSync(join(data, 'secrets/postgres_password'), 'the password\n')
  expect(readOwnSecret({ data }, 'postgres_password')).toBe('the password')
  expect(readOwnSecret({ data }, 'secret_key')).toBeUndefined()
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readPassword } from '../../src/cli/password.ts'

describe('a password in a file', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'password-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const read = async (bytes: Buffer): Promise<string> => {
    const path = join(folder, 'password')
    writeFileSync(path, bytes)
    return await readPassword(path)
  }

  test.each([
    ['a secret\n', 'a secret'],
    [' ä secret \r\n', ' ä secret '],
    ['\uFEFFas Notepad writes it\r\n', 'as Notepad writes it'],
  ])('%j is %j', async (text, password) => {
    expect(await read(Buffer.from(text))).toBe(password)
  })

  test.each([
    ['empty', '\n', 'latin1', 'it is empty'],
    ['in Latin-1', 'p\xe4ssword', 'latin1', 'line 1 is not UTF-8'],
    ['in UTF-16', '\uFEFFpassword', 'utf16le', 'line 1 is UTF-16'],
  ] as const)('that is %s is refused: it would be another one', async (_, text, encoding, why) => {
    await expect(read(Buffer.from(text, encoding))).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining(`cannot read the password: ${why}`),
    })
  })
})

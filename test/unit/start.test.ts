import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readRoot, root } from './sources.ts'

test.each(['--help', '-h'])('npm start -- %s installs nothing, and starts nothing', (option) => {
  const folder = mkdtempSync(join(tmpdir(), 'start-'))
  try {
    for (const file of ['with-node24.cjs', 'start.txt'])
      cpSync(join(root, 'scripts', file), join(folder, 'scripts', file))
    const argv = [join(folder, 'scripts/with-node24.cjs'), 'scripts/start.ts', option]
    const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' })
    expect([status, stderr, stdout]).toEqual([0, '', readRoot('scripts/start.txt')])
    expect(readdirSync(folder)).toEqual(['scripts'])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the help of npm start has every option that it takes', () => {
  const [, options = ''] = /\n {6}options: \{\n([^]*?)\n {6}\}/.exec(readRoot('scripts/start.ts'))!
  const names = [...options.matchAll(/^ {8}'?([a-z-]+)'?: /gm)].map(([, name]) => `--${name}`)
  expect(names.length).toBeGreaterThan(4)
  const text = readRoot('scripts/start.txt')
  expect([...text.matchAll(/^ {2}(--\w[\w-]*)/gm)].map(([, name]) => name)).toEqual(
    expect.arrayContaining(names),
  )
})

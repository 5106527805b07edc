import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { files } from '../../src/system/files.ts'
import { markCheckpoint } from '../../src/units/postgres/checkpoint-mark.ts'

test('a mark takes the place of the one before, and of no folder, which could hold millions of files', () => {
  const data = mkdtempSync(join(tmpdir(), 'mark-'))
  onTestFinished(() => rmSync(data, { recursive: true }))
  const cluster = join(data, 'postgres')
  mkdirSync(join(cluster, 'supervisor.checkpoint-folder/in it'), { recursive: true })
  writeFileSync(join(cluster, 'supervisor.checkpoint-900'), 'x')
  const where = { system: { files }, place: { paths: { data } } } as Parameters<typeof markCheckpoint>[0]
  markCheckpoint(where, '901')
  expect(readdirSync(cluster).toSorted()).toEqual([
    'supervisor.checkpoint-901',
    'supervisor.checkpoint-folder',
  ])
  markCheckpoint(where, '902')
  expect(readdirSync(cluster)).toHaveLength(2)
})

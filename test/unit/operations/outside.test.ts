import { expect, test } from 'vitest'
import { readmeOf } from '../../../src/operations/archive/readme.ts'
import { outsideInWords, outsideOf } from '../../../src/operations/outside.ts'
import { filesOf, read } from '../configurations.ts'
import { description } from './archives.ts'

const of = (text: string, storage?: string): string | undefined =>
  outsideInWords(outsideOf(read(filesOf(text, { 'file_storage.yml': storage }))))

test.each([
  ['DATA_FILES_STORAGE_BACKEND=azure\n', undefined, ['DATA_FILES_STORAGE_BACKEND=azure']],
  ['FILE_STORAGE_DICT={"default":{}}\n', undefined, ['FILE_STORAGE_DICT']],
  ['FILE_STORAGE_DICT={"default":{}}\n', 'default: {}\n', ['file_storage.yml']],
  ['DATA_FILES_STORAGE_BACKEND=azure\n', 'default: {}\n', ['azure', 'file_storage.yml']],
])('files that lie elsewhere with %j and %j are said not to be in the archive', (text, storage, names) => {
  const said = of(text, storage)
  for (const name of names) expect(said).toContain(name)
  expect(said).toMatch(/^Not in this archive: .* They need a backup of their own\.$/)
})

test.each(['', 'DATA_FILES_STORAGE_BACKEND=local\n'])(
  'nothing is said of a volume that has all: %j',
  (text) => {
    expect(of(text)).toBeUndefined()
  },
)

test('the README.txt of an archive says it', () => {
  const outside = outsideOf(read(filesOf('DATA_FILES_STORAGE_BACKEND=azure\n')))
  expect(readmeOf({ ...description, outside: [...outside] }, [])).toContain('Not in this archive: ')
  expect(readmeOf(description, [])).not.toContain('Not in this archive')
})

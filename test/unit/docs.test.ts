import { describe, expect, test } from 'vitest'
import { documents, renderDocument } from '../../scripts/docs.ts'
import { units } from '../../src/units/index.ts'
import { readRoot, sources } from './sources.ts'

describe('what the documents have from the sources (npm run docs)', () => {
  test.each(documents)('is up to date in %s', (path) => {
    const text = readRoot(path)
    expect(renderDocument(text)).toBe(text)
  })

  test('is in one of them, each part', () => {
    const text = documents.map(readRoot).join('')
    for (const part of ['settings', 'errors', 'commands', 'graph'])
      expect(text.match(new RegExp(`^<!-- ${part} -->$`, 'gm')), part).toHaveLength(2)
  })
})

test('the list at the top of operations.md has each of its sections, in their order', () => {
  const text = readRoot('docs/operations.md')
  const listed = [...text.matchAll(/^- \[(.+)\]\(#(.+)\)$/gm)].map(([, title, anchor]) => [title, anchor])
  const sections = [...text.matchAll(/^## (.+)$/gm)].map(([, title]) => title!)
  const anchorOf = (title: string): string =>
    title
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-')
  expect(listed).toEqual(sections.map((title) => [title, anchorOf(title)]))
})

describe('the map in src/README.md', () => {
  const map = readRoot('src/README.md')
  const [rooms = ''] = /(?<=^## Rooms\n+```\n)[^]*?(?=```)/m.exec(map) ?? []
  /** "core/ words: file, file", over several lines. */
  const entries = rooms
    .replace(/\n {4,}(?=\S)/g, ' ')
    .split('\n')
    .flatMap((line) => {
      const [, room, files] = /^ *(\S+\/) +[^:]*: (.*)$/.exec(line) ?? []
      return room === undefined ? [] : [{ room, files: files!.split(', ') }]
    })

  test('names every room', () => {
    const folders = new Set([...sources.keys()].map((path) => path.slice(4, path.lastIndexOf('/') + 1)))
    folders.delete('')
    expect(entries.map(({ room }) => room).toSorted()).toEqual([...folders].toSorted())
  })

  test('names files that are there, and no others', () => {
    const named = entries.flatMap(({ room, files }) => files.map((file) => `src/${room}${file}.ts`))
    expect(named.filter((path) => !sources.has(path))).toEqual([])
    expect(named.length).toBeGreaterThan(50)
    const mentioned = [...map.matchAll(/`((?:\w+\/)+[\w-]+\.ts)`/g)].map(([, path]) => path!)
    expect(mentioned.filter((path) => !sources.has(`src/${path}`))).toEqual([])
  })

  test('draws every unit, and every dependency of it', () => {
    for (const unit of units) {
      const { name, needs } = unit
      expect(map).toMatch(new RegExp(`^  ${name}(\\(\\[${name}\\]\\))?$`, 'm'))
      if (needs.length > 0) expect(map).toContain(`  ${needs.join(' & ')} --> ${name}\n`)
    }
    expect(map).toContain('  migrations & administrator & user-databases & sync & manifest -.-> mathesar\n')
  })
})

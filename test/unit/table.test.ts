import { expect, test } from 'vitest'
import { renderTable } from '../../src/core/table.ts'

test('a row of a table may end before the others, as that of an archive that does not open', () => {
  const rows = [
    ['NAME', 'MIB', 'KIND'],
    ['a.tar', '1.5', 'exact'],
    ['b.tar', '0.1'],
  ]
  expect(renderTable(rows)).toBe('NAME   MIB  KIND\na.tar  1.5  exact\nb.tar  0.1')
  expect(renderTable([['NAME', 'MIB'], ['b.tar']])).toBe('NAME   MIB\nb.tar')
})

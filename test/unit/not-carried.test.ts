import { expect, test } from 'vitest'
import { notCarriedIn } from '../../src/cli/promote.ts'
import { formatEvent } from '../../src/core/log-lines.ts'

const said: readonly (readonly [unit: string, text: string])[] = [
  ['promote', 'not carried: what an earlier copy left behind'],
  ['promote', 'copying the databases mathesar, shop'],
  ['mathesar', 'GET / promote not carried: what a stranger typed'],
  ['promote', 'not carried: the role "ada", which is there'],
  ['promote', 'all is there'],
  ['promote', 'not carried: a "comment"\n  in two lines'],
]

test.each(['text', 'json'] as const)('what was not carried is read in a log of %s', (format) => {
  const log = said.map(([unit, text]) =>
    formatEvent(format, '2026-10-01T12:00:00.000Z', unit, { level: 'info', text }),
  )
  expect(notCarriedIn(log.join(''))).toEqual([
    'not carried: the role "ada", which is there',
    'not carried: a "comment"',
  ])
})

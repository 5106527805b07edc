import { describe, expect, test } from 'vitest'
import { isKeptForPage } from '../../src/cli/run/failure-page.ts'
import { Ending } from '../../src/daemon/ending.ts'

describe('a container whose boot failed', () => {
  const facts = {
    code: 'DATABASE_UNREACHABLE',
    wasReady: false,
    onFailure: undefined,
    isTerminal: false,
  } as const

  test.each([
    ['exits where nobody sits at a terminal', {}, false],
    ['stays for the page where somebody does', { isTerminal: true }, true],
    ['does what it was told', { onFailure: 'page' }, true],
    ['does what it was told at a terminal, too', { onFailure: 'exit', isTerminal: true }, false],
    ['exits when it has served before', { onFailure: 'page', wasReady: true }, false],
    ['stays where it has moved: to start it again changes nothing', { code: 'MOVED' }, true],
    ['exits where it has moved, when it is told to', { code: 'MOVED', onFailure: 'exit' }, false],
    ['exits when somebody stopped it', { onFailure: 'page', code: 'STOP_NOT_CLEAN' }, false],
  ] as const)('%s', (_, given, isKept) => {
    expect(isKeptForPage({ ...facts, ...given })).toBe(isKept)
  })

  test('does what was decided first', async () => {
    const ending = new Ending()
    ending.exit()
    ending.startOver()
    expect(await ending.decision).toBe('exit')
  })
})

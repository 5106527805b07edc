import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { startingPath } from '../../scripts/docs.ts'
import { renderAssets, renderConsoleAssets } from '../../scripts/page.ts'
import type { UnitStatus } from '../../src/core/status.ts'
import { errorTable } from '../../src/errors.ts'
import { contentSecurityPolicy, renderPage, renderView, startingPage } from '../../src/page/render.ts'
import { type ViewFacts, viewOf } from '../../src/page/view.ts'
import { words } from '../../src/page/words.ts'
import { readRoot } from './sources.ts'

const nowMs = Date.parse('2026-11-26T12:00:05.000Z')
const unit = (name: string, fields: Partial<UnitStatus> = {}): UnitStatus => ({
  name,
  kind: 'task',
  description: 'does something',
  state: 'done',
  since: '2026-11-26T12:00:00.000Z',
  pid: null,
  restarts: 0,
  generation: 0,
  memoryBytes: null,
  lastExit: null,
  detail: null,
  tookMs: null,
  startedAfterMs: null,
  ...fields,
})
const view = (status: Partial<ViewFacts['status']> = {}, facts: Partial<ViewFacts> = {}) =>
  viewOf({
    status: {
      phase: 'booting',
      units: [],
      problems: [],
      boot: { readyAfterMs: null, criticalPath: [] },
      ...status,
    },
    isServing: false,
    isKept: false,
    isRestoring: false,
    rowOf: (code) => errorTable[code as keyof typeof errorTable],
    readTail: undefined,
    nowMs,
    ...facts,
  })
const problem = { unit: 'x', code: 'VOLUME_FULL', message: 'm', hint: null }
const served = { readyAfterMs: 900, criticalPath: [] }

describe('what a stranger sees of a boot', () => {
  test('are its steps with their times, without those that are left out', () => {
    const { steps } = view({
      units: [
        unit('volume', { tookMs: 3 }),
        unit('cluster', { state: 'skipped' }),
        unit('migrations', { state: 'running' }),
        unit('mathesar', { state: 'waiting' }),
      ],
    })
    expect(steps.map(({ name, state, tookMs }) => [name, state, tookMs])).toEqual([
      ['volume', 'done', 3],
      ['migrations', 'running', 5000],
      ['mathesar', 'waiting', undefined],
    ])
  })

  const refused = {
    phase: 'stopping' as const,
    units: [unit('database', { state: 'failed', detail: 'user secret_user', lastExit: 'x' })],
    problems: [
      { unit: 'database', code: 'DATABASE_REFUSED', message: 'db.internal refuses secret_user', hint: 'h' },
    ],
  }

  test('is which step failed with what code and what to do, and no message, no detail and no name', () => {
    const told = view(refused)
    expect(told.troubles).toEqual([
      {
        step: 'database',
        state: 'failed',
        code: 'DATABASE_REFUSED',
        exitCode: 51,
        hint: errorTable.DATABASE_REFUSED.hint,
        own: undefined,
      },
    ])
    expect(told.tail).toBeUndefined()
    expect(JSON.stringify(told)).not.toMatch(/secret_user|db\.internal/)
  })

  test('is more for whoever may see it: the sentence, its own hint and the log', () => {
    const { troubles, tail } = view(refused, { readTail: () => 'the log' })
    expect(troubles[0]?.own).toEqual({ message: 'db.internal refuses secret_user', hint: 'h' })
    expect(tail).toBe('the log')
    expect(view({}, { readTail: () => 'the log' }).tail).toBeUndefined()
  })

  test('is each failure once, and not what keeps nobody out', () => {
    const units = [unit('mathesar', { kind: 'service', state: 'ready' })]
    const host = { unit: 'mathesar', code: null, message: 'refused the host x', hint: null }
    expect(view({ units, problems: [host, problem, problem] }).troubles.map(({ step }) => step)).toEqual([
      'x',
    ])
  })

  test.each([
    ['booting', {}, {}],
    ['hindered', { problems: [problem] }, {}],
    ['serving', { phase: 'running', problems: [problem] }, { isServing: true }],
    ['away', { phase: 'running', boot: served, problems: [problem] }, {}],
    ['stopping', { phase: 'stopping' }, { isServing: true }],
    ['failed', { phase: 'stopping', problems: [problem] }, {}],
    ['kept', { phase: 'ended', problems: [problem] }, { isKept: true }],
    ['restoring', { phase: 'ended', problems: [problem] }, { isRestoring: true }],
  ] as const)('is told as %s', (situation, status, facts) => {
    expect(view(status, facts).situation).toBe(situation)
  })
})

describe('the page', () => {
  test('asks for nothing from elsewhere', () => {
    expect(renderPage(view())).not.toMatch(/(?:src|href)="(?!data:,)|url\(|@import|https?:/)
    expect(contentSecurityPolicy).toMatch(
      /^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-/,
    )
  })

  test('shows what others choose as text', () => {
    const html = renderView(view({ units: [unit('<img src=x>', { description: '"&\'' })] }))
    expect(html).toContain('&lt;img src=x&gt;')
    expect(html).toContain('&quot;&amp;&#39;')
    const own = { message: '<b>', hint: 'type `<i>`' }
    const trouble = { step: '<u>', state: undefined, code: '<s>', exitCode: 50, hint: undefined, own }
    const told = renderView({
      situation: 'kept',
      steps: [],
      troubles: [trouble],
      isFixable: true,
      tail: '</pre><script>',
    })
    for (const part of ['<u>', '<s>', '<i>', '<script>']) expect(told).not.toContain(part)
    expect(told).toContain('exit code 50')
    expect(told).toContain('<code>&lt;i&gt;</code>')
  })

  test('has a word for each situation', () => {
    for (const situation of Object.keys(words.headlines) as (keyof typeof words.headlines)[])
      expect(renderView({ situation, steps: [], troubles: [], isFixable: false, tail: undefined })).toContain(
        words.headlines[situation],
      )
  })

  test('is at most 30 kB, as are all scripts and styles together, compressed', async () => {
    expect(renderPage(view()).length).toBeLessThan(30_000)
    const all = (await renderAssets()) + (await renderConsoleAssets())
    expect(gzipSync(all).length).toBeLessThan(30_000)
  })

  test('is made from its sources (npm run docs)', async () => {
    expect(readRoot('src/page/assets.ts')).toBe(await renderAssets())
    expect(readRoot('src/page/console/assets.ts')).toBe(await renderConsoleAssets())
    expect(readFileSync(startingPath, 'utf8')).toBe(startingPage())
  })
})

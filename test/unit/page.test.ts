import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { startingPath } from '../../scripts/docs.ts'
import { renderAssets } from '../../scripts/page.ts'
import type { UnitStatus } from '../../src/core/status.ts'
import { errorTable } from '../../src/errors.ts'
import { contentSecurityPolicy, renderPage, renderView, startingPage } from '../../src/page/render.ts'
import { viewOf } from '../../src/page/view.ts'
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
  ...fields,
})
type Facts = Parameters<typeof viewOf>[0]
const view = (status: Partial<Facts['status']> = {}, isServing = false) =>
  viewOf({
    status: {
      phase: 'booting',
      units: [],
      problems: [],
      boot: { readyAfterMs: null, criticalPath: [] },
      ...status,
    },
    isServing,
    hintOf: (code) => errorTable[code as keyof typeof errorTable]?.hint,
    nowMs,
  })

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

  test('is no message, no detail and no name of a database', () => {
    const told = JSON.stringify(
      view({
        units: [unit('database', { state: 'failed', detail: 'user secret_user', lastExit: 'x' })],
        problems: [
          {
            unit: 'database',
            code: 'DATABASE_REFUSED',
            message: 'db.internal refuses secret_user',
            hint: 'h',
          },
        ],
      }),
    )
    expect(told).toContain('DATABASE_REFUSED')
    expect(told).not.toMatch(/secret_user|db\.internal/)
  })

  test.each([
    ['booting', {}, false],
    ['serving', { phase: 'running' }, true],
    ['away', { phase: 'running', boot: { readyAfterMs: 900, criticalPath: [] } }, false],
    ['stopping', { phase: 'stopping' }, true],
    [
      'failed',
      { phase: 'stopping', problems: [{ unit: 'x', code: 'VOLUME_FULL', message: '', hint: null }] },
      false,
    ],
  ] as const)('is told as %s', (situation, status, isServing) => {
    expect(view(status, isServing).situation).toBe(situation)
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
  })

  test('has a word for each situation', () => {
    for (const situation of Object.keys(words.headlines) as (keyof typeof words.headlines)[])
      expect(renderView({ situation, steps: [], problem: undefined })).toContain(words.headlines[situation])
  })

  test('is at most 30 kB', () => {
    expect(renderPage(view()).length).toBeLessThan(30_000)
  })

  test('is made from its sources (npm run docs)', async () => {
    expect(readRoot('src/page/assets.ts')).toBe(await renderAssets())
    expect(readFileSync(startingPath, 'utf8')).toBe(startingPage())
  })
})

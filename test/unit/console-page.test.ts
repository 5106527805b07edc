import { describe, expect, test } from 'vitest'
import type { Status, UnitStatus } from '../../src/core/status.ts'
import { drawBoot, stepFor } from '../../src/page/console/boot-picture.ts'
import { drawChanges, placesOf } from '../../src/page/console/changes-picture.ts'
import { consoleRoot, pathOf } from '../../src/page/console/frame.ts'
import { renderHistory } from '../../src/page/console/history.ts'
import { renderLines } from '../../src/page/console/log.ts'
import { renderSettings } from '../../src/page/console/settings.ts'
import { renderStatusView } from '../../src/page/console/status.ts'
import { describeSetting } from '../../src/settings/configuration.ts'
import type { HistoryEntry } from '../../src/settings/history.ts'
import { settingNames } from '../../src/settings/table.ts'
import { consolePath } from '../../src/units/place.ts'
import { readFile } from './configurations.ts'
import { status as plain, unitOf } from './http/parts.ts'

const startMs = Date.parse('2026-01-01T00:00:00.000Z')
const unit = (name: string, fields: Partial<UnitStatus>): UnitStatus => ({
  ...unitOf(name, 'task', null),
  ...fields,
})
const status = (fields: Partial<Status>): Status => ({ ...plain, ...fields })
const entry = (fields: Partial<HistoryEntry>): HistoryEntry => ({
  at: '2026-01-01T00:00:00.000Z',
  from: 'command',
  version: 'aaaaaaaaaaaa',
  result: 'applied',
  changes: [],
  why: null,
  ...fields,
})

describe('the picture of a boot', () => {
  const booted = status({
    boot: { readyAfterMs: 1000, criticalPath: [{ unit: 'mathesar', tookMs: 800 }] },
    units: [
      unit('mathesar', { startedAfterMs: 200, tookMs: 800 }),
      unit('volume', { startedAfterMs: 0, tookMs: 100 }),
      unit('skipped', { state: 'skipped' }),
    ],
  })

  test('has a bar for each unit that ran, by its begin, as long as it took', () => {
    const svg = drawBoot(booted, startMs + 1e6)
    const bars = [...svg.matchAll(/<rect class="bar (\w+)" x="([\d.]+)" y="\d+" width="([\d.]+)"/g)].map(
      ([, tone, x, width]) => [tone, Number(x), Number(width)],
    )
    expect(bars).toEqual([
      ['good', 150, 75.4],
      ['waited', 300.8, 603.2],
    ])
    expect(svg).not.toContain('skipped')
    expect(svg).toContain('<title>mathesar: from 200 ms on, for 800 ms</title>')
    expect(svg).toContain('<path class="ready" d="M904 ')
  })

  test('goes on to now while it goes on, and shows no later restart', () => {
    const since = new Date(startMs + 500).toISOString()
    const running = unit('mathesar', { state: 'running', since })
    const boot = { readyAfterMs: null, criticalPath: [] }
    expect(drawBoot(status({ boot, units: [running] }), startMs + 1500)).toContain(
      'from 500 ms on, for 1.0 s',
    )
    expect(drawBoot(status({ units: [running] }), startMs + 1500)).toBe('')
  })

  test.each([
    [1, 1],
    [9, 2],
    [900, 200],
    [1510, 200],
    [8000, 1000],
    [61_000, 10_000],
    [600_000, 100_000],
  ])('of %i ms has an axis with a step of %i ms', (endMs, step) => {
    expect(stepFor(endMs)).toBe(step)
  })
})

describe('the picture of changes', () => {
  test('has places in time that do not cover each other, all of them on the line', () => {
    expect(placesOf([])).toEqual([])
    expect(placesOf([5])).toEqual([480])
    expect(placesOf([0, 50, 100])).toEqual([24, 480, 936])
    expect(placesOf([0, 1, 2, 1000])).toEqual([24, 42, 60, 936])
    expect(placesOf([0, 999, 1000, 1000])).toEqual([24, 900, 918, 936])
  })

  test('tells results apart by their shapes, and says what was changed', () => {
    const svg = drawChanges([
      entry({}),
      entry({ result: 'rejected', changes: [{ name: 'PORT', action: 'container' }] }),
      entry({ result: 'rolled back' }),
    ])
    expect(svg.match(/<circle/g)).toHaveLength(1)
    expect(svg.match(/<path class="bad/g)).toHaveLength(2)
    expect(svg).toContain('(command): refused PORT</title>')
    expect(drawChanges([])).toBe('')
    expect(drawChanges(Array.from({ length: 100 }, () => entry({}))).match(/<circle/g)).toHaveLength(50)
  })
})

describe('a part of the console', () => {
  const evil = '<img src=x onerror=alert(1)>'

  test('is where the server answers', () => {
    expect([consoleRoot, pathOf('status')]).toEqual([consolePath, consolePath])
  })

  test('shows what others choose as text', () => {
    const facts = {
      status: status({
        url: `javascript:${evil}`,
        units: [unit(evil, { kind: 'service', description: evil, detail: evil })],
        problems: [{ unit: evil, code: null, message: `${evil}\n${evil}`, hint: evil }],
      }),
      history: [entry({ at: evil, version: evil, why: evil })],
      nowMs: startMs,
    }
    const html =
      renderStatusView(facts) + renderHistory({ history: facts.history, version: '', outcome: undefined })
    expect(html).not.toContain('<img')
    expect(html).not.toContain('href="javascript:')
    expect(renderLines([evil, `{"time":"x","level":"error","msg":"${evil}"}`])).toMatch(
      /^<span class="line info">&lt;img [^<]*<\/span><span class="line error">[^<]*<\/span>$/,
    )
  })

  test('has every setting once with its source, and no secret', () => {
    const { values, version } = readFile(
      'NOTIFY_URL=https://user:hunter2@hooks.example/x\nDEBUG=t\nPORT=9000\n',
    )
    const settings = settingNames.map((name) => describeSetting(name, values, values))
    const html = renderSettings({ settings, base: version, outcome: undefined })
    for (const name of settingNames) expect(html.match(new RegExp(` id="${name}"`, 'g'))).toHaveLength(1)
    expect(html).not.toContain('hunter2')
    expect(html).toContain('name="remove:NOTIFY_URL"')
    expect(html).toContain('<option selected>true</option><option>false</option>')
    expect(html.match(/<span class="badge">file<\/span>/g)).toHaveLength(3)
    expect(html).toMatch(/<input id="ADMIN_USERNAME"[^>]* disabled/)
  })

  test('offers to go back to what was applied, each version once, and not to what is in force', () => {
    const history = [
      entry({ version: 'aaaaaaaaaaaa' }),
      entry({ version: 'bbbbbbbbbbbb' }),
      entry({ version: 'aaaaaaaaaaaa' }),
      entry({ version: 'cccccccccccc', result: 'rolled back' }),
      entry({ version: 'dddddddddddd' }),
    ]
    const html = renderHistory({ history, version: 'dddddddddddd', outcome: undefined })
    expect([...html.matchAll(/name="rollback" value="(\w+)"/g)].map(([, version]) => version)).toEqual([
      'aaaaaaaaaaaa',
      'bbbbbbbbbbbb',
    ])
  })
})

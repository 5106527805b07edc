import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Status } from '../../../src/core/status.ts'
import type { Access } from '../../../src/http/exchange.ts'
import { describeMetrics, renderMetrics } from '../../../src/http/metrics.ts'
import type { Measures } from '../../../src/http/metrics.ts'
import type { Parts } from '../../../src/http/parts.ts'
import { listen } from '../../../src/http/server.ts'
import { askSocket } from '../../helpers/socket.ts'
import { readFile } from '../configurations.ts'
import { createParts } from './parts.ts'

const service = {
  name: 'mathesar',
  kind: 'service',
  description: 'Mathesar',
  state: 'ready',
  since: '2026-10-01T12:00:00.000Z',
  pid: 7,
  restarts: 2,
  generation: 5,
  memoryBytes: 1000,
  lastExit: null,
  detail: null,
  tookMs: 1,
  startedAfterMs: 1,
} as const

const status: Status = {
  version: 1,
  phase: 'running',
  ready: true,
  url: 'http://localhost:8000',
  supervisor: {
    version: '0.1.0',
    pid: 1,
    startedAt: '2026-10-01T12:00:00.000Z',
    memoryBytes: 4096,
    reaped: 3,
    droppedLogLines: 4,
  },
  database: 'embedded',
  config: { version: '0123456789ab', changing: false, pendingRestart: [] },
  backup: { running: null, nextAt: null, last: null, proved: null },
  undo: null,
  update: null,
  boot: { readyAfterMs: 2500, criticalPath: [{ unit: 'postgres', tookMs: 1500 }] },
  units: [service, { ...service, name: 'migrations', kind: 'task', state: 'done' }],
  problems: [],
}
const measures: Measures = {
  process: { cpuSeconds: 1.5, openFds: 20 },
  changes: { applied: 1, 'left to boot': 0, rejected: 0, 'rolled back': 2 },
  waiting: { port: 6, mathesar: 0 },
  freeBytes: undefined,
  certificateEndMs: undefined,
}

/** Names as Prometheus takes them, labels in quotes, a number. */
const sampleLine =
  /^[a-z_]+(?:\{[a-z]+="(?:[^"\\]|\\[\\"n])*"(?:,[a-z]+="(?:[^"\\]|\\[\\"n])*")*\})? -?\d+(?:\.\d+)?$/

describe('the metrics', () => {
  test('have the names that Prometheus expects of processes, and ours', () => {
    const lines = renderMetrics(describeMetrics(status, measures)).trimEnd().split('\n')
    for (const line of [
      'process_resident_memory_bytes 4096',
      'process_start_time_seconds 1790856000',
      'mathesar_ready 1',
      'mathesar_service_state{service="mathesar",state="ready"} 1',
      'mathesar_service_state{service="mathesar",state="backoff"} 0',
      'mathesar_service_restarts_total{service="mathesar"} 2',
      'mathesar_changes_total{result="rolled_back"} 2',
      'mathesar_requests_waiting{socket="port"} 6',
      'mathesar_boot_seconds 2.5',
      'mathesar_boot_phase_seconds{unit="postgres"} 1.5',
      'mathesar_reaped_orphans_total 3',
      'mathesar_dropped_log_lines_total 4',
    ])
      expect(lines).toContain(line)
    for (const line of lines) if (!line.startsWith('# ')) expect(line).toMatch(sampleLine)
    expect(lines.join('\n')).not.toContain('certificate')
  })

  test('escape what a label holds', () => {
    expect(renderMetrics([['a', 'gauge', 'A.', [[1, { b: 'x"\\\n' }]]]])).toBe(
      '# HELP a A.\n# TYPE a gauge\na{b="x\\"\\\\\\n"} 1\n',
    )
  })

  test.each<[number, string, Access, Partial<Parts['container']>]>([
    [404, 'none', 'visitor', {}],
    [200, 'private', 'visitor', {}],
    [404, 'private', 'visitor', { isKept: () => true }],
    [404, 'private', 'visitor', { isRestoring: () => true }],
    [200, 'private', 'operator', { isKept: () => true }],
  ])('are shown by the port while the door is in front: %i with %s for %s', async (code, to, who, state) => {
    const folder = mkdtempSync(join(tmpdir(), 'metrics-'))
    const path = join(folder, 'page.sock')
    const { config, container } = createParts()
    const parts = createParts({
      config: { ...config, inForce: readFile(`METRICS=${to}\n`) },
      container: { ...container, ...state },
    })
    const server = await listen({ path, mode: 0o600 }, parts, who)
    onTestFinished(() => {
      server.close()
      rmSync(folder, { recursive: true })
    })
    expect((await askSocket(path, 'GET', '/metrics')).status).toBe(code)
  })
})

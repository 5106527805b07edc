import type { Store } from '../daemon/config/store.ts'
import { SupervisorError } from '../errors.ts'
import type { System } from '../system/ports.ts'
import { type Exchange, sendText } from './exchange.ts'
import type { Status, UnitStatus } from '../core/status.ts'
import { serviceStates } from '../core/unit.ts'
import { results } from '../settings/history.ts'
import type { Parts } from './parts.ts'
import { withMemory } from './status.ts'

/** What /metrics has beside the status. Times are milliseconds since 1970. */
export type Measures = {
  readonly process: ReturnType<System['measureSelf']>
  /** By their outcome. */
  readonly changes: Store['recorded']
  /** Connections that wait, by the socket. */
  readonly waiting: { readonly port?: number; readonly mathesar?: number }
  readonly freeBytes: number | undefined
  readonly certificateEndMs: number | undefined
}

type Labels = Readonly<Record<string, string>>
type Sample = readonly [value: number, labels?: Labels]
type Metric = readonly [name: string, type: 'gauge' | 'counter', help: string, samples: readonly Sample[]]

const quoted = (text: string): string =>
  `"${text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`

const labelled = (labels: Labels = {}): string => {
  const pairs = Object.entries(labels).map(([name, text]) => `${name}=${quoted(text)}`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

/** The text format of Prometheus (0.0.4). A metric without a sample is left out. */
export const renderMetrics = (metrics: readonly Metric[]): string =>
  metrics
    .filter(([, , , samples]) => samples.length > 0)
    .map(([name, type, help, samples]) => {
      const lines = samples.map(([value, labels]) => `${name}${labelled(labels)} ${value}\n`)
      return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
    })
    .join('')

const seconds = (ms: number): number => ms / 1000
const given = (value: number | null | undefined): readonly Sample[] =>
  typeof value === 'number' ? [[value]] : []

const secondsOf = (ms: number | null | undefined): readonly Sample[] =>
  given(ms).map(([value]) => [seconds(value)])

const secondsAt = (at: string | undefined): readonly Sample[] =>
  at === undefined ? [] : [[seconds(Date.parse(at))]]

/** Those of every process that Prometheus watches, by the names that all use. */
// oxfmt-ignore
const ofProcess = ({ process }: Measures, { supervisor }: Status): readonly Metric[] => [
  ['process_cpu_seconds_total', 'counter', 'CPU time of the supervisor.', [[process.cpuSeconds]]],
  ['process_resident_memory_bytes', 'gauge', 'Resident memory of the supervisor.', [[supervisor.memoryBytes]]],
  ['process_open_fds', 'gauge', 'Open file descriptors of the supervisor.', [[process.openFds]]],
  ['process_start_time_seconds', 'gauge', 'Start of the supervisor, since 1970.', secondsAt(supervisor.startedAt)],
]

// oxfmt-ignore
const ofBackups = ({ backup: { last, proved } }: Status): readonly Metric[] => [
  ['mathesar_backup_last_seconds', 'gauge', 'When the last backup was made, since 1970.', secondsAt(last?.at)],
  ['mathesar_backup_bytes', 'gauge', 'Size of the last backup.', given(last?.bytes)],
  ['mathesar_backup_proved_seconds', 'gauge', 'When a backup was last restored and proved, since 1970.', secondsAt(proved?.at)],
  ['mathesar_backup_restore_seconds', 'gauge', 'How long that restore took.', secondsOf(proved?.restoreMs)],
]

const ofServices = (services: readonly UnitStatus[]): readonly Metric[] => {
  const of = (read: (unit: UnitStatus) => number | null): readonly Sample[] =>
    services.flatMap((unit): Sample[] => {
      const value = read(unit)
      return value === null ? [] : [[value, { service: unit.name }]]
    })
  const states = services.flatMap(({ name, state: now }) =>
    serviceStates.map((state): Sample => [Number(state === now), { service: name, state }]),
  )
  // oxfmt-ignore
  return [
    ['mathesar_service_state', 'gauge', '1 for the state that a service is in.', states],
    ['mathesar_service_restarts_total', 'counter', 'Starts after an exit.', of(({ restarts }) => restarts)],
    ['mathesar_service_generation', 'gauge', 'Processes so far.', of(({ generation }) => generation)],
    ['mathesar_service_memory_bytes', 'gauge', 'Memory of a service; pages that several processes have count in parts (PSS).', of(({ memoryBytes }) => memoryBytes)],
  ]
}

const updateOf = ({ update }: Status): readonly Sample[] =>
  update === null ? [] : [[1, { version: update.version, security: update.security ? 'yes' : 'no' }]]

/** What is measured, as Prometheus reads it. */
export const describeMetrics = (status: Status, measures: Measures): readonly Metric[] => {
  const { supervisor, boot, units, problems } = status
  const { changes, waiting, certificateEndMs, freeBytes } = measures
  const outcomes = results.map((result): Sample => [changes[result], { result: result.replaceAll(' ', '_') }])
  const sockets = Object.entries(waiting).map(([socket, count]): Sample => [count, { socket }])
  const shares = boot.criticalPath.map(({ unit, tookMs }): Sample => [seconds(tookMs), { unit }])
  // oxfmt-ignore
  return [
    ['mathesar_info', 'gauge', 'What runs.', [[1, { version: supervisor.version, database: status.database }]]],
    ['mathesar_ready', 'gauge', 'Whether Mathesar serves.', [[Number(status.ready)]]],
    ['mathesar_problems', 'gauge', 'Problems in the status.', [[problems.length]]],
    ...ofServices(units.filter(({ kind }) => kind === 'service')),
    ['mathesar_changes_total', 'counter', 'Changes of the settings by their outcome.', outcomes],
    ['mathesar_requests_waiting', 'gauge', 'Connections that nobody has accepted yet.', sockets],
    ['mathesar_boot_seconds', 'gauge', 'From the start until ready.', secondsOf(boot.readyAfterMs)],
    ['mathesar_boot_phase_seconds', 'gauge', 'What each unit of the critical path added to the boot.', shares],
    ['mathesar_update_available', 'gauge', '1 where a newer Mathesar is out.', updateOf(status)],
    ['mathesar_reaped_orphans_total', 'counter', 'Orphaned processes collected.', [[supervisor.reaped]]],
    ['mathesar_dropped_log_lines_total', 'counter', 'Log events dropped.', [[supervisor.droppedLogLines]]],
    ['mathesar_volume_free_bytes', 'gauge', 'Free bytes of the volume.', given(freeBytes)],
    ['mathesar_certificate_expiry_seconds', 'gauge', 'When the TLS certificate expires, since 1970.', secondsOf(certificateEndMs)],
    ...ofBackups(status),
    ...ofProcess(measures, status),
  ]
}

/**
 * A visitor comes by the door, which lets in whom METRICS names, under this very path. While the container
 * stays for a page there is no door.
 */
const isOpenTo = (
  { access, request }: Exchange,
  { config, container }: Pick<Parts, 'config' | 'container'>,
): boolean =>
  access === 'operator' ||
  (!container.isKept() &&
    !container.isRestoring() &&
    config.inForce.values.METRICS.value !== 'none' &&
    /^\/metrics(?:$|\?)/.test(request.url ?? ''))

/** What is measured, in the text format of Prometheus. */
export const getMetrics = async (
  exchange: Exchange,
  parts: Pick<Parts, 'config' | 'container' | 'report'>,
): Promise<void> => {
  if (!isOpenTo(exchange, parts))
    throw new SupervisorError('UNIT_UNKNOWN', 'cannot answer /metrics: METRICS names nobody who may read it')
  const { report } = parts
  const status = await withMemory(report.status(), report.memoryOf)
  const text = renderMetrics(describeMetrics(status, report.measures()))
  sendText(exchange, 200, text, { 'cache-control': 'no-store' })
}

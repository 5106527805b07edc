import { age, type Problem, type Status, type UnitStatus } from '../../core/status.ts'
import { updateInWords } from '../../core/releases.ts'
import type { HistoryEntry } from '../../settings/history.ts'
import { escape, toneOf, withCode } from '../render.ts'
import { words } from '../words.ts'
import { drawBoot, inSeconds } from './boot-picture.ts'
import { drawChanges } from './changes-picture.ts'
import { pathOf, renderBytes, renderPicture, renderTable } from './frame.ts'

export type StatusFacts = {
  readonly status: Status
  readonly history: readonly HistoryEntry[]
  readonly nowMs: number
}

const headlineOf = ({ phase, ready }: Status): string => {
  const { phases, ready: isReady, notReady } = words.console.status
  switch (phase) {
    case 'booting':
    case 'draining':
    case 'stopping':
    case 'ended':
      return phases[phase]
    case 'running':
      return ready ? isReady : notReady
  }
}

const renderProblem = ({ unit, message, hint }: Problem): string => {
  const [first = '', ...lines] = message.split('\n')
  const rest = lines.length === 0 ? '' : `<pre tabindex="0">${escape(lines.join('\n'))}</pre>`
  return `<li><p><b>${escape(unit)}</b> ${escape(first)}</p>${rest}<p>${withCode(hint ?? '')}</p></li>`
}

const renderFacts = ({ status, nowMs }: StatusFacts): string => {
  const { facts, databases } = words.console.status
  const { url, supervisor, boot, database, config } = status
  const isLink = /^https?:\/\//.test(url)
  const rows: readonly (readonly [string, string])[] = [
    [facts.url, isLink ? `<a href="${escape(url)}">${escape(url)}</a>` : escape(url)],
    [facts.up, age(supervisor.startedAt, nowMs)],
    [facts.readyAfter, boot.readyAfterMs === null ? '–' : inSeconds(boot.readyAfterMs)],
    [facts.database, databases[database]],
    [facts.config, `<a href="${pathOf('history')}">${config.version}</a>`],
    ...(status.update === null ? [] : [[facts.update, escape(updateInWords(status.update))] as const]),
    [facts.supervisor, `${escape(supervisor.version)}, ${renderBytes(supervisor.memoryBytes)}`],
  ]
  return `<dl>${rows.map(([name, html]) => `<div><dt>${name}</dt><dd>${html}</dd></div>`).join('')}</dl>`
}

const isService = ({ kind }: UnitStatus): boolean => kind === 'service'

const renderState = ({ state }: UnitStatus): string =>
  `<span class="${toneOf(state)}"><span class="dot" aria-hidden="true"></span>` +
  `<span class="state">${words.states[state]}</span></span>`

const renderName = ({ name, description }: UnitStatus): string =>
  `<b>${escape(name)}</b> <small>${escape(description)}</small>`

const renderServices = ({ status, nowMs }: StatusFacts): string => {
  const { columns, services } = words.console.status
  const rows = status.units
    .filter(isService)
    .map((unit) => [
      renderName(unit),
      renderState(unit),
      age(unit.since, nowMs),
      String(unit.restarts),
      unit.memoryBytes === null ? '' : renderBytes(unit.memoryBytes),
      escape(unit.detail ?? unit.lastExit ?? ''),
    ])
  return renderTable(Object.values(columns), rows, services)
}

const renderTasks = ({ status }: StatusFacts): string => {
  const { taskColumns, tasks } = words.console.status
  const some = status.units.filter((unit) => !isService(unit))
  const rows = some.map((unit) => [
    renderName(unit),
    renderState(unit),
    unit.tookMs === null ? '' : inSeconds(unit.tookMs),
    escape(unit.detail ?? ''),
  ])
  const done = some.filter(({ state }) => state === 'done' || state === 'skipped').length
  const table = renderTable(Object.values(taskColumns), rows, tasks)
  return `<summary>${words.console.status.tasksDone(done, some.length)}</summary>${table}`
}

const renderProblems = ({ problems }: Status): string => {
  const items = problems.map(renderProblem).join('')
  return items === '' ? '' : `<ul class="troubles" aria-label="${words.troubles}">${items}</ul>`
}

const renderPending = ({ config: { pendingRestart } }: Status): string => {
  const names = pendingRestart.map((name) => `<code>${name}</code>`).join(' ')
  return names === '' ? '' : `<p>${words.console.status.pending} ${names}</p>`
}

/** What changes while the page is open: always the same elements in the same order. */
export const renderStatusView = (facts: StatusFacts): string => {
  const { status, history, nowMs } = facts
  const { boot, bootLead, changes, noChanges } = words.console.status
  const tone = status.ready ? 'good' : 'bad'
  return (
    `<h1 class="${status.phase === 'booting' ? 'busy' : tone}"><span class="dot" aria-hidden="true"></span>` +
    `${headlineOf(status)}</h1><div role="alert">${renderProblems(status)}</div>` +
    `<div>${renderPending(status)}</div>${renderFacts(facts)}<div>${renderServices(facts)}</div>` +
    `<h2>${boot}</h2><p class="foot">${bootLead}</p>${renderPicture(boot, drawBoot(status, nowMs), '')}` +
    `<details>${renderTasks(facts)}</details>` +
    `<h2>${changes}</h2>${renderPicture(changes, drawChanges(history), noChanges)}`
  )
}

/** The part of the console that follows by itself. */
export const renderStatus = (facts: StatusFacts): string => `<div id="view">${renderStatusView(facts)}</div>`

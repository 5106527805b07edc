import type { HistoryEntry } from '../../settings/history.ts'
import { escape } from '../render.ts'
import { words } from '../words.ts'
import { drawChanges } from './changes-picture.ts'
import { pathOf, renderPicture, renderTable, renderTime } from './frame.ts'
import { type Outcome, renderOutcome } from './settings.ts'

type HistoryPage = {
  readonly history: readonly HistoryEntry[]
  /** The version in force. */
  readonly version: string
  readonly outcome: Outcome | undefined
}

const renderEntry = (entry: HistoryEntry, { version: current }: HistoryPage, isLatest: boolean) => {
  const { at, version, from, result, changes, why } = entry
  const { origins, results, current: inForce, goBack, goBackTo } = words.console.history
  const isCurrent = version === current && result === 'applied'
  const tone = ['applied', 'left to boot'].includes(result) ? 'good' : 'bad'
  const mark = isCurrent && isLatest ? ` <span class="badge">${inForce}</span>` : ''
  const names = changes.map(({ name }) => `<code>${escape(name)}</code>`).join(' ')
  const reason = why === null ? '' : `<p>${escape(why.split('\n')[0] ?? '')}</p>`
  const button =
    result === 'applied' && isLatest && !isCurrent
      ? `<button class="second" name="rollback" value="${escape(version)}" ` +
        `aria-label="${escape(goBackTo(version))}">${goBack}</button>`
      : ''
  return [
    renderTime(at),
    `<code>${escape(version)}</code>${mark}`,
    origins[from],
    `<span class="${tone}"><span class="state">${results[result]}</span></span>`,
    `${names}${reason}`,
    button,
  ]
}

/** What was changed, the newest first. A version can be gone back to where it was last applied. */
export const renderHistory = (page: HistoryPage): string => {
  const { history, outcome } = page
  const { columns, lead } = words.console.history
  const { applying } = words.console.settings
  const { noChanges, changes } = words.console.status
  const newest = history.toReversed()
  const isLatest = (entry: HistoryEntry): boolean =>
    newest.find(({ version, result }) => version === entry.version && result === entry.result) === entry
  return (
    `<h1>${words.console.sections.history}</h1><p class="lead">${lead}</p>` +
    renderPicture(changes, drawChanges(history), noChanges) +
    `<form method="post" action="${pathOf('history')}" class="plan" data-wait="${applying}">` +
    `<div id="outcome" role="alert">${renderOutcome(outcome)}</div>` +
    renderTable(
      Object.values(columns),
      newest.map((entry) => renderEntry(entry, page, isLatest(entry))),
      changes,
    ) +
    '</form>'
  )
}

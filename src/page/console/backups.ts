import { age } from '../../core/status.ts'
import type { Archive, Archives } from '../archive.ts'
import { escape, withCode } from '../render.ts'
import { renderRestoreWork, type RestoreWork } from '../restore.ts'
import { words } from '../words.ts'
import { pathOf, renderBytes, renderNotice, renderTable, renderTime } from './frame.ts'

export type BackupsPage = {
  readonly archives: Archives
  /** The archive that was proved last, and when: ISO 8601. */
  readonly proved: { readonly name: string; readonly at: string } | null
  /** A backup that was asked for here. */
  readonly work:
    | { readonly is: 'under way'; readonly since: string }
    | { readonly is: 'done' }
    | { readonly is: 'failed'; readonly why: string }
    | undefined
  /** What comes of a restore. */
  readonly restore: RestoreWork
  /** Whether the state from before a restore is kept. */
  readonly canUndo: boolean
  readonly nowMs: number
}

const kindOf = ({ kind, needs }: Archive): string => {
  const { kinds, incremental } = words.console.backups
  if (needs.length > 0) return incremental(needs.length)
  return kind === null ? '' : kinds[kind]
}

const renderArchive = (archive: Archive, { proved, nowMs }: BackupsPage): readonly string[] => {
  const { place, name, bytes, at, mathesar, isEncrypted, hasSecrets, problem } = archive
  const { encrypted, withSecrets, withoutSecrets, provedAgo } = words.console.backups
  const plain = hasSecrets === true ? withSecrets : withoutSecrets
  const secrets = hasSecrets === null ? '' : plain
  const why = problem === null ? '' : `<p class="bad"><span class="state">${escape(problem)}</span></p>`
  const proof =
    proved?.name === name
      ? `<p class="good"><span class="state">${provedAgo(age(proved.at, nowMs))}</span></p>`
      : ''
  return [
    `<code>${escape(name)}</code>${why}${proof}`,
    escape(place),
    at === null ? '' : `${renderTime(at)} <small>${words.console.ago(age(at, nowMs))}</small>`,
    renderBytes(bytes),
    kindOf(archive),
    escape(mathesar ?? ''),
    isEncrypted ? encrypted : secrets,
  ]
}

const renderWork = ({ work, nowMs }: BackupsPage): string => {
  const { underWay, done, failed } = words.console.backups
  switch (work?.is) {
    case undefined:
      return ''
    case 'under way':
      return renderNotice(true, `<p>${underWay(age(work.since, nowMs))}</p>`)
    case 'done':
      return renderNotice(true, `<p>${done}</p>`)
    case 'failed':
      return renderNotice(false, `<p>${failed}</p><pre tabindex="0">${escape(work.why)}</pre>`)
  }
}

const renderArchives = (page: BackupsPage): string => {
  const { archives } = page
  const { columns, none } = words.console.backups
  if (typeof archives === 'string') return renderNotice(false, `<p>${withCode(archives)}</p>`)
  if (archives.length === 0) return `<p>${none}</p>`
  const rows = archives.map((archive) => renderArchive(archive, page))
  return renderTable(Object.values(columns), rows, words.console.sections.backups)
}

const renderUndo = ({ canUndo }: BackupsPage): string => {
  const { undo, undoAbout } = words.restore
  return canUndo
    ? `<section><h2>${undo}</h2><p>${undoAbout}</p><form method="post" action="${pathOf('backups')}">` +
        `<button name="act" value="undo" class="second">${undo}</button></form></section>`
    : ''
}

/** The archives of each place, and a button that makes one more. */
export const renderBackups = (page: BackupsPage): string => {
  const { lead, begin, verify } = words.console.backups
  const isUnderWay = page.work?.is === 'under way'
  return (
    `<h1>${words.console.sections.backups}</h1><p class="lead">${lead}</p>` +
    `<div role="status">${renderWork(page)}${renderRestoreWork(page.restore)}</div>` +
    `<form method="post" action="${pathOf('backups')}">` +
    `<button${isUnderWay ? ' disabled' : ''}>${begin}</button></form>` +
    `${renderArchives(page)}<p class="foot">${withCode(verify)}</p>${renderUndo(page)}`
  )
}

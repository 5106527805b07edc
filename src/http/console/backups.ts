import { type BackupsPage, renderBackups } from '../../page/console/backups.ts'
import { pathOf } from '../../page/console/frame.ts'
import { readArchives } from '../archives.ts'
import { isBegun } from '../door/restore.ts'
import { type Exchange, redirect } from '../exchange.ts'
import type { Parts } from '../parts.ts'
import { sendPart } from './send.ts'

export type BackupWork = BackupsPage['work']

/** While a backup is under way the page comes again by itself. */
const refresh = '<meta http-equiv="refresh" content="3">'

/** The archives of the volume, and what came of a backup. */
export const getBackups = async (
  exchange: Exchange,
  parts: Pick<Parts, 'archives' | 'restoring' | 'clock' | 'report' | 'entrance'>,
): Promise<void> => {
  const archives = await readArchives(parts)
  const { restoring, clock, report } = parts
  const { work } = parts.archives
  const facts = { restore: restoring.work, canUndo: restoring.keptSince() !== undefined, nowMs: clock.now() }
  const { proved } = report.status().backup
  const body = renderBackups({ archives, proved, work, ...facts })
  const isBusy = work?.is === 'under way' || restoring.work?.is === 'under way'
  const head = isBusy ? refresh : ''
  sendPart(exchange, parts, { section: 'backups', body, head })
}

/** Begins a backup into the volume, unless one is under way; or brings back what a restore has replaced. */
export const postBackups = (
  exchange: Exchange,
  { archives, restoring }: Pick<Parts, 'archives' | 'restoring'>,
  form: URLSearchParams,
): void => {
  if (form.get('act') !== 'undo') archives.begin()
  else if (!isBegun(restoring)) restoring.undo()
  redirect(exchange, pathOf('backups'))
}

import {
  renderRestore,
  renderRestoreCode,
  renderRestoreWork,
  restorePath,
  restorePolicy,
  type RestoreWork,
} from '../../page/restore.ts'
import { SupervisorError } from '../../errors.ts'
import { readArchives } from '../archives.ts'
import { type Exchange, readBytes, redirect, sendHtml, sendJson } from '../exchange.ts'
import type { Parts } from '../parts.ts'
import { askForCode, isSignedIn, readOwnersForm, sendCodeNeeded } from './code.ts'
import { formHeaders, isBrowser, securityHeaders } from './page.ts'
import { isSameOrigin } from './same-origin.ts'

export type { RestoreWork } from '../../page/restore.ts'

/** What somebody says with it. */
export type RestoreWish = {
  readonly passphrase: string | undefined
  /** That the state may go which is kept from before the last restore. */
  readonly mayForget: boolean
}

/** Brings an archive into the volume, as it comes in. */
export type Restoring = {
  readonly work: RestoreWork
  /** Begins one of an archive that the browser sends. Throws while another one is under way. */
  readonly begin: (wish: RestoreWish) => void
  /** Begins one of an archive that a place of BACKUP_TO has. */
  readonly fetch: (name: string, wish: RestoreWish) => void
  /** Takes the next part of the archive, which begins at this byte of it. */
  readonly take: (atByte: number, bytes: Buffer) => Promise<void>
  /** It is whole: what comes of it, `work` tells. */
  readonly end: () => void
  /** Brings back the state from before the last one. */
  readonly undo: () => void
  /** Since when there is such a state (ISO 8601), if there is one. */
  readonly keptSince: () => string | undefined
}

/** Whether one is under way, or the container starts over with it: a form that is sent twice begins one. */
export const isBegun = ({ work }: Pick<Restoring, 'work'>): boolean =>
  work !== undefined && work.is !== 'failed'

type RestoreParts = Pick<Parts, 'restoring' | 'archives' | 'setup'>

const codePage = { path: restorePath, what: 'restore', render: renderRestoreCode }

const sendWork = (exchange: Exchange, { restoring }: Pick<Parts, 'restoring'>): void => {
  const { work } = restoring
  sendJson(exchange, 200, { html: renderRestoreWork(work), is: work?.is ?? null }, securityHeaders)
}

/** The page that takes an archive, for who may set this Mathesar up. With `?work`: how far it is. */
export const getRestore = async (exchange: Exchange, parts: RestoreParts): Promise<void> => {
  if (!isSignedIn(exchange, parts))
    return askForCode(exchange, parts, codePage, exchange.url.search ? 403 : 200)
  if (exchange.url.search !== '') return sendWork(exchange, parts)
  const { restoring } = parts
  const { work } = restoring
  const archives = work?.is === 'under way' ? [] : await readArchives(parts)
  const page = renderRestore({ work, keptSince: restoring.keptSince(), archives })
  sendHtml(exchange, 200, page, formHeaders(restorePolicy))
}

const act = (form: URLSearchParams, { restoring }: Pick<Parts, 'restoring'>): void => {
  const wish = { passphrase: form.get('passphrase') || undefined, mayForget: form.get('forget') === 'yes' }
  switch (form.get('act') ?? '') {
    case 'begin':
      return restoring.begin(wish)
    case 'fetch':
      return restoring.fetch(form.get('archive') ?? '', wish)
    case 'end':
      return restoring.end()
    case 'undo':
      return restoring.undo()
  }
}

/** Takes the setup code, or the wish of who has given it. */
export const postRestore = async (exchange: Exchange, parts: RestoreParts): Promise<void> => {
  const form = await readOwnersForm(exchange, parts, codePage)
  if (form === undefined) return
  const isOfScript = !isBrowser(exchange.request)
  if (isOfScript || !isBegun(parts.restoring)) act(form, parts)
  if (isOfScript) sendWork(exchange, parts)
  else redirect(exchange, restorePath)
}

/** As much as the script sends at once: it comes in within the limits of any request. */
const partLimitBytes = 512 * 1024

/** Takes a part of an archive: `?at=` says where it belongs. */
export const postPart = async (exchange: Exchange, parts: RestoreParts): Promise<void> => {
  const { request, url } = exchange
  if (!isSameOrigin(request) || !isSignedIn(exchange, parts)) return sendCodeNeeded(exchange, 403, 'restore')
  const at = url.searchParams.get('at') ?? ''
  if (!/^\d{1,15}$/.test(at))
    throw new SupervisorError('USAGE', 'cannot take a part of an archive: it does not say where it belongs')
  await parts.restoring.take(Number(at), await readBytes(exchange, partLimitBytes))
  sendWork(exchange, parts)
}

import { inMiB, MiB } from '../core/amounts.ts'
import { minuteOf } from '../core/moment.ts'
import type { Archive, Archives } from './archive.ts'
import { restoreScript, restoreScriptHash, setupScript, setupScriptHash } from './assets.ts'
import { renderCodeForm } from './code-form.ts'
import { escape, policyOf, renderDocument, withCode } from './render.ts'
import { words } from './words.ts'

/** The page that restores an archive, and where its parts go. */
export const restorePath = '/supervisor/restore'
export const partPath = `${restorePath}/part`

/** What comes of a restore that was asked for here. */
export type RestoreWork =
  /** `bytes` were sent by the browser. */
  | { readonly is: 'under way'; readonly bytes: number | undefined }
  /** The container starts over with it. */
  | { readonly is: 'done'; readonly told: string }
  | { readonly is: 'failed'; readonly why: string }
  | undefined

type RestorePage = {
  readonly work: RestoreWork
  /** Since when the state from before a restore is kept, in ISO 8601: the next restore removes it. */
  readonly keptSince: string | undefined
  readonly archives: Archives
}

const documentPolicy = policyOf(restoreScriptHash, "'self'")
export const restorePolicy = `${documentPolicy}; frame-ancestors 'none'`

/** The script puts it in, too. */
export const renderRestoreWork = (work: RestoreWork): string => {
  const { underWay, sent, done, failed } = words.restore
  switch (work?.is) {
    case undefined:
      return ''
    case 'under way':
      return `<p>${work.bytes === undefined ? underWay : sent((work.bytes / MiB).toFixed(1))}</p>`
    case 'done':
      return `<div class="success"><p><b>${done}</b></p><p class="told">${escape(work.told)}</p></div>`
    case 'failed':
      return `<div class="problem"><p><b>${failed}</b></p><p class="told">${withCode(work.why)}</p></div>`
  }
}

/** The script sees by itself how far it is. */
const refresh = '<noscript><meta http-equiv="refresh" content="3"></noscript>'

const renderPassphrase = (id: string): string =>
  `<div class="field"><label for="${id}">${words.restore.passphrase}</label>` +
  `<p id="${id}-about">${words.restore.passphraseAbout}</p>` +
  `<input id="${id}" name="passphrase" type="password" autocomplete="off" aria-describedby="${id}-about">` +
  '</div>'

/** The owner says that what is kept may go: it may be all that there is. */
const renderForget = (id: string, keptSince: string | undefined): string =>
  keptSince === undefined
    ? ''
    : `<div class="field"><label for="${id}"><input id="${id}" type="checkbox" name="forget" value="yes" ` +
      `required> ${words.restore.forget(minuteOf(keptSince))}</label></div>`

/** What each says of itself: an archive of a newer Mathesar is refused. */
const renderChoice = (archives: readonly Archive[], name: string): string => {
  const copies = archives.filter((archive) => archive.name === name)
  const [{ at, bytes, mathesar, isEncrypted }] = copies as [Archive]
  const parts = [
    at === null ? name : at.replace(/T(\d\d:\d\d).*/, ' $1 UTC'),
    ...(mathesar === null ? [] : [`Mathesar ${mathesar}`]),
    inMiB(bytes),
    ...(isEncrypted ? [words.restore.encrypted] : []),
    copies.map(({ place }) => place).join(', '),
  ]
  return `<option value="${escape(name)}">${escape(parts.join(' · '))}</option>`
}

/** What can be restored without sending it. */
const renderStored = ({ archives, keptSince }: Pick<RestorePage, 'archives' | 'keptSince'>): string => {
  const { stored, storedLabel, button } = words.restore
  if (typeof archives === 'string') return `<p class="foot">${withCode(archives)}</p>`
  const names = new Set(archives.flatMap(({ name, problem }) => (problem === null ? [name] : [])))
  if (names.size === 0) return ''
  return (
    `<h2>${stored}</h2><form action="${restorePath}" method="post">` +
    `<div class="field"><label for="stored">${storedLabel}</label><select id="stored" name="archive">` +
    `${[...names].map((name) => renderChoice(archives, name)).join('')}</select></div>` +
    `${renderPassphrase('stored-passphrase')}${renderForget('stored-forget', keptSince)}` +
    `<button name="act" value="fetch">${button}</button></form>`
  )
}

/** See `RestorePage`. Without its script it sends nothing: a browser would send a file as a whole. */
export const renderRestore = ({ work, keptSince, archives }: RestorePage): string => {
  const { headline, lead, file, fileLabel, button, undo, undoAbout, noScript } = words.restore
  const undoForm = keptSince
    ? `<h2>${undo}</h2><p>${undoAbout}</p><form method="post" action="${restorePath}">` +
      `<button name="act" value="undo" class="second">${undo}</button></form>`
    : ''
  return renderDocument({
    body:
      `<main><h1>${headline}</h1><p class="lead">${lead}</p>` +
      `<div id="outcome" role="status">${renderRestoreWork(work)}</div>` +
      `<progress id="progress" max="1" value="0" aria-label="${headline}" hidden></progress>` +
      `<div id="choices">${renderStored({ archives, keptSince })}<h2>${file}</h2>` +
      `<form id="restore" data-part="${partPath}" action="${restorePath}" method="post">` +
      `<div class="field"><label for="file">${fileLabel}</label>` +
      '<input id="file" type="file" accept=".tar,.age" required></div>' +
      `${renderPassphrase('passphrase')}${renderForget('forget', keptSince)}` +
      `<button>${button}</button></form>${undoForm}</div>` +
      `<noscript><p>${withCode(noScript)}</p></noscript>` +
      `<p class="foot"><a href="/">${words.fix.back}</a></p></main><script>${restoreScript}</script>`,
    head: work?.is === 'under way' ? refresh : '',
    policy: documentPolicy,
  })
}

/** The page before it, which asks for the code; `isOpen` says whether a code counts. */
export const renderRestoreCode = (problem: string, isOpen: boolean): string => {
  const { headline, code, commands } = words.restore
  const { ways, waysTitle, button } = words.setup
  const form = isOpen
    ? `<p class="lead">${code}</p>${renderCodeForm({ action: restorePath, button, problem })}` +
      `<h2>${waysTitle}</h2><ul>${ways.map((way) => `<li>${withCode(way)}</li>`).join('')}</ul>`
    : `<p class="lead">${withCode(commands)}</p>`
  return renderDocument({
    body: `<main><h1>${headline}</h1>${form}</main><script>${setupScript}</script>`,
    policy: policyOf(setupScriptHash, "'self'"),
  })
}

import { restoreScript, restoreScriptHash, setupScript, setupScriptHash } from './assets.ts'
import { renderCodeForm } from './code-form.ts'
import { escape, policyOf, renderDocument, withCode } from './render.ts'
import { words } from './words.ts'

/** The page that restores an archive, and where its parts go. */
export const restorePath = '/supervisor/restore'
export const partPath = `${restorePath}/part`

/** What comes of a restore that was asked for here. */
export type RestoreWork =
  | { readonly is: 'under way'; readonly bytes: number }
  /** The container starts over with it. */
  | { readonly is: 'done'; readonly told: string }
  | { readonly is: 'failed'; readonly why: string }
  | undefined

type RestorePage = { readonly work: RestoreWork; readonly canUndo: boolean }

const documentPolicy = policyOf(restoreScriptHash, "'self'")
export const restorePolicy = `${documentPolicy}; frame-ancestors 'none'`

/** The script puts it in, too. */
export const renderRestoreWork = (work: RestoreWork): string => {
  const { underWay, done, failed } = words.restore
  switch (work?.is) {
    case undefined:
      return ''
    case 'under way':
      return `<p>${underWay((work.bytes / 1024 / 1024).toFixed(1))}</p>`
    case 'done':
      return `<div class="success"><p><b>${done}</b></p><p class="told">${escape(work.told)}</p></div>`
    case 'failed':
      return `<div class="problem"><p><b>${failed}</b></p><p class="told">${withCode(work.why)}</p></div>`
  }
}

/** See `RestorePage`. Without its script it can do nothing: a browser sends a file as a whole else. */
export const renderRestore = ({ work, canUndo }: RestorePage): string => {
  const { headline, lead, file, passphrase, passphraseAbout, button, undo, undoAbout, noScript } =
    words.restore
  const undoForm = canUndo
    ? `<h2>${undo}</h2><p>${undoAbout}</p><form method="post" action="${restorePath}">` +
      `<button name="act" value="undo" class="second">${undo}</button></form>`
    : ''
  return renderDocument({
    body:
      `<main><h1>${headline}</h1><p class="lead">${lead}</p>` +
      `<div id="outcome" role="status">${renderRestoreWork(work)}</div>` +
      `<progress id="progress" max="1" value="0" aria-label="${headline}" hidden></progress>` +
      `<div id="choices"><form id="restore" data-part="${partPath}" action="${restorePath}" method="post">` +
      `<div class="field"><label for="file">${file}</label>` +
      '<input id="file" type="file" accept=".tar,.age" required></div>' +
      `<div class="field"><label for="passphrase">${passphrase}</label>` +
      `<p id="passphrase-about">${passphraseAbout}</p>` +
      '<input id="passphrase" name="passphrase" type="password" ' +
      'autocomplete="off" aria-describedby="passphrase-about"></div>' +
      `<button>${button}</button></form>${undoForm}</div><noscript><p>${withCode(noScript)}</p></noscript>` +
      `<p class="foot"><a href="/">${words.fix.back}</a></p></main><script>${restoreScript}</script>`,
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

import type { DescribedSetting } from '../settings/configuration.ts'
import { fixScript, fixScriptHash, setupScript, setupScriptHash } from './assets.ts'
import { renderCodeForm } from './code-form.ts'
import { renderInput } from './field.ts'
import { escape, policyOf, renderDocument, withCode } from './render.ts'
import { words } from './words.ts'

/** The page that puts a failure right, and where its forms go. */
export const fixPath = '/supervisor/fix'

/** What came of a wish. */
export type Outcome = { readonly isGood: boolean; readonly text: string; readonly hint?: string }

/** The form for the settings that may cure a failure. `value` is what was typed, or what is in force. */
type FixPage = {
  readonly trouble: { readonly message: string; readonly hint: string }
  readonly fields: readonly DescribedSetting[]
  /** The version that is edited. */
  readonly base: string
  readonly outcome: Outcome | undefined
  readonly tail: string
}

const fixDocumentPolicy = policyOf(fixScriptHash, "'self'")
export const fixPolicy = `${fixDocumentPolicy}; frame-ancestors 'none'`
const codePolicy = policyOf(setupScriptHash, "'self'")
export const fixCodePolicy = `${codePolicy}; frame-ancestors 'none'`

const renderField = (field: DescribedSetting): string => {
  const { name, description, secret, given, pinned } = field
  const { pinned: isPinned, keepsSecret } = words.fix
  const more = [pinned ? isPinned : '', secret && given && !pinned ? keepsSecret : ''].filter(Boolean)
  return (
    `<div class="field"><label for="${name}">${name}</label>` +
    `<p id="${name}-about">${[description, ...more].map(withCode).join(' ')}</p>${renderInput(field)}</div>`
  )
}

/** What the form says of the last wish. The script puts it in, too. */
export const renderOutcome = (outcome: Outcome | undefined): string => {
  if (outcome === undefined) return ''
  const { isGood, text, hint } = outcome
  const told = [text, ...(hint === undefined ? [] : [hint])].map((each) => `<p>${withCode(each)}</p>`)
  return `<div class="${isGood ? 'success' : 'problem'}">${told.join('')}</div>`
}

/** See `FixPage`. */
export const renderFix = ({ trouble, fields, base, outcome, tail }: FixPage): string => {
  const { headline, test, save, back } = words.fix
  return renderDocument({
    body:
      `<main><h1>${headline}</h1><p class="told">${escape(trouble.message)}</p>` +
      `<p>${withCode(trouble.hint)}</p><div id="outcome" role="alert">${renderOutcome(outcome)}</div>` +
      `<form method="post" action="${fixPath}"><input type="hidden" name="base" value="${escape(base)}">` +
      `${fields.map(renderField).join('')}<div class="row">` +
      `<button name="act" value="test" class="second">${test}</button>` +
      `<button name="act" value="save">${save}</button></div></form>` +
      `<details><summary>${words.tail}</summary><pre tabindex="0">${escape(tail)}</pre></details>` +
      `<p class="foot"><a href="/">${back}</a></p></main><script>${fixScript}</script>`,
    policy: fixDocumentPolicy,
  })
}

/** The page before it, which asks for the code; `isOpen` says whether a code counts. */
export const renderFixCode = (problem: string, isOpen: boolean): string => {
  const { code, commands, back } = words.fix
  const { ways, waysTitle, button } = words.setup
  const form = isOpen
    ? `<p class="lead">${withCode(code)}</p>${renderCodeForm({ action: fixPath, button, problem })}` +
      `<h2>${waysTitle}</h2><ul>${ways.map((way) => `<li>${withCode(way)}</li>`).join('')}</ul>`
    : `<p class="lead">${withCode(commands)}</p>`
  return renderDocument({
    body:
      `<main><h1>${words.setup.headline}</h1>${form}<p class="foot"><a href="/">${back}</a></p></main>` +
      `<script>${setupScript}</script>`,
    policy: codePolicy,
  })
}

/** The page where nothing is wrong that settings cure. */
export const renderNothingToFix = (): string =>
  renderDocument({
    body: `<main><h1>${words.fix.nothing}</h1><p class="foot"><a href="/">${words.fix.back}</a></p></main>`,
    policy: codePolicy,
  })

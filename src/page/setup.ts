import { setupScript, setupScriptHash } from './assets.ts'
import { renderCodeForm } from './code-form.ts'
import { restorePath } from './restore.ts'
import { policyOf, renderDocument, withCode } from './render.ts'
import { words } from './words.ts'

/** Where the form of the page sends the code. */
export const provePath = '/supervisor/owner'

/** The page that asks for the setup code. */
export type SetupPage = {
  /** Why it asks again. */
  readonly why: 'wrong' | 'unheard' | 'foreign' | undefined
}

/** For the page that asks: it may send its form here. */
export const setupPolicy = `${policyOf(setupScriptHash, "'self'")}; frame-ancestors 'none'`

/** The page that stands before Mathesar's own form for the first administrator. */
export const renderSetup = ({ why }: SetupPage): string => {
  const { headline, lead, button, waysTitle, ways, problems } = words.setup
  return renderDocument({
    body:
      `<main><h1>${headline}</h1><p class="lead">${lead}</p>` +
      renderCodeForm({ action: provePath, button, problem: why === undefined ? '' : problems[why] }) +
      `<h2>${waysTitle}</h2><ul>${ways.map((way) => `<li>${withCode(way)}</li>`).join('')}</ul>` +
      `<p class="foot"><a href="${restorePath}">${words.restore.link}</a></p></main>` +
      `<script>${setupScript}</script>`,
    policy: policyOf(setupScriptHash, "'self'"),
  })
}

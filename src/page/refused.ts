import { permitCommand } from '../settings/hosts.ts'
import { scriptHash } from './assets.ts'
import { renderCodeForm, renderProblem } from './code-form.ts'
import { escape, policyOf, renderDocument, withCode } from './render.ts'
import { words } from './words.ts'

/** Where its form goes. */
export const permitPath = '/supervisor/permit'

/** The page for a name that is not permitted. */
type RefusedPage = {
  /** `undefined` stands for one that could not be. */
  readonly host: string | undefined
  /** By what its button permits the name: the setup code as long as that counts. */
  readonly takes: 'code' | 'login'
  /** Why the button did not do it. */
  readonly problem: string
}

const policy = policyOf(scriptHash, "'self'")
export const refusedPolicy = `${policy}; frame-ancestors 'none'`

const renderLoginForm = (problem: string): string => {
  const { username, password, button } = words.refused
  const { alert, marks } = renderProblem(problem)
  const rest = `required maxlength="200" autocapitalize="off" spellcheck="false"${marks}`
  const field = (name: string, label: string, kind: string): string =>
    `<div class="field"><label for="${name}">${label}</label>` +
    `<input id="${name}" name="${name}" ${kind} ${rest}></div>`
  return (
    `${alert}<form method="post" action="${permitPath}">` +
    field('username', username, 'type="text" autocomplete="username"') +
    field('password', password, 'type="password" autocomplete="current-password"') +
    `<div class="row"><button>${button}</button></div></form>`
  )
}

/** See `RefusedPage`. */
export const renderRefused = ({ host, takes, problem }: RefusedPage): string => {
  const { headline, headlineWithoutHost, lead, toPermit, orCode, orLogin, button } = words.refused
  const forms = {
    code: () => `<p>${withCode(orCode)}</p>${renderCodeForm({ action: permitPath, button, problem })}`,
    login: () => `<p>${orLogin}</p>${renderLoginForm(problem)}`,
  }
  const ways = host === undefined ? '' : `<p>${withCode(toPermit(permitCommand(host)))}</p>${forms[takes]()}`
  return renderDocument({
    body:
      `<main><h1>${host === undefined ? headlineWithoutHost : escape(headline(host))}</h1>` +
      `<p class="lead">${lead}</p>${ways}</main>`,
    policy,
  })
}

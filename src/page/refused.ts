import { permitCommand } from '../settings/hosts.ts'
import { scriptHash } from './assets.ts'
import { renderCodeForm } from './code-form.ts'
import { escape, policyOf, renderDocument, withCode } from './render.ts'
import { words } from './words.ts'

/** Where its form sends the setup code. */
export const permitPath = '/supervisor/permit'

/** The page for a name that is not permitted. */
export type RefusedPage = {
  /** `undefined` stands for one that could not be. */
  readonly host: string | undefined
  /** Whether the setup code counts: the page then has a button. */
  readonly takesCode: boolean
  /** Why the button did not do it. */
  readonly why: { readonly problem: 'wrong' | 'unheard' } | { readonly error: string } | undefined
}

const policy = policyOf(scriptHash, "'self'")
export const refusedPolicy = `${policy}; frame-ancestors 'none'`

const problemOf = (why: RefusedPage['why']): string => {
  if (why === undefined) return ''
  return 'error' in why ? why.error : words.setup.problems[why.problem]
}

/** See `RefusedPage`. */
export const renderRefused = ({ host, takesCode, why }: RefusedPage): string => {
  const { headline, headlineWithoutHost, lead, toPermit, orCode, button } = words.refused
  const command = host === undefined ? '' : `<p>${withCode(toPermit(permitCommand(host)))}</p>`
  const form =
    host !== undefined && takesCode
      ? `<p>${withCode(orCode)}</p>${renderCodeForm({ action: permitPath, button, problem: problemOf(why) })}`
      : ''
  return renderDocument({
    body:
      `<main><h1>${host === undefined ? headlineWithoutHost : escape(headline(host))}</h1>` +
      `<p class="lead">${lead}</p>${command}${form}</main>`,
    policy,
  })
}

import { fixCodePolicy } from '../../page/fix.ts'
import { words } from '../../page/words.ts'
import { setupPath } from '../../units/place.ts'
import { type Exchange, isSecure, readForm, redirect, sendHtml, sendJson } from '../exchange.ts'
import type { Parts } from '../parts.ts'
import type { Proof } from './sign-in.ts'
import { formHeaders, isBrowser, securityHeaders } from './page.ts'
import { isSameOrigin } from './same-origin.ts'

/** The setup code, as the pages ask for it and take it. */

/** What clients other than browsers get. */
export const sendCodeNeeded = (exchange: Exchange, status: number, what: string): void => {
  const message = `cannot ${what}: the setup code is missing, wrong or too old`
  const hint = '`docker exec mathesar supervisor setup` shows it.'
  sendJson(exchange, status, { code: 'SETUP_CODE_NEEDED', message, hint }, securityHeaders)
}

type Why = keyof typeof words.setup.problems

/** A page for the owner alone, at a path. It asks for the code in a form of its own. */
type CodePage = {
  readonly path: string
  /** What it does, as in "cannot restore". */
  readonly what: string
  readonly render: (problem: string, isOpen: boolean) => string
}

/** Whether whoever asks has signed in to the pages of the supervisor. */
export const isSignedIn = ({ request }: Exchange, { setup }: Pick<Parts, 'setup'>): boolean =>
  setup.signIn.isSignedIn(request.headers.cookie, 'supervisor')

/** Asks for the code. */
export const askForCode = (
  exchange: Exchange,
  { setup: { signIn } }: Pick<Parts, 'setup'>,
  page: CodePage,
  status: number,
  why?: Why,
): void => {
  signIn.invite() // A new one, if the last one is too old.
  const problem = why === undefined ? '' : words.setup.problems[why]
  if (isBrowser(exchange.request))
    return sendHtml(exchange, status, page.render(problem, signIn.isOpen), formHeaders(fixCodePolicy))
  sendCodeNeeded(exchange, status, page.what)
}

type SetupSignIn = Parts['setup']['signIn']

/**
 * Who has given the right code gets the cookie for the page that asked, and no other: Mathesar's
 * page, which follows the setup, is of the same origin, and a script in it could use that of the supervisor.
 */
const letIn = (exchange: Exchange, signIn: Pick<SetupSignIn, 'cookies'>, to: string): void => {
  const purpose = to === setupPath ? 'setup' : 'supervisor'
  redirect(exchange, to, { 'set-cookie': [...signIn.cookies(isSecure(exchange), purpose)] })
}

/** The answer says when to come again, where too many were wrong. */
export const tellWhen = ({ response }: Pick<Exchange, 'response'>, proof: Proof): Proof => {
  if (proof.is === 'unheard') response.setHeader('retry-after', Math.ceil(proof.waitMs / 1000))
  return proof
}

/** Looks at a code. */
export const prove = (
  exchange: Pick<Exchange, 'response'>,
  signIn: Pick<SetupSignIn, 'prove'>,
  code: string,
): Proof => tellWhen(exchange, signIn.prove(code))

/** Asks again who was refused: `why` is undefined where no code counts any more. */
export type Refuse = (status: number, why?: Why) => void

/** Reads a form that a page of our own sent; others are refused. */
export const readOwnForm = async (
  exchange: Exchange,
  refuse: Refuse,
): Promise<URLSearchParams | undefined> => {
  if (isSameOrigin(exchange.request)) return await readForm(exchange)
  refuse(403, 'foreign')
  return undefined
}

/** Lets in who gives the right code; the others are asked again. */
export const takeCode = (
  exchange: Exchange,
  signIn: Pick<SetupSignIn, 'prove' | 'cookies'>,
  { code, to }: { readonly code: string; readonly to: string },
  refuse: Refuse,
): void => {
  const { is } = prove(exchange, signIn, code)
  switch (is) {
    case 'right':
      return letIn(exchange, signIn, to)
    case 'over':
      return refuse(403)
    case 'wrong':
      return refuse(403, is)
    case 'unheard':
      return refuse(429, is)
  }
}

/**
 * The form of who has signed in, as a page sends it. Who has not gives it in that form, or is asked for
 * it: then it is answered, and there is no form.
 */
export const readOwnersForm = async (
  exchange: Exchange,
  parts: Pick<Parts, 'setup'>,
  page: CodePage,
): Promise<URLSearchParams | undefined> => {
  const refuse: Refuse = (status, why) => askForCode(exchange, parts, page, status, why)
  const form = await readOwnForm(exchange, refuse)
  if (form === undefined) return undefined
  const code = form.get('code')
  if (code !== null) takeCode(exchange, parts.setup.signIn, { code, to: page.path }, refuse)
  else if (isSignedIn(exchange, parts)) return form
  else refuse(403)
  return undefined
}

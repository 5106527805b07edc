import { fixCodePolicy } from '../../page/fix.ts'
import { words } from '../../page/words.ts'
import { renderSetup, setupPolicy, type SetupPage } from '../../page/setup.ts'
import type { System } from '../../system/ports.ts'
import { setupHandover, setupPath } from '../../units/place.ts'
import { type Exchange, isSecure, readForm, sendHtml, sendJson } from '../exchange.ts'
import type { ControlOptions } from '../server.ts'
import type { Owner, Proof } from './owner.ts'
import { waitForMathesar } from './wake.ts'
import { formHeaders, isBrowser, securityHeaders, sendUnavailable } from './page.ts'
import { isSameOrigin } from './same-origin.ts'

type SetupOptions = {
  readonly owner: Pick<Owner<never>, 'setOpen'>
  /** Asks the database whether there is an administrator. */
  readonly ask: () => Promise<boolean>
  /** Called once there is one. */
  readonly onDone: () => Promise<void>
  readonly after: System['clock']['after']
  readonly inBackground: System['inBackground']
}

/** How long after a form went to Mathesar the database is asked what came of it. */
const lookAfterMs = [500, 1000, 2000, 4000, 8000, 15_000, 30_000]

/** Whether Mathesar is set up: whether it has an administrator. */
export class Setup {
  readonly #options: SetupOptions
  #asking: Promise<boolean> | undefined
  #wasDone = false

  constructor(options: SetupOptions) {
    this.#options = options
  }

  /** Asks the database, once for all who ask meanwhile: a crowd of strangers costs one connection. */
  isDone(): Promise<boolean> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  /** A form has gone to Mathesar: looks what comes of it, so that the code ends when it is of no more use. */
  expect(): void {
    this.#look(lookAfterMs)
  }

  async #ask(): Promise<boolean> {
    const isDone = await this.#options.ask()
    const { owner, inBackground, onDone } = this.#options
    owner.setOpen(!isDone)
    if (isDone && !this.#wasDone) inBackground('make the sample data', onDone)
    this.#wasDone ||= isDone
    return isDone
  }

  #look([nextMs, ...later]: readonly number[]): void {
    if (nextMs === undefined) return
    this.#options.after(nextMs, () =>
      this.#options.inBackground('see whether Mathesar is set up', async () => {
        if (!(await this.isDone())) this.#look(later)
      }),
    )
  }
}

/** What clients get that are no browsers. */
export const sendCodeNeeded = (exchange: Exchange, status: number, what: string): void => {
  const message = `cannot ${what}: the setup code is missing, wrong or too old`
  const hint = '`docker exec mathesar supervisor setup` shows it.'
  sendJson(exchange, status, { code: 'SETUP_CODE_NEEDED', message, hint }, securityHeaders)
}

export type Why = keyof typeof words.setup.problems

/** Asks for the code on a page that has a form of its own. */
export const askForCode = (
  exchange: Exchange,
  { owner }: Pick<ControlOptions, 'owner'>,
  page: { readonly what: string; readonly render: (problem: string, isOpen: boolean) => string },
  status: number,
  why?: Why,
): void => {
  owner.invite() // A new one, if the last one is too old.
  const problem = why === undefined ? '' : words.setup.problems[why]
  if (isBrowser(exchange.request))
    return sendHtml(exchange, status, page.render(problem, owner.isOpen), formHeaders(fixCodePolicy))
  sendCodeNeeded(exchange, status, page.what)
}

const sendForm = (exchange: Exchange, status: number, page: SetupPage): void => {
  if (isBrowser(exchange.request))
    return sendHtml(exchange, status, renderSetup(page), formHeaders(setupPolicy))
  sendCodeNeeded(exchange, status, 'set Mathesar up')
}

export const redirect = (
  { response }: Exchange,
  to: string,
  more: Readonly<Record<string, string[]>> = {},
): void => void response.writeHead(303, { location: to, 'cache-control': 'no-store', ...more }).end()

type SetupOwner = ControlOptions['owner']

/**
 * Who has given the right code gets the cookie of an owner for the page that asked, and no other: Mathesar's
 * page, which follows the setup, is of the same origin, and a script in it could use that of the supervisor.
 */
const letIn = (exchange: Exchange, owner: Pick<SetupOwner, 'cookies'>, to: string): void => {
  const purpose = to === setupPath ? 'setup' : 'supervisor'
  redirect(exchange, to, { 'set-cookie': [...owner.cookies(isSecure(exchange), purpose)] })
}

/** Looks at a code. The answer says when to come again, where too many were wrong. */
export const prove = (
  { response }: Pick<Exchange, 'response'>,
  owner: Pick<SetupOwner, 'prove'>,
  code: string,
): Proof => {
  const proof = owner.prove(code)
  if (proof.is === 'unheard') response.setHeader('retry-after', Math.ceil(proof.waitMs / 1000))
  return proof
}

/** Asks again who was refused: `why` is undefined where no code counts any more. */
type Refuse = (status: number, why?: Why) => void

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
  owner: Pick<SetupOwner, 'prove' | 'cookies'>,
  { code, to }: { readonly code: string; readonly to: string },
  refuse: Refuse,
): void => {
  const { is } = prove(exchange, owner, code)
  switch (is) {
    case 'right':
      return letIn(exchange, owner, to)
    case 'over':
      return refuse(403)
    case 'wrong':
      return refuse(403, is)
    case 'unheard':
      return refuse(429, is)
  }
}

/**
 * Answers in place of Mathesar where that would create its first administrator for whoever asks. Who has
 * given the code is handed on to Mathesar, and everybody is once it has an administrator.
 */
export const answerSetup = async (exchange: Exchange, options: ControlOptions): Promise<void> => {
  const { setup, owner } = options
  const { request, response } = exchange
  const isDone = (await waitForMathesar(options)) ? await setup.isDone().catch(() => undefined) : undefined
  if (isDone === undefined) return sendUnavailable(exchange, options)
  if (!isDone && !owner.isOwner(request.headers.cookie, 'setup')) {
    owner.invite() // A new one, if the last one is too old: the log has it then.
    return sendForm(exchange, 403, { why: undefined })
  }
  if (!isDone && request.method === 'POST') setup.expect()
  response.writeHead(200, { 'x-accel-redirect': setupHandover }).end()
}

/** Takes the setup code. Who gives the right one gets the cookie of an owner. */
export const postCode = async (exchange: Exchange, { owner }: ControlOptions): Promise<void> => {
  const refuse: Refuse = (status, why) =>
    why === undefined ? redirect(exchange, '/') : sendForm(exchange, status, { why })
  const form = await readOwnForm(exchange, refuse)
  if (form !== undefined) takeCode(exchange, owner, { code: form.get('code') ?? '', to: setupPath }, refuse)
}

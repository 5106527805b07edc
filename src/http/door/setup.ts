import { words } from '../../page/words.ts'
import { renderSetup, setupPolicy, type SetupPage } from '../../page/setup.ts'
import type { System } from '../../system/ports.ts'
import { setupHandover, setupPath } from '../../units/place.ts'
import { type Exchange, readForm, sendHtml, sendJson } from '../exchange.ts'
import type { ControlOptions } from '../server.ts'
import type { Owner } from './owner.ts'
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
export const sendCodeNeeded = (
  exchange: Exchange,
  status: number,
  what: string,
  more: Readonly<Record<string, string>> = {},
): void => {
  const message = `cannot ${what}: the setup code is missing, wrong or too old`
  const hint = '`docker exec mathesar supervisor setup` shows it.'
  sendJson(exchange, status, { code: 'SETUP_CODE_NEEDED', message, hint }, { ...securityHeaders, ...more })
}

const sendForm = (
  exchange: Exchange,
  status: number,
  page: SetupPage,
  more: Readonly<Record<string, string>> = {},
): void => {
  if (isBrowser(exchange.request))
    return sendHtml(exchange, status, renderSetup(page), { ...formHeaders(setupPolicy), ...more })
  sendCodeNeeded(exchange, status, 'set Mathesar up', more)
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
export const letIn = (exchange: Exchange, owner: Pick<SetupOwner, 'cookies'>, to: string): void => {
  const isSecure = exchange.request.headers['x-forwarded-proto'] === 'https'
  const purpose = to === setupPath ? 'setup' : 'supervisor'
  redirect(exchange, to, { 'set-cookie': [...owner.cookies(isSecure, purpose)] })
}

/** Lets in who gives the right code; `refuse` asks the others again. For pages with a form of their own. */
export const takeCode = (
  exchange: Exchange,
  owner: Pick<SetupOwner, 'prove' | 'cookies'>,
  { code, to }: { readonly code: string; readonly to: string },
  refuse: (status: number, problem?: string) => void,
): void => {
  const proof = owner.prove(code)
  switch (proof.is) {
    case 'right':
      return letIn(exchange, owner, to)
    case 'over':
      return refuse(403)
    case 'wrong':
      return refuse(403, words.setup.problems.wrong)
    case 'unheard':
      return refuse(429, words.setup.problems.unheard)
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
  const { request } = exchange
  if (!isSameOrigin(request)) {
    request.resume()
    return sendForm(exchange, 403, { why: 'foreign' })
  }
  const proof = owner.prove((await readForm(exchange)).get('code') ?? '')
  switch (proof.is) {
    case 'right':
      return letIn(exchange, owner, setupPath)
    case 'over':
      return redirect(exchange, '/')
    case 'wrong':
      return sendForm(exchange, 403, { why: 'wrong' })
    case 'unheard':
      return sendForm(
        exchange,
        429,
        { why: 'unheard' },
        { 'retry-after': String(Math.ceil(proof.waitMs / 1000)) },
      )
  }
}

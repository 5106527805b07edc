import { renderSetup, setupPolicy, type SetupPage } from '../../page/setup.ts'
import type { System } from '../../system/ports.ts'
import { setupHandover, setupPath } from '../../units/place.ts'
import { type Exchange, redirect, sendHtml } from '../exchange.ts'
import type { Parts } from '../parts.ts'
import { readOwnForm, type Refuse, sendCodeNeeded, takeCode } from './code.ts'
import type { ViewParts } from './feed.ts'
import type { SignIn } from './sign-in.ts'
import { formHeaders, isBrowser, sendUnavailable } from './page.ts'
import { waitForMathesar, type WaitParts } from './wake.ts'

type SetupOptions = {
  readonly signIn: Pick<SignIn<never>, 'setOpen'>
  /** Asks the database whether there is an administrator. */
  readonly ask: () => Promise<boolean>
  /** Called once there is one. */
  readonly onDone: () => Promise<void>
  readonly after: System['clock']['after']
  readonly inBackground: System['inBackground']
}

/** How long after a form went to Mathesar the database is asked what came of it. */
const pollAfterMs = [500, 1000, 2000, 4000, 8000, 15_000, 30_000]

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
    this.#poll(pollAfterMs)
  }

  async #ask(): Promise<boolean> {
    const isDone = await this.#options.ask()
    const { signIn, inBackground, onDone } = this.#options
    signIn.setOpen(!isDone)
    if (isDone && !this.#wasDone) inBackground('make the sample data', onDone)
    this.#wasDone ||= isDone
    return isDone
  }

  #poll([nextMs, ...later]: readonly number[]): void {
    if (nextMs === undefined) return
    this.#options.after(nextMs, () =>
      this.#options.inBackground('see whether Mathesar is set up', async () => {
        if (!(await this.isDone())) this.#poll(later)
      }),
    )
  }
}

const sendForm = (exchange: Exchange, status: number, page: SetupPage): void => {
  if (isBrowser(exchange.request))
    return sendHtml(exchange, status, renderSetup(page), formHeaders(setupPolicy))
  sendCodeNeeded(exchange, status, 'set Mathesar up')
}

/**
 * Answers in place of Mathesar where that would create its first administrator for whoever asks. Who has
 * given the code is handed on to Mathesar, and everybody is once it has an administrator.
 */
export const answerSetup = async (
  exchange: Exchange,
  parts: ViewParts & WaitParts & Pick<Parts, 'setup'>,
): Promise<void> => {
  const { setup } = parts
  const { signIn } = setup
  const { request, response } = exchange
  const isDone = (await waitForMathesar(parts)) ? await setup.isDone().catch(() => undefined) : undefined
  if (isDone === undefined) return sendUnavailable(exchange, parts)
  if (!isDone && !signIn.isSignedIn(request.headers.cookie, 'setup')) {
    signIn.invite() // A new one, if the last one is too old: the log has it then.
    return sendForm(exchange, 403, { why: undefined })
  }
  if (!isDone && request.method === 'POST') setup.expect()
  response.writeHead(200, { 'x-accel-redirect': setupHandover }).end()
}

/** Takes the setup code. Who gives the right one is signed in. */
export const postCode = async (exchange: Exchange, { setup }: Pick<Parts, 'setup'>): Promise<void> => {
  const refuse: Refuse = (status, why) =>
    why === undefined ? redirect(exchange, '/') : sendForm(exchange, status, { why })
  const form = await readOwnForm(exchange, refuse)
  if (form !== undefined)
    takeCode(exchange, setup.signIn, { code: form.get('code') ?? '', to: setupPath }, refuse)
}

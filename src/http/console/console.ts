import { words } from '../../page/words.ts'
import { consoleCodePolicy, leavePath, pathOf, renderClosed, renderEntry } from '../../page/console/frame.ts'
import { prove } from '../door/code.ts'
import { formHeaders, isBrowser, sendRefused } from '../door/page.ts'
import { isSameOrigin } from '../door/same-origin.ts'
import { type Exchange, isSecure, readForm, redirect, sendHtml, sendJson } from '../exchange.ts'
import type { Parts } from '../parts.ts'
import { getBackups, postBackups } from './backups.ts'
import { consolePath } from '../../units/place.ts'
import { getHistory, postHistory } from './history.ts'
import { getLog, getLogEvents } from './log.ts'
import { consoleHeaders, isSignedIn } from './send.ts'
import { getSettings, postSettings } from './settings.ts'
import { LiveStatus } from './status.ts'

/** Every setting at its longest fits, as the door lets it through. */
const formLimitBytes = 64 * 1024

const headers = formHeaders(consoleCodePolicy)

/** What those get who have not proved to be the owner. Clients other than browsers get JSON. */
const sendEntry = (exchange: Exchange, status: number, problem = ''): void => {
  if (isBrowser(exchange.request)) return sendHtml(exchange, status, renderEntry(problem), headers)
  const message = 'cannot open the console: its code is missing, wrong or too old'
  const hint = '`docker exec mathesar supervisor console` shows it.'
  sendJson(exchange, status, { code: 'CONSOLE_CODE_NEEDED', message, hint }, consoleHeaders)
}

const sendClosed = (exchange: Exchange): void => {
  if (isBrowser(exchange.request)) return sendHtml(exchange, 404, renderClosed(), headers)
  const message = 'cannot open the console: it is closed'
  const hint = '`docker exec mathesar supervisor console` opens it for an hour.'
  sendJson(exchange, 404, { code: 'CONSOLE_CLOSED', message, hint }, consoleHeaders)
}

/** The console in the browser. It is loaded when somebody asks for it. */
export class Console {
  readonly #parts: Parts
  readonly #status: LiveStatus

  constructor(parts: Parts) {
    this.#parts = parts
    this.#status = new LiveStatus(parts)
  }

  /** Answers what came to `consolePath` or below it. */
  async answer(exchange: Exchange): Promise<void> {
    const { entrance } = this.#parts
    const { request, access } = exchange
    if (!entrance.takes(request.headers.host)) return sendRefused(exchange, this.#parts)
    if (!entrance.isOpen || (entrance.port === undefined) !== (access === 'visitor'))
      return sendClosed(exchange)
    if (request.method === 'POST') return await this.#post(exchange)
    if (!isSignedIn(exchange, this.#parts)) return sendEntry(exchange, 403)
    await this.#get(exchange)
  }

  async #get(exchange: Exchange): Promise<void> {
    const parts = this.#parts
    switch (exchange.url.pathname) {
      case consolePath:
        return await this.#status.get(exchange)
      case `${consolePath}/events`:
        return this.#status.follow(exchange)
      case pathOf('settings'):
        return getSettings(exchange, parts)
      case pathOf('history'):
        return getHistory(exchange, parts)
      case pathOf('log'):
        return getLog(exchange, parts)
      case `${pathOf('log')}/events`:
        return getLogEvents(exchange, parts)
      case pathOf('backups'):
        return await getBackups(exchange, parts)
      default:
        return redirect(exchange, consolePath)
    }
  }

  async #post(exchange: Exchange): Promise<void> {
    const { request, url } = exchange
    if (!isSameOrigin(request)) return sendEntry(exchange, 403, words.setup.problems.foreign)
    // Strangers send a code, and nothing longer.
    const isOwner = isSignedIn(exchange, this.#parts)
    const form = await readForm(exchange, isOwner ? formLimitBytes : undefined)
    if (url.pathname === consolePath) return this.#prove(exchange, form.get('code') ?? '')
    if (!isOwner) return sendEntry(exchange, 403)
    await this.#act(exchange, form)
  }

  async #act(exchange: Exchange, form: URLSearchParams): Promise<void> {
    const parts = this.#parts
    switch (exchange.url.pathname) {
      case pathOf('settings'):
        return await postSettings(exchange, parts, form)
      case pathOf('history'):
        return await postHistory(exchange, parts, form)
      case pathOf('backups'):
        return postBackups(exchange, parts, form)
      case leavePath:
        parts.entrance.close()
        return redirect(exchange, consolePath)
      default:
        return redirect(exchange, consolePath)
    }
  }

  #prove(exchange: Exchange, code: string): void {
    const { signIn } = this.#parts.entrance
    switch (prove(exchange, signIn, code).is) {
      case 'right':
        return redirect(exchange, consolePath, { 'set-cookie': [...signIn.cookies(isSecure(exchange))] })
      case 'over':
        return sendClosed(exchange)
      case 'wrong':
        return sendEntry(exchange, 403, words.setup.problems.wrong)
      case 'unheard':
        return sendEntry(exchange, 429, words.console.unheard)
    }
  }
}

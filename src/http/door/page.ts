import { hostRefusal, permitCommand } from '../../settings/hosts.ts'
import { refusedPolicy, renderRefused } from '../../page/refused.ts'
import { contentSecurityPolicy, renderPage } from '../../page/render.ts'
import { type EventParts, sendEvents } from '../events.ts'
import { type Exchange, sendHtml, sendJson } from '../exchange.ts'
import type { Parts } from '../parts.ts'
import { notServing } from '../../units/door/bodies.ts'
import { awayPath, databaseAwayPath, maySendPath } from '../../units/place.ts'
import { readView, type ViewParts } from './feed.ts'
import { handOn, mayWait, waitForMathesar, type WaitParts } from './wake.ts'

/** Seconds after which whoever asked may ask again. */
const retryAfter = '2'

export const securityHeaders = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': contentSecurityPolicy,
}

/** For a page with a form. With `no-referrer` browsers would send that without its origin. */
export const formHeaders = (policy: string) => ({
  ...securityHeaders,
  'content-security-policy': policy,
  'referrer-policy': 'same-origin',
})

/** Whether Mathesar had begun with the request. The door says what its connections took, "-" for none. */
const hasReached = ({ headers }: Exchange['request']): boolean =>
  /\d$/.test(String(headers['x-connect-time'] ?? ''))

const messageFor = ({ request, url }: Exchange): string => {
  if (url.pathname === databaseAwayPath)
    return 'cannot answer: the database of Mathesar is away; this request may have been carried out in part'
  return hasReached(request)
    ? 'cannot answer: Mathesar ended while it answered this request, and may have carried it out'
    : notServing.message
}

export const isBrowser = ({ headers: { accept = '' } }: Exchange['request']): boolean =>
  accept.includes('text/html')
const wantsPage = (request: Exchange['request']): boolean =>
  (request.method === 'GET' || request.method === 'HEAD') && isBrowser(request)

/**
 * What whoever asks for Mathesar gets while it does not serve: the page for a browser, else JSON. Always 503,
 * so that no monitor, search engine or client takes it for Mathesar.
 */
export const sendUnavailable = (exchange: Exchange, parts: ViewParts): void => {
  const headers = { ...securityHeaders, 'retry-after': retryAfter }
  if (!wantsPage(exchange.request)) {
    return sendJson(exchange, 503, { ...notServing, message: messageFor(exchange) }, headers)
  }
  sendHtml(exchange, 503, renderPage(readView(parts)), headers)
}

/**
 * What a request gets whose Host is not permitted. Whoever sends it chooses the name; the command is for
 * those who can type it where Mathesar runs.
 */
export const sendRefused = (
  exchange: Exchange,
  { config, setup }: Pick<Parts, 'config' | 'setup'>,
  problem = '',
): void => {
  const refusal = hostRefusal(exchange.request.headers.host)
  if (refusal !== undefined) config.seeRefused(refusal)
  const host = refusal?.kind === 'host' ? refusal.host : undefined
  if (isBrowser(exchange.request)) {
    const takes = setup.signIn.isOpen ? 'code' : 'login'
    return sendHtml(exchange, 400, renderRefused({ host, takes, problem }), formHeaders(refusedPolicy))
  }
  const message = `cannot open Mathesar as ${refusal?.host ?? 'this name'}: it is not in ALLOWED_HOSTS`
  const hint =
    host === undefined
      ? 'Use a name of letters, digits, dots and hyphens, or an address.'
      : `To permit it, type where Mathesar runs: docker exec mathesar ${permitCommand(host)}`
  sendJson(exchange, 400, { code: 'HOST_REFUSED', message, hint }, securityHeaders)
}

/** What the door asks for where it is known that nobody else answers. */
export const awayPaths: readonly string[] = [awayPath, databaseAwayPath]

/** For what came for Mathesar and did not find it: it is handed back if Mathesar serves in time. */
export const answerAway = async (exchange: Exchange, parts: ViewParts & WaitParts): Promise<void> => {
  const { request, url } = exchange
  const isQuestion = url.pathname === maySendPath // It may be asked again.
  const mayHandOn =
    mayWait(parts) && !awayPaths.includes(url.pathname) && (isQuestion || !hasReached(request))
  if (mayHandOn && (await waitForMathesar(parts))) handOn(exchange, isQuestion ? maySendPath : undefined)
  else sendUnavailable(exchange, parts)
}

/** What everybody may know of the boot: {"situation", "steps", "troubles"}. */
export const getBoot = (exchange: Exchange, parts: ViewParts): void =>
  sendJson(exchange, 200, readView(parts), securityHeaders)

/** The boot as it goes on, as server-sent events (`Feed`). */
export const getEvents = (exchange: Exchange, parts: EventParts & Pick<Parts, 'visitors'>): void =>
  sendEvents(exchange, parts, {
    headers: securityHeaders,
    whenBehind: 'skip',
    follow: (send) => parts.visitors.feed.follow(send),
  })

import type { UnitState } from '../core/unit.ts'
import { script, scriptHash, style, styleHash } from './assets.ts'
import type { Step, Trouble, View } from './view.ts'
import { words } from './words.ts'

/** Nothing but the script with this hash and our styles may run or style a page. */
export const policyOf = (hash: string, forms: "'none'" | "'self'", styles = [styleHash]): string =>
  [
    "default-src 'none'",
    `script-src '${hash}'`,
    `style-src ${styles.map((each) => `'${each}'`).join(' ')}`,
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    `form-action ${forms}`,
  ].join('; ')
const policy = policyOf(scriptHash, "'none'")

/** The same as a header, which can also keep others from framing the page. */
export const contentSecurityPolicy = `${policy}; frame-ancestors 'none'`

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
export const escape = (text: string): string =>
  text.replace(/[&<>"']/g, (letter) => escapes[letter] ?? letter)
export const withCode = (text: string): string => escape(text).replace(/`([^`]*)`/g, '<code>$1</code>')

export const toneOf = (state: UnitState): string => {
  switch (state) {
    case 'done':
    case 'ready':
      return 'good'
    case 'running':
    case 'starting':
      return 'busy'
    case 'failed':
    case 'backoff':
    case 'unready':
      return 'bad'
    case 'waiting':
    case 'skipped':
    case 'stopping':
    case 'stopped':
    case 'asleep':
      return 'idle'
  }
}

/** What goes on comes first, then what is still to come. */
const order = ['bad', 'busy', 'idle', 'good']
const byInterest = (one: Step, other: Step): number =>
  order.indexOf(toneOf(one.state)) - order.indexOf(toneOf(other.state))

const renderStep = (step: Step): string => {
  const time = step.tookMs === undefined ? '' : words.seconds((step.tookMs / 1000).toFixed(1))
  return (
    `<li class="${toneOf(step.state)}"><span class="dot" aria-hidden="true"></span>` +
    `<span class="what"><b>${escape(step.name)}</b> ${escape(step.description)}</span>` +
    `<span class="state">${words.states[step.state]}</span><span class="time">${time}</span></li>`
  )
}

const renderTrouble = ({ step, state, code, exitCode, hint, own }: Trouble): string => {
  const what = [
    state === undefined ? undefined : words.states[state],
    code,
    exitCode === undefined ? undefined : words.exitCode(exitCode),
  ].filter((part) => part !== undefined)
  const [message, ...lines] = own?.message.split('\n') ?? []
  const told =
    (message === undefined ? '' : `<p>${escape(message)}</p>`) +
    (lines.length === 0 ? '' : `<pre tabindex="0">${escape(lines.join('\n'))}</pre>`)
  return (
    `<li><p><b>${escape(step)}</b> ${escape(what.join(', '))}</p>${told}` +
    `<p>${withCode(own?.hint ?? hint ?? words.general)}</p></li>`
  )
}

/** The element is always there: a screen reader reads what comes into it. */
const renderTroubles = (troubles: readonly Trouble[]): string => {
  const items = troubles.map(renderTrouble).join('')
  const list = items === '' ? '' : `<ul class="troubles" aria-label="${words.troubles}">${items}</ul>`
  return `<div role="alert">${list}</div>`
}

const fixLink = `<a href="/supervisor/fix">${words.fix.link}</a>`

const renderTail = (tail: string): string =>
  `<details><summary>${words.tail}</summary><pre tabindex="0">${escape(tail)}</pre></details>`

/** What changes while the page is open: the same elements in the same order, but for the log at the end. */
export const renderView = ({ situation, steps, troubles, isFixable, tail }: View): string => {
  const items = steps.toSorted(byInterest).map(renderStep).join('')
  const list = items === '' ? '' : `<ol aria-label="${words.steps}">${items}</ol>`
  return (
    `<h1>${words.headlines[situation]}</h1>` +
    `<p class="lead" aria-live="polite">${withCode(words.leads[situation])}</p>` +
    `${renderTroubles(troubles)}<p>${isFixable ? fixLink : ''}</p><div>${list}</div>` +
    (tail === undefined ? '' : renderTail(tail))
  )
}

type Page = {
  readonly body: string
  readonly head?: string
  readonly policy: string
  readonly title?: string
}

/** A whole page. It asks for nothing from elsewhere. */
export const renderDocument = ({ body, head = '', policy, title = words.title }: Page): string =>
  `<!doctype html><html lang="${words.language}"><head><meta charset="utf-8">` +
  '<meta name="viewport" content="width=device-width,initial-scale=1">' +
  `<meta name="robots" content="noindex"><meta http-equiv="Content-Security-Policy" content="${policy}">` +
  `<meta name="color-scheme" content="light dark"><title>${title}</title>` +
  `<link rel="icon" href="data:,"><style>${style}</style>${head}</head><body>${body}</body></html>\n`

/** The page of a boot. It refreshes itself where JavaScript is off. */
export const renderPage = (view: View): string =>
  renderDocument({
    body:
      `<main><div id="view">${renderView(view)}</div></main>` +
      `<noscript><p class="foot">${words.noScript}</p></noscript><script>${script}</script>`,
    head: '<noscript><meta http-equiv="refresh" content="2"></noscript>',
    policy,
  })

/** What nginx itself shows while the supervisor cannot be asked: for some milliseconds of a boot. */
export const startingPage = (): string =>
  renderPage({ situation: 'booting', steps: [], troubles: [], isFixable: false, tail: undefined })

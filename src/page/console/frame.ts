import { renderCodeForm } from '../code-form.ts'
import { setupScript, setupScriptHash, styleHash } from '../assets.ts'
import { escape, policyOf, renderDocument, withCode } from '../render.ts'
import { words } from '../words.ts'
import { consoleScript, consoleScriptHash, consoleStyle, consoleStyleHash } from './assets.ts'

export type Section = keyof typeof words.console.sections

/** Where the console is, and its parts. */
export const consoleRoot = '/supervisor/console'
export const pathOf = (section: Section): string =>
  section === 'status' ? consoleRoot : `${consoleRoot}/${section}`
export const leavePath = `${consoleRoot}/leave`

const documentPolicy = policyOf(consoleScriptHash, "'self'", [styleHash, consoleStyleHash])
export const consolePolicy = `${documentPolicy}; frame-ancestors 'none'`
const codePolicy = policyOf(setupScriptHash, "'self'")
export const consoleCodePolicy = `${codePolicy}; frame-ancestors 'none'`

const renderLink = (section: Section, current: Section): string =>
  `<a href="${pathOf(section)}"${section === current ? ' aria-current="page"' : ''}>` +
  `${words.console.sections[section]}</a>`

type Part = {
  readonly section: Section
  readonly body: string
  /** When the console closes, in words. */
  readonly closesAt: string | undefined
  readonly head?: string
}

/** A part of the console, in its frame. */
export const renderPart = ({ section, body, closesAt, head = '' }: Part): string => {
  const { title, sections, navigation, leave, closesAt: closes } = words.console
  const names = Object.keys(sections) as Section[]
  const foot = closesAt === undefined ? '' : `<p class="foot">${closes(closesAt)}</p>`
  return renderDocument({
    body:
      `<header><b>${title}</b><nav aria-label="${navigation}">` +
      `${names.map((each) => renderLink(each, section)).join('')}</nav>` +
      `<form method="post" action="${leavePath}"><button class="second">${leave}</button></form></header>` +
      `<main>${body}${foot}</main><script>${consoleScript}</script>`,
    head: `${head}<style>${consoleStyle}</style>`,
    policy: documentPolicy,
    title: `${sections[section]} – ${title}`,
  })
}

/** The page that asks for the code. */
export const renderEntry = (problem: string): string => {
  const { title, headline, lead, button, code, ways } = words.console
  return renderDocument({
    body:
      `<main><h1>${headline}</h1><p class="lead">${lead}</p>` +
      renderCodeForm({ action: consoleRoot, button, label: code, problem }) +
      `<h2>${words.setup.waysTitle}</h2><ul>${ways.map((way) => `<li>${withCode(way)}</li>`).join('')}</ul>` +
      `</main><script>${setupScript}</script>`,
    policy: codePolicy,
    title,
  })
}

/** What there is in place of it while the console is closed. */
export const renderClosed = (): string => {
  const { title, closedHeadline, closed } = words.console
  return renderDocument({
    body: `<main><h1>${closedHeadline}</h1><p class="lead">${withCode(closed)}</p></main>`,
    policy: codePolicy,
    title,
  })
}

type Cell = { readonly html: string; readonly label: string }

/** Rows of HTML under their headings. On a phone each row is a card, with the headings in it. */
export const renderTable = (
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  caption: string,
): string => {
  const cellOf = ({ html, label }: Cell, at: number): string =>
    at === 0 ? `<th scope="row" data-label="${label}">${html}</th>` : `<td data-label="${label}">${html}</td>`
  const rowOf = (cells: readonly string[]): string =>
    `<tr>${cells.map((html, at) => cellOf({ html, label: headings[at] ?? '' }, at)).join('')}</tr>`
  return (
    `<table><caption>${caption}</caption><thead><tr>` +
    `${headings.map((heading) => `<th scope="col">${heading}</th>`).join('')}</tr></thead>` +
    `<tbody>${rows.map(rowOf).join('')}</tbody></table>`
  )
}

/** A time of ISO 8601 as people read it. */
export const renderTime = (at: string): string =>
  `<time datetime="${escape(at)}">${escape(at.slice(0, 19).replace('T', ' '))}</time>`

export const renderBytes = (bytes: number): string => {
  const MiB = bytes / 1024 / 1024
  if (MiB < 0.1) return `${Math.ceil(bytes / 1024)} KiB`
  return MiB < 1024 ? `${MiB.toFixed(MiB < 10 ? 1 : 0)} MiB` : `${(MiB / 1024).toFixed(1)} GiB`
}

/** A picture that is wider than a phone; `otherwise` stands where there is nothing to draw. */
export const renderPicture = (name: string, picture: string, otherwise: string): string =>
  picture === ''
    ? `<p class="foot">${otherwise}</p>`
    : `<div class="picture" tabindex="0" role="region" aria-label="${name}">${picture}</div>`

/** What came of a wish: it holds elements of its own. */
export const renderNotice = (isGood: boolean, html: string): string =>
  `<div class="${isGood ? 'success' : 'problem'}">${html}</div>`

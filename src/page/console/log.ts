import { escape } from '../render.ts'
import { words } from '../words.ts'
import { pathOf } from './frame.ts'

type LogPage = {
  readonly units: readonly string[]
  readonly unit: string | undefined
  /** Only lines with this text. */
  readonly find: string
  readonly lines: readonly string[]
}

/** Both forms of a line say its level. */
const level = /^(?:\S+ (debug|info|warn|error) |\{"time":"[^"]*","level":"(debug|info|warn|error)")/

const renderLine = (line: string): string => {
  const [, ofText, ofJson] = level.exec(line) ?? []
  return `<span class="line ${ofText ?? ofJson ?? 'info'}">${escape(line)}</span>`
}

/** Lines of the log, which the script puts in as they come. */
export const renderLines = (lines: readonly string[]): string => lines.map(renderLine).join('')

/** The last lines of the log, of one unit or of all. */
export const renderLog = ({ units, unit, find, lines }: LogPage): string => {
  const { unit: unitLabel, all, filter, show, follow, lines: label } = words.console.log
  const options = ['', ...units].map((name) => {
    const selected = name === (unit ?? '') ? ' selected' : ''
    return `<option value="${escape(name)}"${selected}>${name === '' ? all : escape(name)}</option>`
  })
  return (
    `<h1>${words.console.sections.log}</h1><form class="row" id="log-form" action="${pathOf('log')}">` +
    `<p><label for="unit">${unitLabel}</label>` +
    `<select id="unit" name="unit">${options.join('')}</select></p>` +
    `<p class="wide"><label for="filter">${filter}</label><input id="filter" name="find" type="search" ` +
    `value="${escape(find)}" autocomplete="off" spellcheck="false" maxlength="200"></p>` +
    `<p><button>${show}</button></p>` +
    '<p hidden><label class="check"><input type="checkbox" id="follow" checked> ' +
    `${follow}</label></p></form>` +
    `<pre id="log" tabindex="0" aria-label="${label}" role="log">${renderLines(lines)}</pre>`
  )
}

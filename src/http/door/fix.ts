import { type ErrorCode, errorTable, SupervisorError } from '../../errors.ts'
import {
  fixCodePolicy,
  fixPath,
  fixPolicy,
  type Outcome,
  renderFix,
  renderFixCode,
  renderNothingToFix,
  renderOutcome,
} from '../../page/fix.ts'
import { words } from '../../page/words.ts'
import { type DescribedSetting, describeSetting } from '../../settings/configuration.ts'
import { curesOf } from '../../settings/cures.ts'
import type { SettingName } from '../../settings/table.ts'
import { type Exchange, redirect, sendHtml, sendJson } from '../exchange.ts'
import { editsIn, withTyped } from '../form-edits.ts'
import type { Parts } from '../parts.ts'
import { askForCode, isSignedIn, readOwnersForm } from './code.ts'
import { formHeaders, isBrowser, securityHeaders } from './page.ts'

const tailLines = 100

type FixParts = Pick<Parts, 'report' | 'config' | 'container' | 'log' | 'setup'>

type Fix = {
  readonly trouble: { readonly message: string; readonly hint: string }
  readonly names: readonly SettingName[]
}

const isCode = (code: string | null): code is ErrorCode => code !== null && Object.hasOwn(errorTable, code)

/** The first failure that settings may cure. */
const findFix = ({ report, config }: Pick<Parts, 'report' | 'config'>): Fix | undefined => {
  const { values } = config.changes.current
  for (const { code, message, hint } of report.status().problems) {
    const names = isCode(code) ? curesOf(code, values) : []
    if (names.length > 0) return { trouble: { message, hint: hint ?? '' }, names }
  }
  return undefined
}

const describe = (names: readonly SettingName[], { config }: Pick<Parts, 'config'>): DescribedSetting[] =>
  names.map((name) => describeSetting(name, config.changes.current.values, config.inForce.values))

const sendFix = (
  exchange: Exchange,
  parts: FixParts,
  fix: Fix | undefined,
  { outcome, form }: { readonly outcome?: Outcome; readonly form?: URLSearchParams } = {},
): void => {
  const status = outcome === undefined || outcome.isGood ? 200 : 422
  if (outcome !== undefined && !isBrowser(exchange.request))
    return sendJson(exchange, status, { html: renderOutcome(outcome) }, securityHeaders)
  if (fix === undefined) return sendHtml(exchange, 200, renderNothingToFix(), formHeaders(fixCodePolicy))
  const fields = describe(fix.names, parts).map((field) => (form ? withTyped(field, form) : field))
  const { version } = parts.config.changes.current
  const tail = parts.log.tail(undefined, tailLines).join('')
  const page = { trouble: fix.trouble, fields, base: form?.get('base') ?? version, outcome, tail }
  sendHtml(exchange, status, renderFix(page), formHeaders(fixPolicy))
}

const codePage = { path: fixPath, what: 'show the settings', render: renderFixCode }

/** Has the settings tried, or brings them into force. Resolves with what to say, if the form stays. */
const carryOut = async (
  form: URLSearchParams,
  fields: readonly DescribedSetting[],
  { config, container }: Pick<Parts, 'config' | 'container'>,
): Promise<Outcome | undefined> => {
  const set = editsIn(form, fields)
  const isEmpty = Object.keys(set).length === 0
  const base = form.get('base') ?? ''
  if (form.get('act') !== 'save') {
    if (isEmpty) await config.tryDatabase()
    else await config.changes.propose({ from: 'page', kind: 'set', base, set, isDryRun: true })
    return { isGood: true, text: words.fix.answers }
  }
  if (!isEmpty) await config.changes.propose({ from: 'page', kind: 'set', base, set })
  else if (container.isKept()) await config.changes.propose({ from: 'page', kind: 'reread', reload: true })
  return undefined
}

/** The page with the settings that may cure what is wrong, for the owner. */
export const getFix = (exchange: Exchange, parts: FixParts): void => {
  if (!isSignedIn(exchange, parts)) return askForCode(exchange, parts, codePage, 200)
  sendFix(exchange, parts, findFix(parts))
}

/** Takes the setup code, or the settings of who has given it. */
export const postFix = async (exchange: Exchange, parts: FixParts): Promise<void> => {
  const form = await readOwnersForm(exchange, parts, codePage)
  if (form === undefined) return
  const fix = findFix(parts)
  try {
    const outcome = await carryOut(form, describe(fix?.names ?? [], parts), parts)
    if (outcome === undefined) return redirect(exchange, '/')
    sendFix(exchange, parts, fix, { outcome, form })
  } catch (error) {
    if (!(error instanceof SupervisorError)) throw error
    sendFix(exchange, parts, fix, {
      outcome: { isGood: false, text: error.message, hint: error.hint },
      form,
    })
  }
}

import type { DescribedSetting } from '../../settings/configuration.ts'
import { actionInWords, type Change } from '../../settings/plan.ts'
import { removeField, renderInput } from '../field.ts'
import { escape, withCode } from '../render.ts'
import { words } from '../words.ts'
import { pathOf, renderNotice } from './frame.ts'

/** What came of a wish to change something. */
export type Outcome =
  | { readonly is: 'planned'; readonly plan: Plan }
  | { readonly is: 'refused'; readonly message: string; readonly hint: string }
  | { readonly is: 'in force' | 'left to boot'; readonly version: string }

export type Plan = {
  /** The version that it makes: what is applied must be what was shown. */
  readonly version: string
  readonly changes: readonly Change[]
  readonly warnings: readonly string[]
  /** The version of the history that is gone back to. */
  readonly rollback?: string
  /** Another one than the visitor saw. */
  readonly isOther?: boolean
}

/** The name of the field that brings a plan into force; the plan's version is its value. */
export const applyField = 'apply'

const renderChange = ({ name, action }: Change): string =>
  `<li><code>${escape(name)}</code> ${actionInWords[action]}</li>`

const renderPlan = ({ version, changes, warnings, rollback, isOther = false }: Plan): string => {
  const { planned, unchanged, otherPlan, apply, cancel } = words.console.settings
  const told = warnings.map((warning) => `<p>${escape(warning)}</p>`).join('')
  if (changes.length === 0) return renderNotice(true, `<p>${unchanged}</p>${told}`)
  const hidden =
    rollback === undefined ? '' : `<input type="hidden" name="rollback" value="${escape(rollback)}">`
  return renderNotice(
    true,
    `<p><b>${isOther ? otherPlan : planned}</b></p><ul>${changes.map(renderChange).join('')}</ul>${told}` +
      `<p class="row">${hidden}<button name="${applyField}" value="${escape(version)}">${apply}</button>` +
      `<a class="button" href="${pathOf(rollback === undefined ? 'settings' : 'history')}">${cancel}</a></p>`,
  )
}

/** The script puts it in, too. */
export const renderOutcome = (outcome: Outcome | undefined): string => {
  const { isInForce, startsOver } = words.console.settings
  switch (outcome?.is) {
    case undefined:
      return ''
    case 'planned':
      return renderPlan(outcome.plan)
    case 'refused':
      return renderNotice(false, `<p>${withCode(outcome.message)}</p><p>${withCode(outcome.hint)}</p>`)
    case 'in force':
      return renderNotice(true, `<p>${escape(isInForce(outcome.version))}</p>`)
    case 'left to boot':
      return renderNotice(true, `<p>${startsOver}</p>`)
  }
}

const notesOf = ({ pinned, source, secret, given }: DescribedSetting): readonly string[] => {
  if (pinned)
    return [source === 'environment' ? words.console.settings.pinned : words.console.settings.environmentOnly]
  return secret && given ? [words.fix.keepsSecret] : []
}

const renderRemove = ({ name, secret, source }: DescribedSetting): string =>
  secret && source === 'file'
    ? `<label class="check"><input type="checkbox" name="${removeField}${name}"> ` +
      `${words.console.settings.remove(name)}</label>`
    : ''

const renderSetting = (setting: DescribedSetting): string => {
  const { name, description, source, pendingRestart, appliesBy } = setting
  const { sources, pending } = words.console.settings
  const badges = [
    `<span class="badge">${sources[source]}</span>`,
    ...(pendingRestart ? [`<span class="badge busy">${pending}</span>`] : []),
  ].join(' ')
  const about = [description, ...notesOf(setting)].map(withCode).join(' ')
  return (
    `<div class="setting"><div><label for="${name}">${name}</label> ${badges}` +
    `<p id="${name}-about">${about}</p></div>` +
    `<div>${renderInput(setting)}${renderRemove(setting)}` +
    `<p>${setting.pinned ? '' : actionInWords[appliesBy]}</p></div></div>`
  )
}

type SettingsPage = {
  readonly settings: readonly DescribedSetting[]
  /** The version that is edited. */
  readonly base: string
  readonly outcome: Outcome | undefined
}

/** A form with every setting. What is shown of a secret is whether there is one. */
export const renderSettings = ({ settings, base, outcome }: SettingsPage): string => {
  const { lead, filter, given, defaults, plan, applying } = words.console.settings
  const groupOf = (title: string, some: readonly DescribedSetting[]): string =>
    some.length === 0 ? '' : `<section><h2>${title}</h2>${some.map(renderSetting).join('')}</section>`
  return (
    `<h1>${words.console.sections.settings}</h1><p class="lead">${lead}</p>` +
    `<p class="find" hidden><label for="find">${filter}</label><input id="find" type="search"></p>` +
    `<form method="post" action="${pathOf('settings')}" class="plan" data-wait="${applying}">` +
    `<input type="hidden" name="base" value="${escape(base)}">` +
    groupOf(
      given,
      settings.filter((setting) => setting.given),
    ) +
    groupOf(
      defaults,
      settings.filter((setting) => !setting.given),
    ) +
    `<div class="bar"><div id="outcome" role="alert">${renderOutcome(outcome)}</div>` +
    `<button>${plan}</button></div></form>`
  )
}

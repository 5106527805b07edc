import { type Outcome, renderSettings } from '../../page/console/settings.ts'
import { type DescribedSetting, describeSetting } from '../../settings/configuration.ts'
import { settingNames } from '../../settings/table.ts'
import type { Exchange } from '../exchange.ts'
import { editsIn, withTyped } from '../form-edits.ts'
import type { Parts } from '../parts.ts'
import { carryOut, outcomeBefore, sendOutcome } from './change.ts'
import { sendPart } from './send.ts'

type SettingsParts = Pick<Parts, 'config' | 'entrance'>

const describe = ({ config }: Pick<Parts, 'config'>): readonly DescribedSetting[] =>
  settingNames.map((name) => describeSetting(name, config.changes.current.values, config.inForce.values))

type Shown = {
  readonly settings: readonly DescribedSetting[]
  readonly base: string
  readonly outcome: Outcome | undefined
}

const sendSettings = (exchange: Exchange, parts: SettingsParts, shown: Shown, status = 200): void =>
  sendPart(exchange, parts, { section: 'settings', body: renderSettings(shown) }, status)

/** Every setting, its source, and a field for another value. */
export const getSettings = (exchange: Exchange, parts: SettingsParts): void =>
  sendSettings(exchange, parts, {
    settings: describe(parts),
    base: parts.config.changes.current.version,
    outcome: outcomeBefore(exchange, parts),
  })

/** Plans what was typed, or brings it into force. */
export const postSettings = async (
  exchange: Exchange,
  parts: SettingsParts,
  form: URLSearchParams,
): Promise<void> => {
  const settings = describe(parts)
  const base = form.get('base') ?? ''
  const proposal = { from: 'page', kind: 'set', base, set: editsIn(form, settings) } as const
  const outcome = await carryOut(() => ({ proposal, form }), parts)
  const typed = settings.map((setting) => withTyped(setting, form))
  sendOutcome(exchange, 'settings', outcome, (status) =>
    sendSettings(exchange, parts, { settings: typed, base, outcome }, status),
  )
}

import { type Outcome, renderSettings } from '../../page/console/settings.ts'
import { type DescribedSetting, describeSetting } from '../../settings/configuration.ts'
import { settingNames } from '../../settings/table.ts'
import type { Exchange } from '../exchange.ts'
import { editsIn, withTyped } from '../form-edits.ts'
import type { ControlOptions } from '../server.ts'
import { carryOut, outcomeBefore, sendOutcome } from './change.ts'
import { sendPart } from './send.ts'

const describe = ({ config }: ControlOptions): readonly DescribedSetting[] =>
  settingNames.map((name) => describeSetting(name, config.changes.current.values, config.inForce.values))

type Shown = {
  readonly settings: readonly DescribedSetting[]
  readonly base: string
  readonly outcome: Outcome | undefined
}

const sendSettings = (exchange: Exchange, options: ControlOptions, shown: Shown, status = 200): void =>
  sendPart(exchange, options, { section: 'settings', body: renderSettings(shown) }, status)

/** Every setting, its source, and a field for another value. */
export const getSettings = (exchange: Exchange, options: ControlOptions): void =>
  sendSettings(exchange, options, {
    settings: describe(options),
    base: options.config.changes.current.version,
    outcome: outcomeBefore(exchange, options),
  })

/** Plans what was typed, or brings it into force. */
export const postSettings = async (
  exchange: Exchange,
  options: ControlOptions,
  form: URLSearchParams,
): Promise<void> => {
  const settings = describe(options)
  const base = form.get('base') ?? ''
  const proposal = { from: 'page', kind: 'set', base, set: editsIn(form, settings) } as const
  const outcome = await carryOut(() => ({ proposal, form }), options)
  const typed = settings.map((setting) => withTyped(setting, form))
  sendOutcome(exchange, 'settings', outcome, (status) =>
    sendSettings(exchange, options, { settings: typed, base, outcome }, status),
  )
}

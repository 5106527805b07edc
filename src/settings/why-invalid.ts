import { excerpt } from '../core/message.ts'
import { hasShellQuotes } from './forms.ts'
import { kinds } from './kinds.ts'
import { type SettingName, settingOf } from './table.ts'

/** What secrets of the files in deploy/ begin with that people are to fill in. */
const sampleStart = 'EDIT ME'

/** Why `text` is not a value for the setting; `undefined` when it is. Never repeats the value of a secret. */
export const whyInvalid = (name: SettingName, text: string): string | undefined => {
  const setting = settingOf(name)
  const shown = setting.secret ? 'the value' : `"${excerpt(text, 80)}"`
  if (setting.kind !== 'json' && !setting.secret && hasShellQuotes(text)) {
    return (
      `${shown} has quotes around it, which belong to it: \`docker run --env-file\` keeps them; write ` +
      'the value without'
    )
  }
  if (setting.secret && text.startsWith(sampleStart))
    return `${shown} is that of a sample, which everybody knows: make one of your own`
  if (/[\0\n\r]/.test(text) && setting.kind !== 'text' && setting.kind !== 'json')
    return `${shown} holds a control character`
  return kinds[setting.kind].whyNot(text, setting, shown)
}

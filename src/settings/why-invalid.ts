import { excerpt } from '../core/message.ts'
import { isAddress } from './addresses.ts'
import {
  hasShellQuotes,
  isJsonObject,
  whyNotArguments,
  whyNotHosts,
  whyNotInteger,
  whyNotNames,
  whyNotNetworks,
  whyNotOrigins,
  whyNotRecipients,
  whyNotServer,
} from './forms.ts'
import { whyNotPlaces } from './backup-places.ts'
import { whyNotConsole } from './console.ts'
import { whyNotDuration } from './duration.ts'
import { whyNotNotifyUrl } from './notify-url.ts'
import { whyNotRetention } from './retention.ts'
import { whyNotSchedule } from './schedule.ts'
import { whyNotUpdateNotice } from './update-notice.ts'
import { isTrue, type SettingName, settingOf } from './table.ts'

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
  switch (setting.kind) {
    case 'integer':
      return whyNotInteger(text, setting, shown)
    case 'boolean':
      return isTrue(text) || ['false', 'False', 'f'].includes(text)
        ? undefined
        : `${shown} is neither true nor false`
    case 'choice':
      return setting.choices?.includes(text)
        ? undefined
        : `${shown} is none of ${setting.choices?.join(', ')}`
    case 'hosts':
      return whyNotHosts(text)
    case 'origins':
      return whyNotOrigins(text)
    case 'server':
      return whyNotServer(text)
    case 'arguments':
      return whyNotArguments(text)
    case 'networks':
      return whyNotNetworks(text)
    case 'names':
      return whyNotNames(text, setting.choices ?? [])
    case 'recipients':
      return whyNotRecipients(text)
    case 'places':
      return whyNotPlaces(text)
    case 'schedule':
      return whyNotSchedule(text)
    case 'retention':
      return whyNotRetention(text)
    case 'notify':
      return whyNotNotifyUrl(text)
    case 'console':
      return whyNotConsole(text)
    case 'updates':
      return whyNotUpdateNotice(text)
    case 'duration':
      return whyNotDuration(text)
    case 'url':
      return URL.canParse(text) && /^https?:/.test(text)
        ? undefined
        : `${shown} is not an http or https address`
    case 'address':
      return isAddress(text) ? undefined : `${shown} is not an IP address such as 127.0.0.1 or ::`
    case 'json':
      return isJsonObject(text) ? undefined : `${shown} is not a JSON object`
    case 'path':
      return text.startsWith('/') ? undefined : `${shown} is not an absolute path`
    case 'text':
      if (text.includes('\0')) return `${shown} holds a zero byte`
      return text.length < (setting.min ?? 0)
        ? `${shown} has fewer than ${setting.min} characters`
        : undefined
  }
}

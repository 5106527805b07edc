import { excerpt } from '../core/message.ts'

/** Why a text is not a value of UPDATE_NOTICE. */
export const whyNotUpdateNotice = (text: string): string | undefined => {
  if (text === 'off') return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'https:') return `"${excerpt(text, 80)}" is neither off nor an https address`
  return url.username === '' && url.password === '' ? undefined : 'the address has a password, which is shown'
}

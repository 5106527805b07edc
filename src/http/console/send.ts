import { consolePolicy, renderPart, type Section } from '../../page/console/frame.ts'
import { formHeaders } from '../door/page.ts'
import { type Exchange, isSecure, sendHtml } from '../exchange.ts'
import type { Parts } from '../parts.ts'

/** No other page may take anything of it in. */
export const consoleHeaders = {
  ...formHeaders(consolePolicy),
  'cross-origin-resource-policy': 'same-origin',
}

/** Whether whoever asks has proved to be the owner, and nobody has logged out since. */
export const isSignedIn = ({ request }: Exchange, { entrance }: Pick<Parts, 'entrance'>): boolean =>
  entrance.signIn.isSignedIn(request.headers.cookie, 'console')

type Part = { readonly section: Section; readonly body: string; readonly head?: string }

/** Sends a part of the console to who has proved to be the owner, whose session then lasts longer. */
export const sendPart = (
  exchange: Exchange,
  { entrance }: Pick<Parts, 'entrance'>,
  part: Part,
  status = 200,
): void => {
  const { closesMs } = entrance
  const closesAt =
    closesMs === undefined ? undefined : `${new Date(closesMs).toISOString().slice(11, 16)} UTC`
  sendHtml(exchange, status, renderPart({ ...part, closesAt }), {
    ...consoleHeaders,
    'set-cookie': entrance.signIn.cookies(isSecure(exchange)),
  })
}

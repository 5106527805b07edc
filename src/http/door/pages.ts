import { fixPath } from '../../page/fix.ts'
import { permitPath } from '../../page/refused.ts'
import { partPath, restorePath } from '../../page/restore.ts'
import { provePath } from '../../page/setup.ts'
import { consolePath, maySendPath, setupPath } from '../../units/place.ts'
import { type Access, redirect } from '../exchange.ts'
import type { Route } from '../routes.ts'
import { getFix, postFix } from './fix.ts'
import { answerAway, awayPaths, sendRefused } from './page.ts'
import { postPermit } from './permit.ts'
import { getRestore, postPart, postRestore } from './restore.ts'
import { answerSetup, postCode } from './setup.ts'

type Page = Pick<Route, 'handle' | 'hasBody'>

/** What the forms of our pages send, by where they send it. */
const forms: ReadonlyMap<string, Page['handle']> = new Map<string, Page['handle']>([
  [provePath, postCode],
  [fixPath, postFix],
  [permitPath, postPermit],
  [partPath, postPart],
  [restorePath, postRestore],
])

const pages: ReadonlyMap<string, Page['handle']> = new Map<string, Page['handle']>([
  [restorePath, getRestore],
  ['/supervisor/refused', sendRefused],
  [fixPath, getFix],
  [setupPath, answerSetup],
])

/** What answers a visitor where no route of the protocol does: pages, and what their forms send. */
export const pageRoute = (
  method: string | undefined,
  { pathname }: URL,
  access: Access,
): Page | undefined => {
  const isPost = method === 'POST'
  if (pathname === consolePath || pathname.startsWith(`${consolePath}/`))
    return { handle: async (exchange, { console }) => (await console()).answer(exchange), hasBody: isPost }
  if (access === 'console')
    return pathname === '/' ? { handle: (exchange) => redirect(exchange, consolePath) } : undefined
  const takesForm = isPost ? forms.get(pathname) : undefined
  if (takesForm !== undefined) return { handle: takesForm, hasBody: true }
  const isOurs = pathname.startsWith('/supervisor/') && ![...awayPaths, maySendPath].includes(pathname)
  const handle = pages.get(pathname) ?? (isOurs ? undefined : answerAway)
  return handle && { handle }
}

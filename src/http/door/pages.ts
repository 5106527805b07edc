import { fixPath } from '../../page/fix.ts'
import { permitPath } from '../../page/refused.ts'
import { partPath, restorePath } from '../../page/restore.ts'
import { provePath } from '../../page/setup.ts'
import { consolePath, setupPath } from '../../units/place.ts'
import type { Access } from '../exchange.ts'
import type { Route } from '../routes.ts'
import { getFix, postFix } from './fix.ts'
import { answerAway, awayPaths, sendRefused } from './page.ts'
import { postPermit } from './permit.ts'
import { getRestore, postPart, postRestore } from './restore.ts'
import { answerSetup, postCode, redirect } from './setup.ts'

type Page = Pick<Route, 'handle' | 'hasBody'>

/** What answers a visitor where no route of the protocol does: pages, and what their forms send. */
export const pageRoute = (
  method: string | undefined,
  { pathname }: URL,
  access: Access,
): Page | undefined => {
  if (pathname === consolePath || pathname.startsWith(`${consolePath}/`))
    return { handle: async (exchange, { console }) => (await console()).answer(exchange), hasBody: method === 'POST' }
  if (access === 'console')
    return pathname === '/' ? { handle: (exchange) => redirect(exchange, consolePath) } : undefined
  if (method === 'POST' && pathname === provePath) return { handle: postCode, hasBody: true }
  if (method === 'POST' && pathname === fixPath) return { handle: postFix, hasBody: true }
  if (method === 'POST' && pathname === permitPath) return { handle: postPermit, hasBody: true }
  if (method === 'POST' && pathname === partPath) return { handle: postPart, hasBody: true }
  if (method === 'POST' && pathname === restorePath) return { handle: postRestore, hasBody: true }
  if (pathname === restorePath) return { handle: getRestore }
  if (pathname === '/supervisor/refused') return { handle: sendRefused }
  if (pathname === fixPath) return { handle: getFix }
  if (pathname === setupPath) return { handle: answerSetup }
  const isOurs = pathname.startsWith('/supervisor/') && !awayPaths.includes(pathname)
  return isOurs ? undefined : { handle: answerAway }
}

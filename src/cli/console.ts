import { askJson } from '../http/client.ts'
import type { ConsoleInvitation } from '../http/console/open.ts'
import { readFlag } from './arguments.ts'
import { drawQrCode } from './qr-code.ts'

const clockOf = (at: string): string => `${at.slice(11, 16)} UTC`

/** Opens the console for an hour: a link, a QR code of it, and the code to type. */
export const run = async (args: readonly string[]): Promise<number> => {
  const isJson = readFlag('console', args, 'json')
  const { console: invitation } = await askJson<{ readonly console: ConsoleInvitation }>(
    'POST',
    '/v1/console',
  )
  if (isJson) {
    process.stdout.write(`${JSON.stringify({ console: invitation })}\n`)
    return 0
  }
  const { code, link, expiresAt, closesAt } = invitation
  process.stdout.write(
    `${await drawQrCode(link)}\n\nOpen ${link}\nor type there ` +
      `${code === null ? 'the code of CONSOLE_CODE' : `the code ${code}`}.\n` +
      `The link${code === null ? ' is' : ' and the code are'} replaced at ${clockOf(expiresAt)}.` +
      `${closesAt === null ? '' : ` The console closes at ${clockOf(closesAt)}.`}\n`,
  )
  return 0
}

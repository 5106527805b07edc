import { askJson } from '../http/client.ts'
import type { ShownInvitation } from '../http/door/sign-in.ts'
import { readFlag } from './arguments.ts'
import { drawQrCode } from './qr-code.ts'

/** How the owner of a new Mathesar comes in: a link, a QR code of it, and the code to type. */
export const run = async (args: readonly string[]): Promise<number> => {
  const isJson = readFlag('setup', args, 'json')
  const { setup } = await askJson<{ readonly setup: ShownInvitation | null }>('GET', '/v1/setup')
  if (isJson) {
    process.stdout.write(`${JSON.stringify({ setup })}\n`)
    return setup === null ? 1 : 0
  }
  if (setup === null) {
    process.stdout.write('Mathesar is set up: it has an administrator. `supervisor admin list` names them.\n')
    return 1
  }
  const { code, link, expiresAt } = setup
  process.stdout.write(
    `${await drawQrCode(link)}\n\nOpen ${link}\nor type there ` +
      `${code === null ? 'the code of SETUP_CODE' : `the setup code ${code}`}.\n` +
      `Both are replaced at ${expiresAt.slice(11, 16)} UTC. By another address the link opens too: change ` +
      'what comes before /complete_installation/.\n',
  )
  return 0
}

import { reads } from '../system/system.ts'
import { runInTerminal } from '../system/terminal.ts'
import { appEnvironment } from '../units/mathesar/environment.ts'
import { inVolume } from '../units/place.ts'
import { readOwnSetup } from './own.ts'

export const run = async (args: readonly string[]): Promise<number> => {
  const { place, configuration: inForce } = await readOwnSetup()
  const { paths, identities } = place
  const { secrets, media, temporary, buffer } = inVolume(paths)
  const secretKey =
    inForce.settings.SECRET_KEY ?? reads.files.readIfThere(`${secrets}/secret_key`)?.trim() ?? ''
  const env = appEnvironment({
    place,
    inForce,
    results: {
      volume: { isEphemeral: false, media, temporary, buffer },
      secrets: { secretKey, isKeyPending: false, superuserPassword: undefined },
    },
  })
  const command = [`${paths.pythonBin}/python3`, 'manage.py', ...args]
  return await runInTerminal(command, { env, user: identities.mathesar, cwd: paths.app })
}

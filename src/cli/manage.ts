import { files } from '../system/files.ts'
import { inVolume } from '../units/place.ts'
import { appEnvironment } from '../units/mathesar/server.ts'
import { runInTerminal } from './exec.ts'
import { readSetup } from '../daemon/config/boot-trial.ts'

export const run = async (args: readonly string[]): Promise<number> => {
  const setup = await readSetup(process.env)
  const secretKey =
    setup.settings.SECRET_KEY.value ??
    files.readIfThere(`${inVolume(setup.paths).secrets}/secret_key`)?.trim() ??
    ''
  const env = appEnvironment({ ...setup, made: { secretKey } })
  return await runInTerminal([`${setup.paths.pythonBin}/python3`, 'manage.py', ...args], {
    env,
    user: setup.identities.mathesar,
    cwd: setup.paths.app,
  })
}

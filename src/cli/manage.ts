import { keepAwake } from '../http/client.ts'
import { runInTerminal } from '../system/terminal.ts'
import { appEnvironment } from '../units/mathesar/environment.ts'
import { readAppScope } from './own.ts'

export const run = async (args: readonly string[]): Promise<number> => {
  const scope = await readAppScope()
  await keepAwake()
  const { paths, identities } = scope.place
  const command = [`${paths.pythonBin}/python3`, 'manage.py', ...args]
  return await runInTerminal(command, {
    env: appEnvironment(scope),
    user: identities.mathesar,
    cwd: paths.app,
  })
}

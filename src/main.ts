import { findCommand, renderError } from './cli/index.ts'
import { SupervisorError, toSupervisorError } from './errors.ts'

const main = async (argv: readonly string[]): Promise<number> => {
  const [name = 'help', ...args] = argv
  const command = findCommand(name)
  if (!command) throw new SupervisorError('USAGE', `cannot find a command named ${name}`)
  if (!command.passesHelp && args.some((arg) => arg === '--help' || arg === '-h')) {
    process.stdout.write(`${command.help}\n`)
    return 0
  }
  return await command.run(args)
}

/** argv → command → exit code. The only `process.exit`, once what was written is on its way. */
main(process.argv.slice(2))
  .catch((thrown: unknown) => {
    const error = toSupervisorError(thrown)
    process.stderr.write(renderError(error))
    return error.exitCode
  })
  .then((exitCode) => {
    process.stdout.on('error', () => process.exit(exitCode))
    process.stdout.write('', () => process.exit(exitCode))
  })

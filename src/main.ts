import { notFound, renderError } from './cli/failures.ts'
import { commandOf, findCommand } from './cli/index.ts'
import { errorTable, toSupervisorError } from './errors.ts'

const main = async (argv: readonly string[]): Promise<number> => {
  const [name, ...args] = commandOf(argv)
  if (name === undefined) {
    await findCommand('help')?.run([])
    return errorTable.USAGE.exitCode // Else a container that was to run something would have ended well.
  }
  const command = findCommand(name)
  if (!command) throw await notFound(name)
  if (!command.passesHelp && args.some((arg) => arg === '--help' || arg === '-h')) {
    process.stdout.write(`${command.help}\n`)
    return 0
  }
  return await command.run(args)
}

const exitCodeOf = async (argv: readonly string[]): Promise<number> => {
  try {
    return await main(argv)
  } catch (thrown) {
    const error = toSupervisorError(thrown)
    process.stderr.write(renderError(error))
    return error.exitCode
  }
}

/** argv → command → exit code. The only `process.exit`, once what was written is on its way. */
void exitCodeOf(process.argv.slice(2)).then((exitCode) => {
  process.stdout.on('error', () => process.exit(exitCode))
  process.stdout.write('', () => process.exit(exitCode))
})

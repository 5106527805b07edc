type CommandModule = { readonly run: (args: readonly string[]) => Promise<number> }

/** A command, as `supervisor help` shows it. */
export type CliCommand = {
  readonly name: string
  readonly summary: string
  readonly help: string
  /** Further arguments belong to another program, `--help` too. */
  readonly passesHelp?: true
  readonly run: (args: readonly string[]) => Promise<number>
}

/** Makes a command of the name that its usage begins with. */
export const define = (
  usage: string,
  summary: string,
  load: () => Promise<CommandModule>,
  more = '',
  passesHelp?: true,
): CliCommand => ({
  name: usage.split(' ')[0]!,
  summary,
  help: `Usage: supervisor ${usage}\n\n${summary}${more && `\n\n${more}`}`,
  ...(passesHelp ? { passesHelp } : {}),
  run: async (args) => (await load()).run(args),
})

/** Makes one that acts on a service. */
export const service = (action: 'start' | 'stop' | 'restart', summary: string): CliCommand =>
  define(
    `${action} SERVICE`,
    summary,
    async () => {
      const { controlService } = await import('./service.ts')
      return { run: (args) => controlService(action, args) }
    },
    'The exit code is 0 when the service has got there, else 1.',
  )

import { MiB } from '../../core/amounts.ts'
import { definedOf } from '../../core/record.ts'
import { inWords } from '../../core/outcome.ts'
import { SupervisorError } from '../../errors.ts'
import { environment } from '../../system/environment.ts'
import type { Streams } from '../../system/ports.ts'
import { supervisorCommand } from './boot-again.ts'

export type SubcommandEnvironment = Readonly<Record<string, string>>

type Given = { readonly env?: SubcommandEnvironment; readonly input?: AsyncIterable<Buffer> }
/** What a command wrote, and the last lines of what it said beside. */
type Ran = { readonly output: string; readonly told: string }

const outputLimitBytes = 4 * MiB

/**
 * Runs a command of ours in a process of its own: what it takes of memory, and the locks that it holds, end
 * with it. Throws what it says when it fails.
 */
export const runSubcommand = async (
  { streamProgram }: Pick<Streams, 'streamProgram'>,
  args: readonly string[],
  { env = {}, input }: Given = {},
): Promise<Ran> => {
  const argv = [...supervisorCommand(), ...args] as [string, ...string[]]
  await using running = streamProgram({ argv, env: { ...definedOf(environment), ...env } }, input)
  const output: Buffer[] = []
  let outputBytes = 0
  for (;;) {
    const next = await running.next()
    if (next.done !== true) {
      output.push(Buffer.from(next.value)) // It is overwritten, and may end within a letter.
      outputBytes += next.value.length
      if (outputBytes > outputLimitBytes)
        throw new SupervisorError('BACKUP_FAILED', `cannot run ${args[0]}: its output is too long`)
      continue
    }
    const { outcome, lines } = next.value
    const told = lines.join('\n')
    if (outcome.code === 0) return { output: Buffer.concat(output).toString(), told }
    throw new SupervisorError(
      'BACKUP_FAILED',
      told.replace(/^supervisor: /m, '') || `cannot run ${args[0]}: it ${inWords(outcome)}`,
    )
  }
}

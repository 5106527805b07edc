import type { Command, User } from '../core/unit.ts'
import { inWords, lastOf } from '../core/outcome.ts'
import { type ErrorCode, SupervisorError } from '../errors.ts'
import type { ProgramResult } from '../system/ports.ts'
import type { Bytes } from './archive/bytes.ts'
import type { OperationScope } from './scope.ts'

/** A program of the system, which says what it says in English. */
export const tool = (argv: Command['argv'], user?: User): Command => ({
  argv,
  env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' },
  user,
  cwd: '/',
})

/** The second is tar's, of a file that did not fit. */
const noSpace = /No space left|Wrote only \d/

/** What a program wrote that failed, in one line: the first of the lines that say "error". */
const reasonOf = ({ lines }: ProgramResult): string =>
  lines.find((line) => /error:|FATAL:|Cannot /.test(line) || noSpace.test(line)) ?? lastOf(lines)

/** What a program or its kernel says that had no means to go on: that says nothing of what it worked on. */
const withoutMeans = new RegExp(
  [
    '^cannot start ',
    'failed to execute',
    'Cannot exec',
    'Cannot allocate memory',
    'out of memory',
    'Resource temporarily unavailable',
    '[Cc]annot fork',
    'Too many open files',
  ].join('|'),
)

/** Whether it ended for want of memory, processes or files, or was killed. */
const lackedMeans = ({ outcome, lines }: ProgramResult): boolean =>
  outcome.signal === 'SIGKILL' || lines.some((line) => withoutMeans.test(line))

type Tools = {
  readonly system: Pick<OperationScope['system'], 'streamProgram'> & {
    readonly log: Pick<OperationScope['system']['log'], 'redact'>
  }
}

type Program = {
  /** What it is for: "copy the cluster". */
  readonly what: string
  readonly command: Command
  readonly input?: Bytes
  /** What its failure means. */
  readonly code?: ErrorCode
  /** Exit codes that are not failures. */
  readonly fine?: readonly number[]
}

/** Throws where it ended with another code. */
const requireFine = (scope: Tools, program: Program, result: ProgramResult): void => {
  const { what, code = 'BACKUP_FAILED', fine = [0] } = program
  if (fine.includes(result.outcome.code ?? -1)) return
  const reason = scope.system.log.redact(reasonOf(result))
  const message = `cannot ${what}: ${program.command.argv[0]} ${inWords(result.outcome)}: ${reason}`
  if (noSpace.test(reason))
    throw new SupervisorError('VOLUME_FULL', `cannot ${what}: no space left (${reason})`, {
      hint: 'Free some space on that file system, and type the same again. What was there is as before.',
    })
  if (code !== 'BACKUP_DAMAGED' || !lackedMeans(result)) throw new SupervisorError(code, message)
  throw new SupervisorError('BACKUP_FAILED', message, {
    hint:
      'The machine or the container is short of memory or processes, or lacks a program: nothing is known ' +
      'to be wrong with the archive, and nothing was changed. Mend that, and try again.',
  })
}

/** What a program writes. */
export async function* outputOf(scope: Tools, program: Program): AsyncGenerator<Buffer> {
  const result = yield* scope.system.streamProgram(program.command, program.input)
  requireFine(scope, program, result)
}

/** Runs a program to its end, without its output. */
export const runToEnd = async (scope: Tools, program: Program): Promise<void> => {
  for await (const _ of outputOf(scope, program));
}

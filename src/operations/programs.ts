import type { Command } from '../core/unit.ts'
import { inWords } from '../core/outcome.ts'
import { type ErrorCode, SupervisorError } from '../errors.ts'
import type { ProgramResult } from '../system/ports.ts'
import type { Bytes } from './archive/bytes.ts'
import type { OperationScope } from './scope.ts'

/** What a program wrote that failed, in one line: the first of the lines that say "error". */
const reasonOf = ({ lines }: ProgramResult): string =>
  lines.find((line) => /error:|FATAL:|Cannot |No space/.test(line)) ?? lines.at(-1) ?? 'it said nothing'

type Program = {
  /** What it is for: "copy the cluster". */
  readonly what: string
  readonly command: Command
  readonly input?: Bytes
  /** What its failure means. */
  readonly code?: ErrorCode
  /** Exit codes that are no failure. */
  readonly fine?: readonly number[]
}

/** Throws where it ended with another code. */
const requireFine = (scope: OperationScope, program: Program, result: ProgramResult): void => {
  const { what, code = 'BACKUP_FAILED', fine = [0] } = program
  if (fine.includes(result.outcome.code ?? -1)) return
  const reason = scope.system.log.redact(reasonOf(result))
  throw new SupervisorError(
    /No space left/.test(reason) ? 'VOLUME_FULL' : code,
    `cannot ${what}: ${program.command.argv[0]} ${inWords(result.outcome)}: ${reason}`,
  )
}

/** What a program writes. */
export async function* outputOf(scope: OperationScope, program: Program): AsyncGenerator<Buffer> {
  const result = yield* scope.system.streamProgram(program.command, program.input)
  requireFine(scope, program, result)
}

/** Runs a program to its end, without its output. */
export const runToEnd = async (scope: OperationScope, program: Program): Promise<void> => {
  for await (const _ of outputOf(scope, program));
}

import { inWords } from '../core/outcome.ts'
import { type ErrorCode, errorTable } from '../errors.ts'
import type { ProgramResult } from '../system/ports.ts'

/** Why a command of ours failed that ran in a process of its own. */
export type Failure = { readonly code: ErrorCode; readonly message: string; readonly hint: string }

const codeOf = (exitCode: number | null): ErrorCode =>
  (Object.keys(errorTable) as ErrorCode[]).find((code) => errorTable[code].exitCode === exitCode) ??
  'BACKUP_FAILED'

/** What a command says that failed: its code is the exit code, and its words are the last ones. */
export const failureIn = ({ outcome, lines }: ProgramResult): Failure | undefined => {
  if (outcome.code === 0) return undefined
  const code = codeOf(outcome.code)
  const at = lines.findLastIndex((line) => line.startsWith('supervisor: '))
  if (at < 0) return { code, message: inWords(outcome), hint: errorTable[code].hint }
  return { code, message: lines[at]!.slice('supervisor: '.length), hint: lines[at + 1]?.trim() ?? '' }
}

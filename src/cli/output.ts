import { type ErrorCode, SupervisorError } from '../errors.ts'
import type { Bytes } from '../operations/archive/bytes.ts'

/**
 * Writes to standard output as fast as it is read. A chunk is out before the next one is asked for, which may
 * overwrite it. Rejects with `code` when nobody reads any more.
 */
export const print = async (bytes: Bytes, code: ErrorCode): Promise<void> => {
  const { stdout } = process
  stdout.on('error', () => {}) // The write that failed says it.
  for await (const chunk of bytes)
    await new Promise<void>((resolve, reject) =>
      stdout.write(chunk, (cause) => {
        if (!cause) return resolve()
        reject(new SupervisorError(code, `cannot write to standard output: ${cause.message}`, { cause }))
      }),
    )
}

import type { Bytes } from '../operations/archive/bytes.ts'

/**
 * Writes to standard output as fast as it is read. A chunk is out before the next one is asked for, which may
 * overwrite it.
 */
export const print = async (bytes: Bytes): Promise<void> => {
  for await (const chunk of bytes)
    await new Promise<void>((resolve, reject) =>
      process.stdout.write(chunk, (error) => (error ? reject(error) : resolve())),
    )
}

import type { Bytes } from '../operations/archive/bytes.ts'

/** Writes to standard output as fast as it is read. */
export const print = async (bytes: Bytes): Promise<void> => {
  for await (const chunk of bytes)
    if (!process.stdout.write(chunk))
      await new Promise<void>((resolve) => process.stdout.once('drain', resolve))
}

import { createReadStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { temporaryName } from '../core/temporary.ts'
import { decrypt, encrypt } from './age.ts'
import { streamProgram, type Streaming } from './piped.ts'
import type { Streams } from './ports.ts'

const readBytes = 1024 * 1024

/** A folder's entries are on the disk once the folder is synced. */
const syncFolder = async (path: string): Promise<void> => {
  const folder = await open(path)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

const writeStream: Streams['writeStream'] = async (path, bytes) => {
  const temporary = join(dirname(path), temporaryName(Date.now(), process.pid))
  const file = await open(temporary, 'wx', 0o600)
  try {
    try {
      for await (const chunk of bytes) await file.writeFile(chunk)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(dirname(path))
}

/** The real streams. */
export const createStreams = (streaming: Streaming): Streams => ({
  streamProgram: (command, input) => streamProgram(streaming, command, input),
  readStream: (path) => createReadStream(path, { highWaterMark: readBytes }),
  writeStream,
  encrypt,
  decrypt,
})

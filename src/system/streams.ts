import { statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { MiB } from '../core/amounts.ts'
import { temporaryName } from '../core/temporary.ts'
import { decrypt, encrypt } from './age.ts'
import { createChunkCollector } from './memory.ts'
import { streamProgram, type Streaming } from './piped.ts'
import type { Streams } from './ports.ts'
import { asBuffers } from './web-stream.ts'

const blockBytes = MiB

/** It takes 2 ms to load: not for a boot, which streams nothing. */
const fs = (): typeof import('node:fs/promises') => process.getBuiltinModule('node:fs/promises')

async function* readBlocks(path: string, block: Buffer): AsyncGenerator<Buffer> {
  const file = await fs().open(path)
  try {
    for (let used = 0; ;) {
      const { bytesRead } = await file.read(block, used, block.length - used)
      used += bytesRead
      if (bytesRead > 0 && used < block.length) continue
      if (used > 0) yield block.subarray(0, used)
      if (bytesRead === 0) return
      used = 0
    }
  } finally {
    await file.close()
  }
}

/** A folder's entries are on the disk once the folder is synced. */
const syncFolder = async (path: string): Promise<void> => {
  const folder = await fs().open(path)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

const createFile: Streams['createFile'] = async (path) => {
  const temporary = join(dirname(path), temporaryName(Date.now(), process.pid))
  const file = await fs().open(temporary, 'wx', 0o600)
  return {
    write: (chunk) => file.writeFile(chunk),
    finish: async () => {
      await file.sync()
      await file.close()
      await fs().rename(temporary, path)
      await syncFolder(dirname(path))
    },
    abort: async () => {
      await file.close().catch(() => {})
      await fs()
        .rm(temporary, { force: true })
        .catch(() => {})
    },
  }
}

/** One that cannot be parsed would be passed over in silence. */
const trust: Streams['trust'] = (pem) => {
  const { X509Certificate } = process.getBuiltinModule('node:crypto')
  const { getCACertificates, setDefaultCACertificates } = process.getBuiltinModule('node:tls')
  const own = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [pem]
  for (const each of own) new X509Certificate(each)
  setDefaultCACertificates([...getCACertificates('default'), ...own])
}

/** Follows no redirect: what is signed is signed for one host. */
const request: Streams['request'] = async ({ method, url, headers, body, timeoutMs }) => {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs)
  try {
    const answer = await fetch(url, {
      method,
      headers,
      ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
      redirect: 'manual',
      signal: late.signal,
    })
    return {
      status: answer.status,
      headers: new Map(answer.headers),
      body: asBuffers(answer.body ?? ReadableStream.from([])),
    }
  } catch (error) {
    throw (error as Error).cause ?? error // "fetch failed" says nothing.
  } finally {
    clearTimeout(timer)
  }
}

/** About what an archive is compressed to. */
const unpacksTo = 4

/** An archive, of which V8 would keep what is made of each block. */
async function* readFile({ kernel }: Streaming, path: string): AsyncGenerator<Buffer> {
  const onPassed = createChunkCollector(kernel, unpacksTo)
  for await (const chunk of readBlocks(path, Buffer.allocUnsafeSlow(blockBytes))) {
    yield chunk
    onPassed(chunk)
  }
}

/** The real streams. */
export const createStreams = (streaming: Streaming): Streams => ({
  streamProgram: (command, input) => streamProgram(streaming, command, input),
  readStream: (path) => readFile(streaming, path),
  readBlocks,
  sizeOf: (path) => statSync(path).size,
  createFile,
  trust,
  request,
  encrypt,
  decrypt,
})

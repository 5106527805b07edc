import { closeSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { SupervisorError } from '../errors.ts'

/** How long an answer may be: "200 /a/path" is short, and code in the new generation may write anything. */
const answerLimit = 4096

const tooLong = (): SupervisorError =>
  new SupervisorError(
    'CONFIG_ROLLED_BACK',
    'cannot apply the change: the new generation cannot be checked: ' +
      `its answer is longer than ${answerLimit / 1024} KiB`,
  )

/** Reads one line. `undefined` when nobody answers any more. Nothing is read before and afterwards. */
const readLine = (socket: Socket, ask: () => void, signal: AbortSignal): Promise<string | undefined> =>
  new Promise((resolve, reject) => {
    let text = ''
    const settle = (act: () => void): void => {
      socket.off('data', onData).off('close', onClose).pause()
      signal.removeEventListener('abort', onAbort)
      act()
    }
    const onData = (chunk: string): void => {
      text += chunk
      const end = text.indexOf('\n')
      if ((end === -1 ? text.length : end) > answerLimit) settle(() => reject(tooLong()))
      else if (end !== -1) settle(() => resolve(text.slice(0, end)))
    }
    const onClose = (): void => settle(() => resolve(undefined))
    const onAbort = (): void => settle(() => reject(signal.reason as Error))
    socket.on('data', onData).once('close', onClose)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) return onAbort()
    try {
      ask()
    } catch {
      onClose() // Nobody holds the other end any more (EPIPE), or the gate is open.
    }
  })

/**
 * The gate that a generation of a service waits at before it serves: two pipes, whose far ends the child gets
 * as two more descriptors. A byte `?` asks one of its workers to check itself, which answers with a line. The
 * end of file opens the gate.
 */
export const createGate = (pipe: () => { readonly read: number; readonly write: number }) => {
  const asking = pipe()
  const answering = pipe()
  let asks: number | undefined = asking.write
  let theirs = [asking.read, answering.write]
  const answers = new Socket({ fd: answering.read, readable: true, writable: false })
  answers.setEncoding('utf8').on('error', () => answers.destroy())

  const open = (): void => {
    if (asks !== undefined) closeSync(asks)
    asks = undefined
  }
  const ask = (): void => {
    if (asks === undefined) throw new Error('the gate is open')
    writeSync(asks, '?')
  }

  return {
    /** The child's ends, until `release`. */
    fds: [asking.read, answering.write] as readonly [number, number],
    /** Closes the child's ends here once it has them: else nobody would ever read an end of file. */
    release: (): void => {
      for (const fd of theirs.splice(0)) closeSync(fd)
    },
    /** Asks once; resolves with the line of the answer, or with `undefined` when nobody answers any more. */
    check: (signal: AbortSignal): Promise<string | undefined> => readLine(answers, ask, signal),
    open,
    /** Releases everything. */
    close: (): void => {
      open()
      answers.destroy()
    },
  }
}

export type Gate = ReturnType<typeof createGate>

import { createInterface } from 'node:readline'
import { SupervisorError } from '../errors.ts'

/** The other end of a move, as it answers: a word on each line. */
export type Peer = {
  /** Resolves when the next word is that one; rejects at another one, and when the other end is gone. */
  readonly hear: (word: string) => Promise<void>
}

const gone = (): SupervisorError =>
  new SupervisorError('MOVE_FAILED', 'cannot send: the receiver is gone, or nothing leads back from it', {
    hint: 'What it says has to come back here: `supervisor send --help` has the commands.',
  })

/** Listens on standard input. Its end is the end of the other side, or of what lies between. */
export const listenToPeer = (): Peer => {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
  return {
    hear: async (word) => {
      const { value, done } = await lines.next()
      if (done === true || value !== word) throw gone()
    },
  }
}

import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { decodeText } from '../core/text.ts'
import { SupervisorError } from '../errors.ts'

const refuse = (why: string): never => {
  throw new SupervisorError('USAGE', `cannot read the password: ${why}`, {
    hint:
      'Type `docker exec -it …` to be asked for it, pipe it in with `docker exec -i …`, or name a file ' +
      'with `--password-file`.',
  })
}

const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })

/** Asks on the terminal, which shows nothing of what is typed. */
const askHidden = async (question: string): Promise<string> => {
  process.stderr.write(question)
  const gone = new AbortController()
  const prompt = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  prompt.once('SIGINT', () => gone.abort()).once('close', () => gone.abort())
  try {
    return await prompt.question('', { signal: gone.signal })
  } catch {
    return refuse('nothing was typed')
  } finally {
    prompt.close()
    process.stderr.write('\n')
  }
}

const askTwice = async (): Promise<string> => {
  const password = await askHidden('Password: ')
  return password === (await askHidden('Again: ')) ? password : refuse('the two are different')
}

const readIn = (file: string | 0): string => {
  try {
    return decodeText(readFileSync(file)).replace(/^\uFEFF|[\r\n]+$/g, '')
  } catch (cause) {
    return refuse((cause as Error).message)
  }
}

/** A password from a file, else from the terminal or what is piped in: never from an argument. */
export const readPassword = async (file: string | undefined): Promise<string> => {
  const password = file === undefined && process.stdin.isTTY ? await askTwice() : readIn(file ?? 0)
  return password === '' ? refuse('it is empty') : password
}

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { decodeText } from '../core/text.ts'
import { SupervisorError } from '../errors.ts'
import { ask, askJson } from '../http/client.ts'
import type { ShownConfig } from '../http/config.ts'
import { runInTerminal } from '../system/terminal.ts'
import { environment, isOnPath } from '../system/environment.ts'
import { readPaths } from '../system/paths.ts'
import { controlSocket } from '../units/place.ts'

const findEditor = (): readonly string[] => {
  const chosen = environment.VISUAL || environment.EDITOR
  if (chosen) return chosen.split(' ')
  const found = ['nano', 'nano-tiny', 'vim', 'vi'].find(isOnPath)
  if (found === undefined)
    throw new SupervisorError('USAGE', 'cannot edit: there is no editor here', {
      hint: 'Type `supervisor config set NAME=VALUE`, or set EDITOR.',
    })
  return [found]
}

const wantsAgain = async (): Promise<boolean> => {
  const prompt = createInterface({ input: process.stdin, output: process.stderr })
  const gone = new AbortController()
  prompt.once('close', () => gone.abort()) // Ctrl-D or Ctrl-C
  const answer = await prompt.question('Edit again? [Y/n] ', { signal: gone.signal }).catch(() => 'n')
  prompt.close()
  return !/^n/i.test(answer)
}

type Change = (body: Readonly<Record<string, unknown>>) => Promise<number>

const readStdin = (): string => {
  try {
    return decodeText(readFileSync(0))
  } catch (cause) {
    throw new SupervisorError('USAGE', `cannot edit: ${(cause as Error).message}`, {
      cause,
      hint: 'Nothing was changed.',
    })
  }
}

const changeByStdin = async (change: Change, base: string): Promise<number> => {
  const file = readStdin()
  if (file.trim() === '')
    throw new SupervisorError('USAGE', 'cannot edit: there is no terminal, and nothing came on stdin', {
      hint: 'Type `docker exec -it … supervisor config edit`, or pipe the new text in with `docker exec -i`.',
    })
  return await change({ file, base })
}

/** Opens the file in the editor and returns the new text. */
const openEditor = async (editor: readonly string[], folder: string, path: string): Promise<string> => {
  const env = { ...environment, HOME: folder }
  try {
    if ((await runInTerminal([...editor, path], { env, cwd: folder })) === 0)
      return readFileSync(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
    throw new SupervisorError('USAGE', `cannot edit: there is no ${editor[0]} in this container`, {
      cause,
      hint: 'Leave out EDITOR and VISUAL, or type `supervisor config set NAME=VALUE`.',
    })
  }
  throw new SupervisorError('USAGE', `cannot edit: ${editor[0]} failed`, { hint: 'Nothing was changed.' })
}

/** Edits until the text is accepted or given up. */
const changeByEditor = async (change: Change, base: string): Promise<number> => {
  const editor = findEditor()
  // Nobody else can read beside the control socket, and it is not on a disk.
  const folder = mkdtempSync(join(dirname(controlSocket(readPaths(environment))), 'edit-'))
  const path = join(folder, 'mathesar.env')
  try {
    const before = (await ask('GET', '/v1/config/file')).text
    writeFileSync(path, before, { mode: 0o600 })
    for (;;) {
      const file = await openEditor(editor, folder, path)
      if (file === before) {
        process.stdout.write('Nothing was changed.\n')
        return 0
      }
      try {
        return await change({ file, base })
      } catch (error) {
        if (!(error instanceof SupervisorError) || !process.stdin.isTTY) throw error
        process.stderr.write(`${error.message}\n`)
        if (!(await wantsAgain())) throw error
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * Opens mathesar.env in an editor; the new text is checked and carried out as one change, or edited again.
 * Without a terminal the new text is stdin.
 */
export const editInTerminal = async (change: Change): Promise<number> => {
  const { version } = await askJson<ShownConfig>('GET', '/v1/config')
  return await (process.stdin.isTTY ? changeByEditor(change, version) : changeByStdin(change, version))
}

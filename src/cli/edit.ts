import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { SupervisorError } from '../errors.ts'
import { ask } from './client.ts'
import { runInTerminal } from './exec.ts'
import { controlSocket, readPaths } from '../system/paths.ts'

const findEditor = (): readonly string[] => {
  const chosen = process.env.VISUAL || process.env.EDITOR
  if (chosen) return chosen.split(' ')
  const found = ['nano', 'nano-tiny', 'vim', 'vi'].find((name) =>
    (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, name))),
  )
  if (found === undefined)
    throw new SupervisorError('USAGE', 'cannot edit: there is no editor here', {
      hint: 'Type `supervisor config set NAME=VALUE`, or give EDITOR.',
    })
  return [found]
}

const wantsAgain = async (): Promise<boolean> => {
  const prompt = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await prompt.question('Edit again? [Y/n] ')
  prompt.close()
  return !/^n/i.test(answer)
}

/** mathesar.env in an editor; what comes out is checked and carried out as one change, or edited again. Without a terminal the new text is stdin. */
export const editInTerminal = async (
  change: (body: Readonly<Record<string, unknown>>) => Promise<number>,
): Promise<number> => {
  const { version } = JSON.parse((await ask('GET', '/v1/config')).text) as { version: string }
  if (!process.stdin.isTTY) {
    const file = readFileSync(0, 'utf8')
    if (file.trim() === '')
      throw new SupervisorError('USAGE', 'cannot edit: there is no terminal, and nothing came on stdin', {
        hint: 'Type `docker exec -it … supervisor config edit`, or pipe the new text in with `docker exec -i`.',
      })
    return await change({ file, base: version })
  }
  const editor = findEditor()
  // Beside the control socket nobody else can read, and it is no disk.
  const folder = mkdtempSync(join(dirname(controlSocket(readPaths(process.env))), 'edit-'))
  const path = join(folder, 'mathesar.env')
  try {
    const before = (await ask('GET', '/v1/config/file')).text
    writeFileSync(path, before, { mode: 0o600 })
    for (;;) {
      if (
        (await runInTerminal([...editor, path], { env: { ...process.env, HOME: folder }, cwd: folder })) !== 0
      )
        throw new SupervisorError('USAGE', `cannot edit: ${editor[0]} failed`, {
          hint: 'Nothing was changed.',
        })
      const file = readFileSync(path, 'utf8')
      if (file === before) return (process.stdout.write('Nothing was changed.\n'), 0)
      try {
        return await change({ file, base: version })
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

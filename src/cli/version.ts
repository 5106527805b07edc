import { version } from '../version.ts'

export const run = async (): Promise<number> => {
  process.stdout.write(`supervisor ${version} (Node ${process.versions.node})\n`)
  return 0
}

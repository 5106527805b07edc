import { globSync, readFileSync } from 'node:fs'

export const root = new URL('../../', import.meta.url).pathname

export const readRoot = (path: string): string => readFileSync(root + path, 'utf8')

/** Every source file by its path from the root, with its text. */
export const sources: ReadonlyMap<string, string> = new Map(
  globSync('src/**/*.ts', { cwd: root })
    .sort()
    .map((path) => [path, readRoot(path)]),
)

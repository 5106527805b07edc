import type { ParseYaml } from '../settings/yaml-files.ts'

/** The parser makes an error of each fault, and goes on: to note where it was made takes most of the time. */
const withoutStacks = <T>(act: () => T): T => {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return act()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

/** Loads the YAML parser. What it throws has a `code` and the `line` of the first fault. */
export const loadYaml = async (): Promise<ParseYaml> => {
  const { LineCounter, parse } = await import('yaml')
  return (text) => {
    const lineCounter = new LineCounter()
    try {
      // Its warnings bypass our log and quote the line. Its pretty errors take minutes for a file of errors
      // alone.
      const options = { logLevel: 'error', prettyErrors: false, lineCounter } as const
      return withoutStacks((): unknown => parse(text, options))
    } catch (error) {
      const { pos } = error as { pos?: readonly [number, number] }
      throw pos === undefined
        ? error
        : Object.assign(error as Error, { line: lineCounter.linePos(pos[0]).line })
    }
  }
}

import type { ParseYaml } from '../settings/yaml-files.ts'

/** Loads the YAML parser. What it throws has a `code` and the `line` of the first fault. */
export const loadYaml = async (): Promise<ParseYaml> => {
  const { LineCounter, parse } = await import('yaml')
  return (text) => {
    const lineCounter = new LineCounter()
    try {
      // Its warnings bypass our log and quote the line. Its pretty errors take minutes for a file of errors
      // alone.
      const value: unknown = parse(text, { logLevel: 'error', prettyErrors: false, lineCounter })
      return value
    } catch (error) {
      const { pos } = error as { pos?: readonly [number, number] }
      throw pos === undefined
        ? error
        : Object.assign(error as Error, { line: lineCounter.linePos(pos[0]).line })
    }
  }
}

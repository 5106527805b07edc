import { isRecord } from '../core/record.ts'

/** The files that are Mathesar's own. The supervisor checks their shape and hands them on. */
const yamlFiles = ['sso.yml', 'file_storage.yml'] as const
type YamlFile = (typeof yamlFiles)[number]

/**
 * Parses YAML to data or throws an error, which may have a `code` and a `line`. Passed in, because it is
 * loaded only where such a file exists.
 */
export type ParseYaml = (text: string) => unknown

type YamlFault = { readonly file: YamlFile; readonly line: number | null; readonly why: string }

/**
 * Mathesar ignores a bad sso.yml without a word, and answers 500 everywhere on a bad file_storage.yml: so
 * both must have their shape here.
 */
export const whyBadYaml = (file: YamlFile, value: unknown): string | undefined => {
  if (!isRecord(value)) return 'it must be a mapping'
  if (file === 'file_storage.yml') {
    const bad = Object.keys(value).find((name) => !isRecord(value[name]))
    return bad === undefined ? undefined : `${bad} must be a mapping`
  }
  const version = value.version ?? 1
  if (version !== 1 && version !== 2) return 'its version must be 1 or 2'
  const key = version === 1 ? 'oidc_providers' : 'providers'
  const providers = value[key]
  return providers == null || isRecord(providers) ? undefined : `${key} must be a mapping`
}

/** The data of the files that are there, and what is wrong with them. */
export const checkYaml = (
  files: Readonly<Record<YamlFile, string | undefined>>,
  parseYaml: ParseYaml,
): { readonly yaml: readonly unknown[]; readonly faults: readonly YamlFault[] } => {
  const yaml: unknown[] = []
  const faults: YamlFault[] = []
  for (const file of yamlFiles) {
    const text = files[file]
    if (text === undefined) continue
    try {
      const value = parseYaml(text)
      const why = whyBadYaml(file, value)
      yaml.push(value)
      if (why !== undefined) faults.push({ file, line: null, why })
    } catch (error) {
      const { line = null, code } = error as { line?: number; code?: string }
      faults.push({ file, line, why: `it is not valid YAML (${code ?? 'cannot be read'})` })
    }
  }
  return { yaml, faults }
}

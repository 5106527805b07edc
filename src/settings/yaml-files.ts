import { isRecord } from '../core/record.ts'

/**
 * The files that are Mathesar's own. The supervisor checks their shape and hands them on. `settings` hold the
 * same as JSON; `isSecret` where nobody can tell what in it is a secret.
 */
export const yamlFiles = {
  'sso.yml': {
    appliesBy: 'generation',
    settings: ['SSO_CONFIG_DICT', 'OIDC_CONFIG_DICT'],
    isSecret: true,
  },
  'file_storage.yml': { appliesBy: 'none', settings: ['FILE_STORAGE_DICT'], isSecret: true },
  'login_page.yml': {
    appliesBy: 'generation',
    settings: ['MATHESAR_LOGIN_PAGE_TEXT_DICT'],
    isSecret: false,
  },
} as const

export type YamlFile = keyof typeof yamlFiles
export const yamlNames = Object.keys(yamlFiles) as YamlFile[]

type Dictionary = (typeof yamlFiles)[YamlFile]['settings'][number]
/** The settings that hold the same as a file, and which one. */
export const dictionaries: readonly (readonly [name: Dictionary, file: YamlFile])[] = yamlNames.flatMap(
  (file) => yamlFiles[file].settings.map((name) => [name, file] as const),
)

/**
 * Parses YAML to data or throws an error, which may have a `code` and a `line`. Passed in, because it is
 * loaded only where such a file exists.
 */
export type ParseYaml = (text: string) => unknown

type YamlFault = { readonly file: YamlFile; readonly line: number | null; readonly why: string }

type Mapping = Readonly<Record<string, unknown>>

const whyBadSso = (value: Mapping): string | undefined => {
  const version = value.version ?? 1
  if (version !== 1 && version !== 2) return 'its version must be 1 or 2'
  const key = version === 1 ? 'oidc_providers' : 'providers'
  const providers = value[key]
  return providers == null || isRecord(providers) ? undefined : `${key} must be a mapping`
}

const whyBadStorage = (value: Mapping): string | undefined => {
  const bad = Object.keys(value).find((name) => !isRecord(value[name]))
  return bad === undefined ? undefined : `${bad} must be a mapping`
}

const whyBadTexts = (value: Mapping, of = ''): string | undefined => {
  const bad = ['heading', 'body'].find((key) => value[key] != null && typeof value[key] !== 'string')
  return bad === undefined ? undefined : `${bad}${of} must be a text`
}

const whyBadLoginPage = (value: Mapping): string | undefined => {
  const { translations = null } = value
  if (translations === null) return whyBadTexts(value)
  if (!isRecord(translations)) return 'translations must be a mapping'
  const ofLanguages = Object.entries(translations).map(([language, texts]) =>
    isRecord(texts)
      ? whyBadTexts(texts, ` of ${language.slice(0, 80)}`)
      : `${language.slice(0, 80)} must be a mapping`,
  )
  return [whyBadTexts(value), ...ofLanguages].find((why) => why !== undefined)
}

const whyBad = {
  'sso.yml': whyBadSso,
  'file_storage.yml': whyBadStorage,
  'login_page.yml': whyBadLoginPage,
} as const satisfies Record<YamlFile, unknown>

/**
 * Mathesar ignores a bad sso.yml and a bad login_page.yml without a word, and answers 500 everywhere on a bad
 * file_storage.yml: so each must have its shape here.
 */
export const whyBadYaml = (file: YamlFile, value: unknown): string | undefined =>
  isRecord(value) ? whyBad[file](value) : 'it must be a mapping'

/** The data of the files that are there, and what is wrong with them. */
export const checkYaml = (
  files: Readonly<Record<YamlFile, string | undefined>>,
  parseYaml: ParseYaml,
): { readonly yaml: readonly unknown[]; readonly faults: readonly YamlFault[] } => {
  const yaml: unknown[] = []
  const faults: YamlFault[] = []
  for (const file of yamlNames) {
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

import { compareVersions } from '../core/releases.ts'
import { isSetting, type SettingName } from './table.ts'
import type { YamlFile } from './yaml-files.ts'

type Known = {
  /** The first Mathesar that reads it. */
  readonly since: string
  /** The first that reads it no more. */
  readonly until?: string
}

/**
 * Which Mathesar reads which of its own settings and files. What is not here, each reads that this image can
 * be built on.
 */
export const knownTo: Readonly<Partial<Record<SettingName | YamlFile, Known>>> = {
  SSO_CONFIG_DICT: { since: '0.11' },
  REQUIRE_SSO_LOGIN: { since: '0.11' },
  DATA_FILES_STORAGE_BACKEND: { since: '0.11' },
  DATA_FILES_AZURE_CONTAINER: { since: '0.11' },
  DATA_FILES_AZURE_CONNECTION_STRING: { since: '0.11', until: '0.12' },
  DATA_FILES_AZURE_ACCOUNT_NAME: { since: '0.12' },
  MATHESAR_DJANGO_ADMIN_ENABLED: { since: '0.12' },
  MATHESAR_LANDING_PAGE_URL: { since: '0.12' },
  MATHESAR_INSTANCE_NAME: { since: '0.12' },
  MATHESAR_AUTH_LOGO_URL: { since: '0.12' },
  MATHESAR_LOGIN_PAGE_TEXT_DICT: { since: '0.12' },
  MATHESAR_LOGIN_PAGE_BACKGROUND: { since: '0.12' },
  MATHESAR_TERMS_OF_SERVICE_URL: { since: '0.12' },
  MATHESAR_PRIVACY_POLICY_URL: { since: '0.12' },
  'login_page.yml': { since: '0.12' },
}

/** Settings that Mathesar reads by the same name in any image, beside those of its database. */
export const sharedSettings: readonly SettingName[] = [
  'ALLOWED_HOSTS',
  'CSRF_TRUSTED_ORIGINS',
  'OIDC_CONFIG_DICT',
  'FILE_STORAGE_DICT',
  ...Object.keys(knownTo).filter(isSetting),
]

/** From which Mathesar on something is read; "" where in each. */
export const versionsInWords = (name: SettingName | YamlFile): string => {
  const known = knownTo[name]
  if (known === undefined) return ''
  return known.until === undefined ? `from ${known.since} on` : `from ${known.since} until ${known.until}`
}

/** A sentence for each of those that are given and that this Mathesar does not read. */
export const warningsForVersion = (
  given: readonly (SettingName | YamlFile)[],
  mathesar: string | null,
): readonly string[] =>
  given.flatMap((name) => {
    const known = knownTo[name]
    // A version that is none, such as that of a build from a branch, compares with nothing.
    if (known === undefined || mathesar === null) return []
    const isBefore = compareVersions(mathesar, known.since) < 0
    const isAfter = known.until !== undefined && compareVersions(mathesar, known.until) >= 0
    if (!isBefore && !isAfter) return []
    return [`${name} has no effect: Mathesar reads it ${versionsInWords(name)}, and this one is ${mathesar}`]
  })

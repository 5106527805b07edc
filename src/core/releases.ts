import { isRecord } from './record.ts'

/** A release of Mathesar, as much of it as is noticed. */
export type Release = {
  readonly version: string
  /** Whether its notes speak of security. */
  readonly isSecurity: boolean
}

/** A newer Mathesar. */
export type UpdateStatus = {
  readonly version: string
  /** Whether the notes of one between the present one and it speak of security. */
  readonly security: boolean
}

const releaseLimit = 50

const numbersOf = (version: string): readonly number[] | undefined => {
  const [, ...parts] = /^v?(\d{1,5})\.(\d{1,5})(?:\.(\d{1,5}))?$/.exec(version) ?? []
  return parts.length === 0 ? undefined : parts.map((part) => Number(part ?? 0))
}

/** Below 0 where `one` is older; NaN where one of them is not a plain version. */
export const compareVersions = (one: string, other: string): number => {
  const left = numbersOf(one)
  const right = numbersOf(other)
  if (left === undefined || right === undefined) return Number.NaN
  const at = left.findIndex((number, index) => number !== right[index])
  return at === -1 ? 0 : left[at]! - right[at]!
}

const speaksOfSecurity = (text: unknown): boolean =>
  typeof text === 'string' && /\bsecurity\b|\bvulnerabilit|\bCVE-\d|\bGHSA-/i.test(text)

const parseRelease = (value: unknown): readonly Release[] => {
  if (!isRecord(value)) return []
  const { tag_name: tag, name, body, draft, prerelease } = value
  if (typeof tag !== 'string' || numbersOf(tag) === undefined || draft === true || prerelease === true)
    return []
  return [{ version: tag.replace('v', ''), isSecurity: speaksOfSecurity(name) || speaksOfSecurity(body) }]
}

/** The releases that a document has, in the form of GitHub's API. Throws on anything else. */
export const parseReleases = (text: string): readonly Release[] => {
  const value: unknown = JSON.parse(text)
  if (!Array.isArray(value)) throw new Error('it is not a list of releases')
  return value.slice(0, releaseLimit).flatMap(parseRelease)
}

/** What is out that is newer than `present`. */
export const updateIn = (releases: readonly Release[], present: string): UpdateStatus | null => {
  const newer = releases.filter(({ version }) => compareVersions(version, present) > 0)
  const [newest] = newer.toSorted((one, other) => compareVersions(other.version, one.version))
  if (newest === undefined) return null
  return { version: newest.version, security: newer.some(({ isSecurity }) => isSecurity) }
}

/** In words: "Mathesar 0.13.0 is out (security: yes)". */
export const updateInWords = ({ version, security }: UpdateStatus): string =>
  `Mathesar ${version} is out (security: ${security ? 'yes' : 'no'})`

/**
 * When a change of files is over. A writer may truncate a file and fill it piece by piece, or delete it and
 * create it again, so one look at it proves nothing. A state has settled once all looks within `settleMs`
 * were the same. A file that has just become empty or missing gets `emptyMs`, and so does what follows an
 * empty one.
 */
export type Seen = {
  /** Content of each watched file that is there; undefined for one that is not. Whole and settled. */
  readonly files: Readonly<Record<string, string | undefined>>
  /**
   * Names of files that can no longer change here, each with the reason in words: a single-file mount whose
   * file was replaced on the host.
   */
  readonly stale: Readonly<Record<string, string>>
  /** Names of files that are there but cannot be used, each with the reason; `files` has nothing of them. */
  readonly unusable: Readonly<Record<string, string>>
}

/** `names` are the files that count. */
export type SettlingRules = {
  readonly names: readonly string[]
  readonly settleMs: number
  readonly emptyMs: number
}

/** A state that differs from the last one that was reported, on any clock that never goes back. */
export type Pending = { readonly seen: Seen; readonly wasEmptied: boolean; readonly settledAtMs: number }

export const isSame = ({ names }: SettlingRules, one: Seen, other: Seen): boolean =>
  names.every((name) =>
    (['files', 'stale', 'unusable'] as const).every((part) => one[part][name] === other[part][name]),
  )

/** Takes a look into account. `before` is what was pending after the look before this one. */
export const follow = (
  rules: SettlingRules,
  reported: Seen,
  before: Pending | undefined,
  seen: Seen,
  nowMs: number,
): Pending => {
  if (before !== undefined && isSame(rules, before.seen, seen)) return before
  const became = (content: '' | undefined): boolean =>
    rules.names.some((name) => seen.files[name] === content && reported.files[name] !== content)
  const wasEmptied = before?.wasEmptied === true || became('')
  const restMs = wasEmptied || became(undefined) ? rules.emptyMs : rules.settleMs
  return { seen, wasEmptied, settledAtMs: nowMs + restMs }
}

/** When to look again. */
export const waitMsOf = ({ settleMs }: SettlingRules, { settledAtMs }: Pending, nowMs: number): number =>
  Math.max(1, Math.min(settleMs, Math.ceil(settledAtMs - nowMs)))

/** What an archive says of itself, or why it cannot be read. */
export type Archive = {
  /** `volume`, a folder or a bucket. */
  readonly place: string
  readonly name: string
  readonly bytes: number
  /** The archives that it builds on, the nearest first, and what they have together. */
  readonly needs: readonly string[]
  readonly needsBytes: number
  /** ISO 8601. */
  readonly at: string | null
  readonly kind: 'exact' | 'portable' | null
  readonly mathesar: string | null
  readonly postgres: string | null
  readonly isEncrypted: boolean
  readonly hasSecrets: boolean | null
  readonly problem: string | null
}

/** All of them, or why they cannot be listed. */
export type Archives = readonly Archive[] | string

import { MiB } from './amounts.ts'

/** The most secrets that a redactor looks for: a user who may change settings could hand it ever new ones. */
const secretsLimit = 400
const lengthLimit = 2 * MiB
/** A shorter value is left alone: its removal would garble ordinary text. */
const leastLength = 6
const newlineByte = 10

const mark = '[redacted]'
const markBytes = Buffer.from(mark)

type Form = { readonly text: string; readonly bytes: Buffer }

/** A secret as it is, in JSON and in a URL. */
const formsOf = (secret: string): readonly Form[] =>
  [...new Set([secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret.toWellFormed())])].map(
    (text) => ({ text, bytes: Buffer.from(text) }),
  )

const isSameList = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((each, index) => each === other[index])

const replaceBytes = (block: Buffer, bytes: Buffer): Buffer => {
  let at = block.indexOf(bytes)
  if (at < 0) return block
  const parts: Buffer[] = []
  let from = 0
  for (; at >= 0; at = block.indexOf(bytes, from)) {
    parts.push(block.subarray(from, at), markBytes)
    from = at + bytes.length
  }
  return Buffer.concat([...parts, block.subarray(from)])
}

/** Replaces the secrets that it was given; of too many, those that it was given last. */
export class Redactor {
  /** The most recent one is the last. */
  #secrets: ReadonlyMap<string, readonly Form[]> = new Map()
  /** Longest first: one that begins with another is replaced whole. */
  #forms: readonly Form[] = []

  /** The length of the longest form in bytes. */
  get longest(): number {
    return this.#forms[0]?.bytes.length ?? 0
  }

  add(...secrets: readonly (string | undefined)[]): void {
    const fresh = secrets.filter(
      (secret): secret is string => secret !== undefined && secret.length >= leastLength,
    )
    if (fresh.length === 0) return
    const before = this.#secrets
    const recentFirst = [...new Set([...before.keys(), ...fresh].reverse())].slice(0, secretsLimit)
    let length = 0
    const kept = recentFirst
      .filter((secret) => {
        length += secret.length
        return length <= lengthLimit
      })
      .reverse()
    // Settings that are checked again bring no new ones.
    if (isSameList([...before.keys()], kept)) return
    this.#secrets = new Map(kept.map((secret) => [secret, before.get(secret) ?? formsOf(secret)]))
    this.#forms = [...this.#secrets.values()].flat().sort((a, b) => b.bytes.length - a.bytes.length)
  }

  redact(text: string): string {
    let clean = text
    for (const form of this.#forms) if (clean.includes(form.text)) clean = clean.replaceAll(form.text, mark)
    return clean
  }

  /** The same for output as it arrives. Without a secret in it, the block itself. */
  redactBytes(block: Buffer): Buffer {
    let clean = block
    for (const { bytes } of this.#forms) clean = replaceBytes(clean, bytes)
    return clean
  }

  /**
   * Where the beginning of a secret of several lines starts at the end of the block; its length if none does.
   */
  heldFrom(block: Buffer): number {
    let held = block.length
    for (const { bytes } of this.#forms) {
      const newline = bytes.indexOf(newlineByte)
      if (newline < 0) continue
      const firstLine = bytes.subarray(0, newline + 1)
      for (
        let at = block.indexOf(firstLine, Math.max(0, block.length - bytes.length));
        at >= 0 && at < held;
        at = block.indexOf(firstLine, at + 1)
      ) {
        if (bytes.subarray(0, block.length - at).equals(block.subarray(at))) held = at
      }
    }
    return held
  }
}

/** 2025-01-01. Any will do. */
const epochMs = 1_735_689_600_000

type Entry = { readonly atMs: number; readonly order: number; act: (() => void) | undefined }

const isBefore = (one: Entry, other: Entry): boolean =>
  one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order)

/** The virtual time of a world: what is to happen, in the order of its time. A binary heap. */
export class Timeline {
  readonly #heap: Entry[] = []
  #nowMs = epochMs
  #made = 0

  get nowMs(): number {
    return this.#nowMs
  }
  get elapsedMs(): number {
    return this.#nowMs - epochMs
  }

  /** Calls `act` after `ms`, unless the function that it returns is called before. */
  after(ms: number, act: () => void): () => void {
    const entry: Entry = { atMs: this.#nowMs + Math.max(0, Math.round(ms)), order: this.#made++, act }
    this.#push(entry)
    return () => {
      entry.act = undefined
    }
  }

  /** Lets the next thing happen. Returns false when there is none. */
  step(): boolean {
    for (let entry = this.#pop(); entry; entry = this.#pop()) {
      const { act } = entry
      if (act === undefined) continue
      this.#nowMs = entry.atMs
      act()
      return true
    }
    return false
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(entry)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent]
      if (above === undefined || !isBefore(entry, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = entry
  }

  #pop(): Entry | undefined {
    const heap = this.#heap
    const [first] = heap
    const last = heap.pop()
    if (last === undefined || last === first) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      const [left, right] = [heap[child], heap[child + 1]]
      let least = left
      if (left !== undefined && right !== undefined && isBefore(right, left)) {
        least = right
        child += 1
      }
      if (least === undefined || !isBefore(least, last)) break
      heap[at] = least
      at = child
    }
    heap[at] = last
    return first
  }
}

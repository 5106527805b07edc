/** Bytes that somebody pushes, for somebody who reads them: one piece at a time, so that none pile up. */
export class Pushed implements AsyncIterable<Buffer> {
  #piece: { readonly bytes: Buffer; readonly taken: () => void } | undefined
  #wake = (): void => {}
  #isEnded = false
  #failure: Error | undefined

  /** Resolves when the piece was taken, or nobody reads any more. */
  push(bytes: Buffer): Promise<void> {
    return new Promise((taken) => {
      if (this.#isEnded) return taken()
      this.#piece = { bytes, taken }
      this.#wake()
    })
  }

  /** There is no more: all was pushed, or what there is must not be taken for the whole. */
  end(failure?: Error): void {
    this.#isEnded = true
    this.#failure ??= failure
    this.#piece?.taken()
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        const piece = this.#piece
        if (this.#failure !== undefined) throw this.#failure
        if (piece !== undefined) {
          this.#piece = undefined
          try {
            yield piece.bytes
          } finally {
            piece.taken()
          }
        } else if (this.#isEnded) return
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
      }
    } finally {
      this.end()
    }
  }
}

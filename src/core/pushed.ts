/** Bytes that are pushed for somebody who reads them. Who pushes a piece waits until it is taken. */
export class Pushed implements AsyncIterable<Buffer> {
  readonly #pieces: { readonly bytes: Buffer; readonly taken: () => void }[] = []
  #wake = (): void => {}
  #isEnded = false
  #failure: Error | undefined

  /** Resolves when the piece was taken, or nobody reads any more. */
  push(bytes: Buffer): Promise<void> {
    return new Promise((taken) => {
      if (this.#isEnded) return taken()
      this.#pieces.push({ bytes, taken })
      this.#wake()
    })
  }

  /** There is no more: all was pushed, or what there is must not be taken for the whole. */
  end(failure?: Error): void {
    this.#isEnded = true
    this.#failure ??= failure
    for (const { taken } of this.#pieces) taken()
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        if (this.#failure !== undefined) throw this.#failure
        const piece = this.#pieces.shift()
        if (piece !== undefined) {
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

/** Those who want to hear of events. */
export class Subscribers<Event> {
  readonly #listeners = new Set<(event: Event) => void>()

  /** Calls back with each event; returns the function that ends that. */
  add(listener: (event: Event) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  emit(event: Event): void {
    for (const listener of this.#listeners) listener(event)
  }
}

/** Waits for a promise, but no longer than until `signal` aborts: then it throws the reason. */
export const orAborted = async (promise: Promise<unknown>, signal: AbortSignal): Promise<void> => {
  const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  await Promise.race([promise, aborted])
  signal.throwIfAborted()
}

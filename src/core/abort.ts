/** Waits for a promise, but no longer than until `signal` aborts: then it throws the reason. */
export const orAborted = async (promise: Promise<unknown>, signal: AbortSignal): Promise<void> => {
  signal.throwIfAborted()
  const { promise: aborted, resolve } = Promise.withResolvers<unknown>()
  signal.addEventListener('abort', resolve)
  try {
    await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', resolve)
  }
  signal.throwIfAborted()
}

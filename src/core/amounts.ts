/** In bytes. */
export const MiB = 1024 * 1024
export const dayMs = 86_400_000

/** Bytes in words: "1.5 MiB". */
export const inMiB = (bytes: number): string => `${(bytes / MiB).toFixed(1)} MiB`

/** Milliseconds in words: "1.5 s". */
export const inSeconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

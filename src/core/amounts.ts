/** In bytes. */
export const MiB = 1024 * 1024
/** In milliseconds. */
export const hourMs = 3_600_000
export const dayMs = 24 * hourMs

/** Bytes in words: "1.5 MiB". */
export const inMiB = (bytes: number): string => `${(bytes / MiB).toFixed(1)} MiB`

/** The same without a fraction, rounded up: "2 MiB". */
export const inWholeMiB = (bytes: number): string => `${Math.ceil(bytes / MiB)} MiB`

/** Milliseconds in words: "1.5 s". */
export const inSeconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

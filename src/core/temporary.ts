/**
 * The name of a file that takes the place of another one once it is whole.
 * `made` tells those of one moment apart.
 */
export const temporaryName = (nowMs: number, made: number): string => `.${nowMs.toString(36)}-${made}.tmp`

export const isTemporaryName = (name: string): boolean => /^\.[0-9a-z]{1,16}-\d{1,9}\.tmp$/.test(name)

/**
 * Tells one secret key from another without giving it away: an HMAC under the key, cut to 64 bits. Who knows
 * a key can check it; nobody gets from here to the key.
 */
export const fingerprintOf = (secretKey: string): string =>
  process
    .getBuiltinModule('node:crypto') // It takes 5 ms to load: not for the start of a boot.
    .createHmac('sha256', secretKey)
    .update('mathesar: which secret key')
    .digest('hex')
    .slice(0, 16)

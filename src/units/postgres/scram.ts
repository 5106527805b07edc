import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'

/**
 * The SCRAM-SHA-256 verifier that Postgres stores for a password,
 * so that the password itself never enters a query or a log (RFC 5803).
 */
export const scramVerifier = (
  password: string,
  salt: Buffer = randomBytes(16),
  iterations = 4096,
): string => {
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest()
  const [saltText, stored, server] = [salt, storedKey, hmac(salted, 'Server Key')].map((bytes) =>
    bytes.toString('base64'),
  )
  return `SCRAM-SHA-256$${iterations}:${saltText}$${stored}:${server}`
}

import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'

/** The SCRAM-SHA-256 verifier that Postgres stores for a password, so that the password itself never enters a query or a log (RFC 5803). */
export const scramVerifier = (
  password: string,
  salt: Buffer = randomBytes(16),
  iterations = 4096,
): string => {
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest()
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey.toString('base64')}:${hmac(salted, 'Server Key').toString('base64')}`
}

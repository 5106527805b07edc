import type { Database } from './database.ts'

type External = Extract<Database, { kind: 'external' }>

/**
 * With TLS or without, in the order in which libpq tries them: Mathesar itself connects by it.
 * A unix socket has no TLS.
 */
export const connectionAttempts = ({
  host,
  sslmode = 'prefer',
}: Pick<External, 'host' | 'sslmode'>): readonly ('tls' | 'plain')[] => {
  if (host.startsWith('/') || sslmode === 'disable') return ['plain']
  if (sslmode === 'allow') return ['plain', 'tls']
  return sslmode === 'prefer' ? ['tls', 'plain'] : ['tls']
}

/**
 * What of the server's certificate is checked, as libpq does: nothing without the CA's,
 * and the host's name for verify-full alone.
 */
export const tlsOptions = (sslmode: string | undefined, ca: string | undefined) =>
  ca === undefined
    ? { rejectUnauthorized: false }
    : {
        rejectUnauthorized: true,
        ca,
        ...(sslmode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
      }

/** Whether TLS itself failed: neither the network nor, later, the server (whose errors have a severity). */
export const isTlsFailure = (error: unknown): boolean =>
  !('severity' in (error as object)) && /\b(SSL|TLS)\b|certificate/.test((error as Error).message)

import type { KeyObject, X509Certificate } from 'node:crypto'
import { dayMs } from '../core/amounts.ts'

/** A certificate with those of its issuers, and its key; both as PEM. */
export type Pair = { readonly certificate: string; readonly key: string }

/** What of a certificate counts. Times are milliseconds since 1970. */
export type CertificateFacts = {
  /** Names the content of the pair; tells nothing of the key. */
  readonly id: string
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** A certificate that ends this soon is a problem. */
const soonMs = 14 * dayMs
/** More belong to no chain, and each costs a moment. */
const chainLimit = 10
/** OpenSSL in Debian takes no shorter key of RSA. */
const leastRsaBits = 2048

const block =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^]+?-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g

const fail = (why: string): never => {
  throw new Error(why)
}

const readChain = (text: string): readonly X509Certificate[] => {
  const { X509Certificate } = process.getBuiltinModule('node:crypto')
  const blocks = text.match(block) ?? []
  if (blocks.length === 0) fail('TLS_CERTIFICATE holds no certificate in PEM')
  if (blocks.length > chainLimit) fail(`TLS_CERTIFICATE holds more than ${chainLimit} certificates`)
  return blocks.map((each, index) => {
    try {
      return new X509Certificate(each)
    } catch {
      return fail(`certificate ${index + 1} in TLS_CERTIFICATE cannot be read`)
    }
  })
}

const readKey = (text: string): KeyObject => {
  if (/ENCRYPTED/.test(text)) fail('TLS_KEY has a passphrase, which the web server has nobody to ask for')
  try {
    return process.getBuiltinModule('node:crypto').createPrivateKey(text)
  } catch {
    return fail('TLS_KEY holds no private key in PEM') // OpenSSL's reason may repeat parts of it.
  }
}

const requireTogether = ([leaf, ...others]: readonly X509Certificate[], key: KeyObject): void => {
  if (leaf!.checkPrivateKey(key)) return
  if (others.some((other) => other.checkPrivateKey(key)))
    fail(
      'the first certificate in TLS_CERTIFICATE must be the one of TLS_KEY, and those of its issuers follow',
    )
  fail('TLS_KEY does not belong to TLS_CERTIFICATE')
}

/** Names the content of a pair. */
export const idOf = ({ certificate, key }: Pair): string =>
  process
    .getBuiltinModule('node:crypto')
    .createHash('sha256')
    .update(`${certificate}\0${key}`)
    .digest('hex')
    .slice(0, 16)

/** Reads a pair. Throws an Error that says why a web server could not use it, without a part of the key. */
export const readPair = (pair: Pair): CertificateFacts => {
  const chain = readChain(pair.certificate)
  const key = readKey(pair.key)
  requireTogether(chain, key)
  const bits = key.asymmetricKeyDetails?.modulusLength
  if (bits !== undefined && bits < leastRsaBits)
    fail(`the key has ${bits} bits, and ${leastRsaBits} are the least that is safe`)
  const [{ validFrom, validTo }] = chain as [X509Certificate]
  return { id: idOf(pair), notBeforeMs: Date.parse(validFrom), notAfterMs: Date.parse(validTo) }
}

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

/** What is wrong with the dates of a certificate at this moment, if anything is. */
export const whyBadDates = (
  { notBeforeMs, notAfterMs }: CertificateFacts,
  nowMs: number,
): string | undefined => {
  if (nowMs < notBeforeMs) return `the TLS certificate is not valid before ${dayOf(notBeforeMs)}`
  return nowMs >= notAfterMs ? `the TLS certificate has expired on ${dayOf(notAfterMs)}` : undefined
}

/** The same, and that it will end soon. */
export const whyRenew = (facts: CertificateFacts, nowMs: number): string | undefined =>
  whyBadDates(facts, nowMs) ??
  (facts.notAfterMs - nowMs < soonMs
    ? `the TLS certificate expires on ${dayOf(facts.notAfterMs)}`
    : undefined)

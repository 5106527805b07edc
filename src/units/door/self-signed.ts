import type { X509Certificate } from 'node:crypto'
import { dayMs } from '../../core/amounts.ts'
import { failureOf } from '../../core/outcome.ts'
import { SupervisorError } from '../../errors.ts'
import { isIpv4, isIpv6 } from '../../settings/addresses.ts'
import { type Pair, readPair } from '../../settings/certificate.ts'
import { permittedHosts } from '../../settings/hosts.ts'
import { inVolume } from '../place.ts'
import type { Scope } from '../unit.ts'

/** Apple's systems take none of more than 825 days, others none of more than 398 from well-known issuers. */
const leafDays = 397
const authorityDays = 3650
/** What is left of a certificate when the next one is made. */
const renewMs = 30 * dayMs
const namesLimit = 100

const folderOf = ({ place: { paths }, results: { volume } }: Scope<'volume'>): string =>
  volume.isEphemeral ? `${paths.run}/tls` : `${inVolume(paths).secrets}/tls`

const withoutBrackets = (host: string): string => host.replace(/^\[(.*)\]$/, '$1')
const isAddress = (name: string): boolean => isIpv4(name) || isIpv6(name)

/** The names under which people may come: those that are permitted, and those of this machine. */
const namesWanted = ({ system, inForce: { settings } }: Scope<never>): readonly string[] => {
  const permitted = permittedHosts(settings).flatMap((host) => {
    if (host === '*' || host === 'private') return []
    return host.startsWith('.') ? [host.slice(1), `*${host}`] : [withoutBrackets(host)]
  })
  const names = [...permitted, 'localhost', '127.0.0.1', '::1', ...system.ownNames()]
  return [...new Set(names.map((name) => name.toLowerCase()))].slice(0, namesLimit)
}

const namesIn = ({ subjectAltName = '' }: X509Certificate): readonly string[] =>
  [...subjectAltName.matchAll(/(?:DNS|IP Address):([\w.:*-]+)/g)].map(([, name = '']) => name.toLowerCase())

const hasName = (leaf: X509Certificate, name: string): boolean =>
  isAddress(name) ? leaf.checkIP(name) !== undefined : namesIn(leaf).includes(name)

const readKept = ({ system: { files } }: Scope<never>, path: string): Pair | undefined => {
  try {
    const certificate = files.readIfThere(`${path}.crt`)
    const key = files.readIfThere(`${path}.key`)
    if (certificate === undefined || key === undefined) return undefined
    const pair = { certificate, key }
    readPair(pair)
    return pair
  } catch {
    return undefined // It is created again.
  }
}

/** What `openssl req` reads. All names are hosts or addresses: nothing in them means something to it. */
const requestOf = (name: string, extensions: readonly string[]): string =>
  [
    '[req]',
    'distinguished_name = subject',
    'prompt = no',
    'x509_extensions = extensions',
    '[subject]',
    `CN = ${name}`,
    '[extensions]',
    'subjectKeyIdentifier = hash',
    ...extensions,
    '',
  ].join('\n')

type Wanted = { readonly request: string; readonly days: number; readonly authority?: string }

const runOpenssl = async (
  { system }: Scope<never>,
  args: readonly string[],
  signal: AbortSignal,
): Promise<void> => {
  const argv = ['openssl', ...args] as const
  const command = { argv, env: { PATH: '/usr/local/bin:/usr/bin:/bin' } }
  const ended = await system.runProgram('certificate', command, signal)
  if (ended.outcome.code === 0) return
  throw new SupervisorError('TLS_INVALID', `cannot make a TLS certificate: ${failureOf('openssl', ended)}`, {
    hint: 'Often a limit of the container (memory, processes): raise it and try again.',
  })
}

/** Has OpenSSL make a key and its certificate, which then take the place of those before. */
const make = async (
  scope: Scope<never>,
  path: string,
  { request, days, authority }: Wanted,
  signal: AbortSignal,
): Promise<void> => {
  const { files } = scope.system
  const [key, made] = [`${path}.key.new`, `${path}.crt.new`]
  const issuer = authority === undefined ? [] : ['-CA', `${authority}.crt`, '-CAkey', `${authority}.key`]
  files.writeWhole(`${path}.cnf`, request, 0o600)
  const curve = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']
  await runOpenssl(scope, ['genpkey', ...curve, '-out', key], signal)
  const signing = ['-x509', '-new', '-key', key, ...issuer, '-days', String(days)]
  await runOpenssl(scope, ['req', '-config', `${path}.cnf`, ...signing, '-out', made], signal)
  for (const [from, to] of [
    [key, `${path}.key`],
    [made, `${path}.crt`],
  ] as const) {
    files.syncFile(from)
    files.renameWhole(from, to)
  }
}

const makeAuthority = (scope: Scope<never>, path: string, signal: AbortSignal): Promise<void> =>
  make(
    scope,
    path,
    {
      request: requestOf(`Mathesar ${scope.system.randomText(6)}`, [
        'basicConstraints = critical, CA:TRUE, pathlen:0',
        'keyUsage = critical, keyCertSign, cRLSign',
      ]),
      days: authorityDays,
    },
    signal,
  )

const makeLeaf = (
  scope: Scope<never>,
  path: string,
  { names, authority }: { readonly names: readonly string[]; readonly authority: string },
  signal: AbortSignal,
): Promise<void> =>
  make(
    scope,
    path,
    {
      request: requestOf('Mathesar', [
        'basicConstraints = critical, CA:FALSE',
        'keyUsage = critical, digitalSignature',
        'extendedKeyUsage = serverAuth',
        'subjectAltName = @names',
        '[names]',
        ...names.map((name, index) => `${isAddress(name) ? 'IP' : 'DNS'}.${index} = ${name}`),
      ]),
      days: leafDays,
      authority,
    },
    signal,
  )

const isFresh = ({ validTo }: X509Certificate, nowMs: number): boolean =>
  Date.parse(validTo) - nowMs > renewMs

/**
 * A certificate for the names of this installation by an authority of its own, which people may install. Both
 * are kept in the volume; what is missing, ends soon or lacks a name is created again.
 */
export const makeSelfSigned = async (
  scope: Scope<'volume'>,
  signal: AbortSignal,
): Promise<Pair & { readonly authority: string }> => {
  const { X509Certificate } = process.getBuiltinModule('node:crypto')
  const nowMs = scope.system.clock.now()
  const folder = folderOf(scope)
  const paths = { authority: `${folder}/authority`, leaf: `${folder}/leaf` }
  scope.system.files.makeFolder(folder, 0o700)

  const keptAuthority = readKept(scope, paths.authority)
  const isUsable =
    keptAuthority !== undefined && isFresh(new X509Certificate(keptAuthority.certificate), nowMs)
  if (!isUsable) await makeAuthority(scope, paths.authority, signal)
  const authority = readKept(scope, paths.authority) ?? fail('its own authority cannot be read')

  const issuer = new X509Certificate(authority.certificate)
  const wanted = namesWanted(scope)
  const kept = readKept(scope, paths.leaf)
  const leaf = kept && new X509Certificate(kept.certificate)
  const isGood =
    leaf !== undefined &&
    isFresh(leaf, nowMs) &&
    leaf.verify(issuer.publicKey) &&
    wanted.every((name) => hasName(leaf, name))
  if (isGood) return { ...kept!, authority: authority.certificate }
  // Names that it had stay: a machine's addresses come and go.
  const names = [...new Set([...wanted, ...(leaf ? namesIn(leaf) : [])])].slice(0, namesLimit)
  await makeLeaf(scope, paths.leaf, { names, authority: paths.authority }, signal)
  const fresh = readKept(scope, paths.leaf) ?? fail('it cannot be read')
  return { ...fresh, authority: authority.certificate }
}

const fail = (why: string): never => {
  throw new SupervisorError('TLS_INVALID', `cannot use the TLS certificate that was made here: ${why}`)
}

import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Pair } from '../../src/settings/certificate.ts'

type Options = {
  readonly name?: string
  /** Arguments of `openssl req` that say the kind of key. */
  readonly key?: readonly string[]
  /** As openssl reads them: [CC]YYMMDDHHMMSSZ. */
  readonly from?: string
  readonly until?: string
}

const ecKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']

/** A certificate that signs itself, with its key: real ones, by OpenSSL. */
export const makePair = ({ name = 'localhost', key = ecKey, from, until }: Options = {}): Pair => {
  const folder = mkdtempSync('/tmp/pair-')
  chmodSync(folder, 0o700)
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  try {
    openssl('req', '-new', ...key, '-nodes', '-keyout', 'key', '-out', 'csr', '-subj', `/CN=${name}`)
    const dates = from === undefined ? ['-days', '90'] : ['-not_before', from, '-not_after', until!]
    // `x509` of OpenSSL 3.0 knows no dates; `ca` has always known them.
    if (from === undefined) openssl('x509', '-req', '-in', 'csr', '-signkey', 'key', '-out', 'crt', ...dates)
    else signAt(folder, openssl, from, until!)
    return {
      certificate: readFileSync(join(folder, 'crt'), 'utf8'),
      key: readFileSync(join(folder, 'key'), 'utf8'),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const signAt = (
  folder: string,
  openssl: (...args: readonly string[]) => unknown,
  from: string,
  until: string,
): void => {
  const settings = ['database=index', 'new_certs_dir=.', 'rand_serial=yes', 'default_md=sha256', 'policy=p']
  writeFileSync(join(folder, 'cnf'), ['[a]', ...settings, '[p]', 'commonName=supplied', ''].join('\n'))
  writeFileSync(join(folder, 'index'), '')
  const dates = ['-startdate', from, '-enddate', until]
  const files = ['-config', 'cnf', '-name', 'a', '-keyfile', 'key', '-in', 'csr', '-out', 'crt']
  openssl('ca', '-batch', '-selfsign', '-notext', ...files, ...dates)
}

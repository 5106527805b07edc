import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const hasOpenssl = (process.env.PATH ?? '')
  .split(':')
  .some((folder) => existsSync(join(folder, 'openssl')))

/** A CA with a certificate for the host `localhost`, and another CA that has nothing to do with it. */
export const makeCertificates = () => {
  const folder = mkdtempSync('/tmp/ca-')
  chmodSync(folder, 0o755)
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  for (const name of ['ca', 'other'])
    openssl(
      'req',
      '-x509',
      ...key,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    )
  writeFileSync(join(folder, 'names'), 'subjectAltName=DNS:localhost')
  openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost')
  openssl(
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-out',
    'server.pem',
    '-days',
    '2',
    '-extfile',
    'names',
  )
  return {
    ca: join(folder, 'ca.pem'),
    other: join(folder, 'other.pem'),
    key: join(folder, 'server.key'),
    server: {
      key: readFileSync(join(folder, 'server.key'), 'utf8'),
      certificate: readFileSync(join(folder, 'server.pem'), 'utf8'),
    },
    remove: () => rmSync(folder, { recursive: true }),
  }
}

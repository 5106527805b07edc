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
const settings = ['database=index', 'new_certs_dir=.', 'rand_serial=yes', 'default_md=sha256', 'policy=p']

/** By `openssl ca`: `x509` of OpenSSL 3.0 knows no dates. */
const signing = 'ca -config ../cnf -name a -batch -selfsign -notext -keyfile key -in csr -out crt'.split(' ')

/** What makes one, in a folder of its own. */
const commandsOf = ({ name = 'localhost', key = ecKey, from, until }: Options): readonly string[][] => [
  ['req', '-new', ...key, '-nodes', '-keyout', 'key', '-out', 'csr', '-subj', `/CN=${name}`],
  from === undefined
    ? ['x509', '-req', '-in', 'csr', '-signkey', 'key', '-out', 'crt', '-days', '90']
    : [...signing, '-startdate', from, '-enddate', until!],
]

/**
 * Certificates that sign themselves, with their keys: real ones, by OpenSSL. All come of one process of ours,
 * for what starts it is large.
 */
export const makePairs = (...all: readonly Options[]): readonly Pair[] => {
  const folder = mkdtempSync('/tmp/pair-')
  chmodSync(folder, 0o700)
  try {
    writeFileSync(join(folder, 'cnf'), ['[a]', ...settings, '[p]', 'commonName=supplied', ''].join('\n'))
    const lines = all.flatMap((options, index) => [
      `mkdir ${index}; cd ${index}; : > index`,
      ...commandsOf(options).map((args) => `openssl ${args.map((arg) => `'${arg}'`).join(' ')}`),
      'cd ..',
    ])
    execFileSync('sh', ['-euc', lines.join('\n')], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
    const read = (index: number, name: string): string => readFileSync(join(folder, `${index}`, name), 'utf8')
    return all.map((_, index) => ({ certificate: read(index, 'crt'), key: read(index, 'key') }))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** One of them. */
export const makePair = (options: Options = {}): Pair => makePairs(options)[0]!

import { SupervisorError } from '../../errors.ts'
import { type Pair, readPair, whyBadDates } from '../../settings/certificate.ts'
import type { Settings } from '../../settings/typed.ts'
import { configFile } from './config.ts'
import { inRun, type Paths } from '../place.ts'
import type { Certificate } from '../results.ts'
import { defineTask, type Scope } from '../unit.ts'
import { makeSelfSigned } from './self-signed.ts'

const fileLimitBytes = 64 * 1024

type TlsSettings = Pick<Settings, 'TLS' | 'TLS_CERTIFICATE' | 'TLS_KEY'>

const invalid = (why: string, cause?: unknown): SupervisorError =>
  new SupervisorError('TLS_INVALID', `cannot use TLS: ${why}`, { cause })

/** The files of the pair, if it comes by files. Throws where only one is given. */
const filesGiven = ({ TLS_CERTIFICATE: certificate, TLS_KEY: key }: TlsSettings): Pair | undefined => {
  if (certificate === undefined && key === undefined) return undefined
  if (certificate === undefined) throw invalid('TLS_KEY is given without TLS_CERTIFICATE')
  if (key === undefined) throw invalid('TLS_CERTIFICATE is given without TLS_KEY')
  return { certificate, key }
}

const readFile = ({ files }: Scope['system'], name: string, path: string): string => {
  try {
    const text = files.readIfThere(path, fileLimitBytes)
    if (text !== undefined) return text
  } catch (cause) {
    throw invalid(`cannot read ${name} ${path}: ${(cause as Error).message}`, cause)
  }
  throw invalid(`there is no file ${path}, which ${name} names`)
}

/** The pair as the files hold it now; `undefined` where it does not come by files. */
export const readGivenPair = (system: Scope['system'], settings: TlsSettings): Pair | undefined => {
  const given = filesGiven(settings)
  return (
    given && {
      certificate: readFile(system, 'TLS_CERTIFICATE', given.certificate),
      key: readFile(system, 'TLS_KEY', given.key),
    }
  )
}

const copyOf = (paths: Paths, id: string) => ({
  certificateFile: `${inRun(paths).door}/tls-${id}.crt`,
  keyFile: `${inRun(paths).door}/tls-${id}.key`,
})

/** Hands the door a copy that nobody else can read: in memory, and none of the files before. */
const handOver = ({ system, place: { paths, identities } }: Scope<never>, pair: Pair, id: string) => {
  const copy = copyOf(paths, id)
  for (const [path, text] of [
    [copy.certificateFile, pair.certificate],
    [copy.keyFile, pair.key],
  ] as const) {
    if (system.files.isThere(path)) continue
    system.files.writeWhole(path, text, 0o400)
    system.setOwner(path, identities.door, 0o400)
  }
  return copy
}

/** Removes the copies that the configuration of the door does not name: a change may go back to those. */
const removeUnused = ({ system: { files }, place: { paths } }: Scope<never>): void => {
  const used = files.readIfThere(configFile(paths)) ?? ''
  for (const name of files.listFolder(inRun(paths).door)) {
    const path = `${inRun(paths).door}/${name}`
    if (name.startsWith('tls-') && !used.includes(path)) files.remove(path)
  }
}

/**
 * The certificate of the door: checked, and copied to where the door reads it. In a change one that is not
 * valid now is refused, and the one before stays; a boot takes it, for it is better than none.
 */
export const certificate = defineTask({
  name: 'certificate',
  needs: ['volume'],
  description: 'checks the TLS certificate, or makes one',
  skip: (_, { paths }) => (paths.nginx === undefined ? 'there is no nginx here' : undefined),
  run: async (scope, signal): Promise<Certificate | undefined> => {
    const { system, inForce, isBoot } = scope
    const { settings } = inForce
    removeUnused(scope)
    const given = readGivenPair(system, settings)
    if (given === undefined && settings.TLS === 'off') return undefined
    const { authority, ...pair } = given
      ? { ...given, authority: undefined }
      : await makeSelfSigned(scope, signal)
    let facts
    try {
      facts = readPair(pair)
    } catch (cause) {
      throw invalid((cause as Error).message, cause)
    }
    const why = whyBadDates(facts, system.clock.now())
    if (why !== undefined && !isBoot) throw invalid(why)
    return { ...facts, ...handOver(scope, pair, facts.id), authority }
  },
})

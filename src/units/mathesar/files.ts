import { failureOf, lastOf } from '../../core/outcome.ts'
import { SupervisorError } from '../../errors.ts'
import type { InForce } from '../../settings/configuration.ts'
import { permittedHosts, probeHost } from '../../settings/hosts.ts'
import { dictionaries, yamlNames } from '../../settings/yaml-files.ts'
import { activityFile, hostsFile, inRun, ownProgram } from '../place.ts'
import { defineTask, type Scope } from '../unit.ts'

/** A fault of the environment is not one of the files: no other files would cure it. */
const refusalOf = (why: string, { values }: InForce): SupervisorError => {
  const isGiven = dictionaries.some(([name]) => why.startsWith(name) && values[name].source === 'environment')
  const code = isGiven ? 'SETTING_INVALID' : 'CONFIG_INVALID'
  return new SupervisorError(code, `cannot use the configuration: ${why}`)
}

/**
 * Asks the parsers that will read them: ours knows another YAML. It would be too late once they are handed
 * over, for Mathesar reads file_storage.yml again for each page.
 */
const askParsers = async (
  { system, place: { paths, identities }, inForce }: Scope<never>,
  proposed: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> => {
  const ended = await system.runProgram(
    'config',
    {
      argv: [`${paths.pythonBin}/python3`, '-I', ownProgram(paths, 'check_config.py')],
      cwd: paths.app,
      user: identities.mathesar,
      env: { LANG: 'C.UTF-8', ...proposed },
    },
    signal,
  )
  if (ended.outcome.code === 0) return
  const last = lastOf(ended.lines)
  throw last.startsWith('ERROR ')
    ? refusalOf(last.slice('ERROR '.length), inForce)
    : new SupervisorError(
        'CONFIG_NOT_CHECKED',
        `cannot check the configuration: ${failureOf('python3', ended)}`,
      )
}

/** Every process of Mathesar goes by it from the next request on: see gunicorn.conf.py. */
const writeHosts = ({ system: { files }, place, inForce: { settings } }: Scope<never>): void => {
  const text = [...permittedHosts(settings), probeHost].join(',')
  const path = hostsFile(place.paths)
  if (files.readIfThere(path) !== text) files.writeWhole(path, text, 0o644)
}

/** It is Mathesar's, in a folder of ours: what it may do with it is to say that somebody came. */
const makeActivityFile = ({
  system: { files, setOwner },
  place: { paths, identities },
}: Scope<never>): void => {
  const path = activityFile(paths)
  if (files.isThere(path)) return
  files.writeWhole(path, '', 0o600)
  setOwner(path, identities.mathesar, 0o600)
}

/**
 * Hands Mathesar the files that it reads by itself. It gets copies, and only checked ones: it would act on a
 * bad file_storage.yml at the next request, before anybody could refuse it.
 */
export const config = defineTask({
  name: 'config',
  needs: ['volume'],
  description: 'hands Mathesar the permitted hosts and its own checked config files',
  run: async (scope, signal) => {
    const {
      system: { files },
      place,
      inForce,
    } = scope
    const { app } = inRun(place.paths)
    const copies = yamlNames.map((name) => {
      const path = `${app}/${name}`
      return { name, path, text: inForce.files[name], there: files.readIfThere(path) }
    })
    const proposed: Record<string, string> = {}
    for (const { name, text, there } of copies)
      if (text !== undefined && text !== there) proposed[`PROPOSED_${name}`] = text
    for (const [name] of dictionaries) {
      const { value } = inForce.values[name]
      if (value !== undefined) proposed[`PROPOSED_${name}`] = value
    }
    if (Object.keys(proposed).length > 0) await askParsers(scope, proposed, signal)
    for (const { path, text, there } of copies) {
      if (text === undefined) files.remove(path)
      // The folder keeps others out.
      else if (there !== text) files.writeWhole(path, text, 0o644)
    }
    writeHosts(scope)
    makeActivityFile(scope)
    return undefined
  },
})

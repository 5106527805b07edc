import { openSync } from 'node:fs'
import { inSeconds, inWholeMiB } from '../core/amounts.ts'
import { SupervisorError } from '../errors.ts'
import { isServing } from '../http/client.ts'
import { copyInstallation, differencesOf, isOfOurMajor, lookInto, missingIn } from '../operations/trial.ts'
import type { OperationScope } from '../operations/scope.ts'
import { makeOwnFolder } from '../operations/stage.ts'
import { environment } from '../system/environment.ts'
import { catchSignals, type Signals } from '../system/signals.ts'
import { readAppVersion, readManifest, readServedVersion } from '../units/manifest.ts'
import { inVolume } from '../units/place.ts'
import { parseArguments, type Usage, usageOf } from './arguments.ts'
import { openOperation, tell, untilStopped } from './operation.ts'
import { runDaemon } from './run/daemon.ts'

const usage: Usage = usageOf('try-upgrade', 'try this image')

const command = 'docker run --rm -v VOLUME:/var/lib/mathesar:ro NEW_IMAGE try-upgrade'

const requireTrial = async (scope: OperationScope): Promise<void> => {
  const { system, place, inForce } = scope
  const { data } = place.paths
  if (await isServing())
    usage(`this image serves already. Try a newer one, with this container stopped: \`${command}\``)
  if (inForce.database.kind === 'external')
    usage('the database is external: restore its last backup beside it, and start this image on that')
  if (readManifest(scope).cluster === undefined)
    usage(`no installation has served from ${data}. Mount its volume: \`${command}\``)
  const { lock } = inVolume(place.paths)
  if (!system.files.isThere(lock) || system.lock(lock, 'read')) return
  throw new SupervisorError(
    'VOLUME_IN_USE',
    `cannot copy ${data}: a container that is running writes to it`,
    {
      hint: 'Stop it for the trial, which takes a minute or two and changes nothing.',
    },
  )
}

type Wanted = {
  readonly signals: Signals
  /** A descriptor: what the services write is seldom of interest. */
  readonly logTo: number
}

/** Starts this image on the copy, up to Mathesar's answer to its own check. Gives why not, if it does not. */
const boot = async (data: string, { signals, logTo }: Wanted): Promise<SupervisorError | undefined> => {
  let why: SupervisorError | undefined
  // A checkpoint on a busy disk takes its time, and says nothing of the image.
  const env = { ...environment, SUPERVISOR_DATA: data, SUPERVISOR_TRIAL: '1', STOP_GRACE_PERIOD: '600' }
  await runDaemon(signals, env, {
    until: {
      unit: 'mathesar',
      whenCutOff: 'TRIAL_FAILED',
      act: async () => {},
    },
    onFailure: (error) => {
      why = error
    },
    logTo,
  })
  return why
}

const print = (rows: readonly (readonly [string, string])[]): void => {
  for (const [name, value] of rows) process.stdout.write(`  ${name.padEnd(11)} ${value}\n`)
}

const tryOn = async (scope: OperationScope, folder: string, wanted: Wanted): Promise<number> => {
  const { clock } = scope.system
  const from = readServedVersion(scope) ?? '(unknown)'
  const to = readAppVersion(scope) ?? '(unknown)'
  const beganMs = clock.elapsed()
  const bytes = await untilStopped(copyInstallation(scope, folder))
  const copiedMs = clock.elapsed()
  const size = inWholeMiB(bytes)
  tell(`Mathesar ${from} → ${to}, on a copy of the volume (${size}). The volume stays as it is.`)
  const before = isOfOurMajor(scope) ? await untilStopped(lookInto(scope, folder)) : undefined
  const startedMs = clock.elapsed()
  const why = await boot(folder, wanted)
  const startTook = inSeconds(clock.elapsed() - startedMs)
  if (why !== undefined) {
    process.stdout.write(`It does not work: the start ends with exit code ${why.exitCode}.\n`)
    print([
      ['why', why.message],
      ['what to do', why.hint],
    ])
    return why.exitCode
  }
  const after = await untilStopped(lookInto(scope, folder))
  const differences = differencesOf(before?.counts ?? [], after.counts)
  const missing = before === undefined ? [] : missingIn(scope, before)
  const rows = after.counts.reduce((sum, count) => sum + count.rows, 0)
  process.stdout.write(
    differences.length === 0
      ? 'It works: this image serves from the copy.\n'
      : 'It starts, but rows differ.\n',
  )
  print([
    ['Mathesar', `${from} → ${to}`],
    ['start', `${startTook}, once; copied in ${inSeconds(copiedMs - beganMs)}`],
    ['migrations', missing.length === 0 ? 'none' : `${missing.length}: ${missing.join(', ')}`],
    [
      'rows',
      differences.join('; ') || `${rows} in ${after.counts.length} databases, none of yours is missing`,
    ],
  ])
  return differences.length === 0 ? 0 : 1
}

const options = {
  in: { type: 'string', default: '/tmp' },
  log: { type: 'boolean', default: false },
} as const

/** Tries this image on a copy of what another one served from. */
export const run = async (args: readonly string[]): Promise<number> => {
  const { values, positionals } = parseArguments(args, options, usage)
  if (positionals.length > 0) usage('there are too many arguments')
  if (!values.in.startsWith('/')) usage(`${values.in} is not an absolute path`)
  const signals = catchSignals()
  const scope = await openOperation()
  await requireTrial(scope)
  const folder = `${values.in}/try-upgrade-${scope.system.randomText(8)}`
  makeOwnFolder(scope, folder, undefined, 0o711)
  try {
    return await tryOn(scope, folder, { signals, logTo: values.log ? 2 : openSync('/dev/null', 'w') })
  } finally {
    scope.system.files.remove(folder)
  }
}

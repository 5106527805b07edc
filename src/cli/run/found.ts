import { levels } from '../../core/log-lines.ts'
import { readSetup, type Setup } from '../../daemon/config/boot-trial.ts'
import { SupervisorError, toSupervisorError } from '../../errors.ts'
import { createLog, type Log } from '../../system/log.ts'
import { readPlace } from '../../system/machine.ts'
import type { Sink } from '../../system/sink.ts'
import type { createBase } from '../../system/system.ts'
import { requireUnheld } from '../../units/holder.ts'
import { resumeSwap } from '../../units/swap.ts'
import type { Environment } from './boot-again.ts'

/** Takes the volume, finishes what is on its way into it, and reads the settings; or why that cannot be. */
export const findSetup = async (
  base: ReturnType<typeof createBase>,
  env: Environment,
): Promise<Setup | SupervisorError> => {
  try {
    const place = readPlace(env)
    await requireUnheld({ system: base, place })
    resumeSwap({ system: base, place }, base.lock)
    return await readSetup(base, place, base.lock)
  } catch (error) {
    return toSupervisorError(error)
  }
}

/** The log as the settings want it, or as the environment does where there are none. */
export const openLog = (
  sink: Sink,
  env: Environment,
  setup: Setup | SupervisorError,
  isQuiet: boolean,
): Log => {
  const [format, least] = (['LOG_FORMAT', 'LOG_LEVEL'] as const).map((name) =>
    setup instanceof SupervisorError ? env[name] : setup.configuration.values[name].value,
  )
  const level = levels.find((name) => name === least) ?? 'info'
  return createLog(sink, format === 'json' ? 'json' : 'text', level, isQuiet ? level : undefined)
}

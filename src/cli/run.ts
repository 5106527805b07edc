import { existsSync } from 'node:fs'
import { environment } from '../system/environment.ts'
import { readPaths } from '../system/paths.ts'
import { catchSignals } from '../system/signals.ts'
import { controlSocket } from '../units/place.ts'
import { runDaemon } from './run/daemon.ts'

export const run = async (): Promise<number> => {
  const signals = catchSignals()
  // Typed beside one that runs: its socket is there. A start needs no HTTP before its first child.
  if (process.pid !== 1 && existsSync(controlSocket(readPaths(environment)))) {
    const { requireAlone } = await import('../http/client.ts')
    await requireAlone('start', '`supervisor status` shows how it is.')
  }
  return await runDaemon(signals, environment)
}

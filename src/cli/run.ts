import { catchSignals } from './signals.ts'

export const run = async (): Promise<number> => {
  const signals = catchSignals()
  const { runDaemon } = await import('./daemon.ts')
  return await runDaemon(signals, process.env)
}

import { catchSignals } from '../system/signals.ts'

export const run = async (): Promise<number> => {
  const signals = catchSignals()
  const { runDaemon } = await import('./serve.ts')
  return await runDaemon(signals, process.env)
}

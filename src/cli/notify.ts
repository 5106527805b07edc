import { Notifier } from '../daemon/notifier.ts'
import type { System } from '../system/ports.ts'
import { readStatus, type Running } from './report.ts'

/** Follows the status of a running instance, and the changes that were undone. */
export const createNotifier = (running: Running, system: System): Notifier => {
  const { instance, config } = running
  const notifier = new Notifier({
    system,
    target: () => instance.inForce.settings.NOTIFY_URL,
    problems: () => readStatus(running).problems,
    address: () => readStatus(running).url,
  })
  config.rolledBack.add((problem) => notifier.notify(problem))
  instance.subscribe(({ type }) => {
    if (type === 'changed') notifier.lookSoon()
  })
  return notifier
}

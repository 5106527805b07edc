import { Notifier } from '../../daemon/notifier.ts'
import { readStatus } from './report.ts'
import type { Running } from './running.ts'

/** Follows the status of a running instance, and the changes that were undone. */
export const createNotifier = (running: Running): Notifier => {
  const { system, instance, config } = running
  const notifier = new Notifier({
    system,
    target: () => instance.inForce.settings.NOTIFY_URL,
    problems: () => readStatus(running).problems,
    address: () => readStatus(running).url,
  })
  config.rolledBack.add((problem) => notifier.notify(problem))
  instance.subscribe(({ type }) => {
    if (type === 'changed') notifier.pollSoon()
  })
  return notifier
}

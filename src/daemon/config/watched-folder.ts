import type { Seen } from '../../core/settling.ts'
import type { Problem } from '../../core/status.ts'
import { configFiles } from '../../settings/configuration.ts'
import type { System } from '../../system/ports.ts'
import type { Watch } from '../../system/watch.ts'

type Options = {
  readonly system: Pick<System, 'watchFiles' | 'log'>
  readonly folder: string
  /** Called once it is watched, and when something in it has changed. */
  readonly onChange: () => void
}

type Unread = Pick<Seen, 'stale' | 'unusable'>

/** What keeps edits of the files from being in force, in words. */
const troublesOf = ({ stale, unusable }: Unread): readonly string[] => [
  ...Object.entries(stale).map(([name, why]) => `edits to ${name} no longer reach this container: ${why}`),
  ...Object.entries(unusable).map(
    ([name, why]) => `cannot read ${name}: ${why}; what it held before stays in force`,
  ),
]

/** The config folder as people edit it. */
export class WatchedFolder {
  readonly #options: Options
  #watch: Watch | undefined
  #unread: Unread = { stale: {}, unusable: {} }

  constructor(options: Options) {
    this.#options = options
  }

  start(): void {
    if (this.#watch !== undefined) return
    const { system, folder, onChange } = this.#options
    this.#watch = system.watchFiles({
      folder,
      names: configFiles,
      onChange: (seen) => this.#see(seen),
      onTrouble: (why) => system.log.say('info', why),
    })
    onChange()
  }

  /** What it holds once its files have settled; `undefined` while it is not watched. */
  async readSettled(): Promise<Seen | undefined> {
    return await this.#watch?.readSettled()
  }

  problems(): readonly Problem[] {
    return troublesOf(this.#unread).map((message) => ({ unit: 'config', code: null, message, hint: null }))
  }

  async close(): Promise<void> {
    const watch = this.#watch
    this.#watch = undefined
    await watch?.close()
  }

  #see(seen: Seen): void {
    const { system, onChange } = this.#options
    const known = troublesOf(this.#unread)
    for (const trouble of troublesOf(seen)) if (!known.includes(trouble)) system.log.say('warn', trouble)
    this.#unread = seen
    onChange()
  }
}

import { configFiles, type ConfigFiles, type Configuration } from '../../settings/configuration.ts'
import { inForce } from '../../settings/plan.ts'
import { secretsOf } from '../../settings/secrets.ts'
import { type Database, settingNames, type Values } from '../../settings/table.ts'
import type { Problem, Status } from '../../core/status.ts'
import { createChanges } from './changes.ts'
import type { ConfigDeps } from '../../http/config.ts'
import { createRefusedHosts } from './refused-hosts.ts'
import type { Supervisor } from '../instance.ts'
import { carryOut } from '../transaction.ts'
import type { Log } from '../../system/log.ts'
import { type Watch, watchFiles } from '../../system/watch.ts'
import { type Context, inVolume } from '../../units/place.ts'
import { createCheck, readContent, type Setup } from './boot-trial.ts'

type Deps = {
  readonly setup: Setup
  readonly env: Readonly<Record<string, string | undefined>>
  readonly context: Context
  readonly supervisor: Supervisor<Context>
  readonly log: Log
}

export type Configuring = {
  readonly url: () => string
  readonly database: () => Database
  readonly status: () => Status['config']
  readonly problems: () => readonly Problem[]
  /** Looks at a line of Mathesar's log. */
  readonly see: (line: string) => void
  /** After a boot that went well: records the configuration, and watches the folder from now on, if not before. */
  readonly settle: () => void
  /** SIGHUP: what lies in the folder, and a new generation in any case. */
  readonly reload: () => void
  readonly routes: ConfigDeps
  readonly close: () => Promise<void>
}

/** A boot takes less. It need not wait for the watcher's library. */
const lateMs = 10_000

/** Joins the transactions of `daemon/changes.ts` with the watcher, the store and the services. */
export const configure = ({ setup, env, context, supervisor, log }: Deps): Configuring => {
  const { paths, store, configuration: boot, rejected } = setup
  const check = createCheck(env, paths)
  let watch: Watch | undefined
  let stale: Readonly<Record<string, string>> = {}
  let running = context

  const valuesOf = (configuration: Configuration): Values => inForce(boot.settings, configuration.settings)
  const contextOf = (configuration: Configuration): Context => ({
    ...context,
    settings: valuesOf(configuration),
    database: configuration.database,
    configFiles: configuration.files,
  })

  const changes = createChanges({
    boot,
    rejected,
    environment: env,
    store,
    now: Date.now,
    log: log.say,
    look: async () => ((await watch?.look())?.files ?? readContent(paths)) as ConfigFiles,
    read: () => readContent(paths),
    isStopping: () => supervisor.isStopping,
    isProven: () => supervisor.wasReady,
    check: async (files) => {
      const checked = await check(files)
      // Those in force once more, and last: however many changes are tried, the log goes on to leave them out.
      log.addSecret(
        ...secretsOf(checked),
        ...secretsOf(changes.current),
        context.made.secretKey,
        context.made.postgresPassword,
      )
      return checked
    },
    apply: async (plan, next, report, record) => {
      const after = contextOf(next)
      const { change } = supervisor
      await change.possible
      change.signal.throwIfAborted()
      await carryOut<Context>(plan, {
        before: running,
        after,
        report,
        record,
        ...change,
        adopt: (adopted) => {
          running = adopted
          change.adopt(adopted)
        },
        isEmbedded: ({ database }) => database.kind === 'embedded',
      })
    },
  })
  const hosts = createRefusedHosts({
    allowedHosts: () => ({
      value: running.settings.ALLOWED_HOSTS.value!,
      pinned: running.settings.ALLOWED_HOSTS.source === 'environment',
    }),
    log: (message) => log.say('warn', message),
  })
  const propose = (proposal: Parameters<typeof changes.propose>[0]): void =>
    void changes.propose(proposal).catch(() => {}) // It has logged why.

  const startWatching = (): void => {
    if (watch || supervisor.isStopping) return
    watch = watchFiles({
      folder: inVolume(paths).config,
      names: configFiles,
      onChange: (seen) => {
        for (const [name, why] of Object.entries(seen.stale))
          if (stale[name] !== why) log.say('warn', `${name} can no longer change here: ${why}`)
        stale = seen.stale
        propose({ from: 'file' })
      },
      onTrouble: (why) => log.say('info', why),
    })
    propose({ from: 'file' })
  }
  /** A boot that does not get ready may be mended by an edit. */
  const early = setTimeout(() => void supervisor.change.possible.then(startWatching), lateMs).unref()

  return {
    url: () => running.settings.PUBLIC_URL.value ?? `http://localhost:${running.settings.PORT.value}`,
    database: () => running.database,
    status: () => ({
      version: changes.current.version,
      changing: changes.changing,
      waitsForStart: settingNames.filter(
        (name) => changes.current.settings[name].value !== running.settings[name].value,
      ),
    }),
    problems: () => [
      ...(changes.problem ? [changes.problem] : []),
      ...Object.entries(stale).map(([name, why]) => ({
        unit: 'config',
        code: null,
        message: `${name} can no longer change here: ${why}`,
        hint: null,
      })),
      ...hosts.problems(),
    ],
    see: hosts.see,
    settle: () => void changes.settle().then(startWatching),
    reload: () => propose({ from: 'signal', reload: true }),
    routes: { changes, store, inForce: () => running.settings },
    close: async () => {
      clearTimeout(early)
      await watch?.close()
    },
  }
}

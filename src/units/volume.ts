import type { TaskUnit, User } from '../core/unit.ts'
import { SupervisorError, toSupervisorError } from '../errors.ts'
import { type Context, inRun, inVolume } from './place.ts'

/** The folders that last and those of this run, each with its owner, and the lock that keeps a second container out. */
export const volume: TaskUnit<Context> = {
  name: 'volume',
  kind: 'task',
  needs: [],
  does: 'makes the folders, gives them to their users, locks the volume',
  run: async ({ paths, identities, settings, database, files, give, lock, made, log }) => {
    const { supervisor, postgres, mathesar } = identities
    const group = mathesar && { ...supervisor, gid: mathesar.gid }
    const data = inVolume(paths)
    const run = inRun(paths)
    const refuse =
      (path: string) =>
      (cause: unknown): never => {
        const error = toSupervisorError(cause)
        if (error.code === 'VOLUME_FULL')
          throw new SupervisorError('VOLUME_FULL', `cannot use ${path}: no space left`, { cause })
        if (error.code !== 'INTERNAL') throw error
        throw new SupervisorError(
          'VOLUME_NOT_WRITABLE',
          `cannot use ${path} as user ${supervisor.uid}: ${(cause as Error).message}`,
          { cause },
        )
      }
    const attempt = (path: string, act: () => void): void => {
      try {
        act()
      } catch (cause) {
        refuse(path)(cause)
      }
    }

    /** A volume that was made with `--user`: Postgres could not read its data as another user, nor that user what root would take. */
    const refuseOther = (user: User): void => {
      const owner = files.ownerOf(`${data.cluster}/PG_VERSION`) ?? 0 // Root runs no Postgres: a file system that names it names whoever asks.
      if ([0, user.uid].includes(owner)) return
      throw new SupervisorError(
        'VOLUME_NOT_WRITABLE',
        `cannot use ${paths.data} as root: its data belongs to user ${owner}, and Postgres would run as user ${user.uid}`,
        { hint: `Start with \`--user ${owner}:0\`, as it was made; nothing was changed.` },
      )
    }

    const prepareVolume = (): void => {
      files.makeFolder(paths.data, 0o755)
      if (postgres && database.kind === 'embedded') refuseOther(postgres)
      if (!lock(data.lock))
        throw new SupervisorError('VOLUME_IN_USE', `cannot use ${paths.data}: another supervisor uses it`)
      if (postgres) give(paths.data, undefined, 0o755)
      for (const folder of [data.secrets, data.config, data.history, data.media, data.temporary])
        files.makeFolder(folder, 0o700)
      give(data.secrets, undefined, 0o700)
      give(data.history, undefined, 0o700)
      try {
        give(data.config, group, 0o750)
      } catch {
        /* Mounted read-only, such as a ConfigMap: it serves as it is. */
      }
      give(data.media, mathesar, 0o750)
      files.requireSpace(data.secrets, 64 * 1024) // A full or read-only volume is told now, by name.
      files.remove(data.temporary)
      files.makeFolder(data.temporary, 0o700)
      give(data.temporary, mathesar, 0o700)
      log('debug', `volume ${paths.data} is writable and locked`)
    }
    // Platforms with a read-only or passing file system bring a database and a key of their own: nothing has to last here then.
    const mayDoWithout = database.kind === 'external' && settings.SECRET_KEY.value !== undefined
    try {
      prepareVolume()
    } catch (cause) {
      if (
        !mayDoWithout ||
        !['EROFS', 'EACCES', 'EPERM'].includes((cause as NodeJS.ErrnoException).code ?? '')
      )
        refuse(paths.data)(cause)
      made.ephemeral = true
      log('debug', `${paths.data} cannot be written: the environment alone gives the settings`)
    }
    attempt(paths.run, () => {
      for (const [folder, user, mode] of [
        [paths.run, undefined, 0o755],
        [run.control, undefined, 0o700],
        [run.etc, undefined, 0o755],
        [run.app, group, 0o750],
        [run.postgresSocket, postgres, 0o755],
        ...(made.ephemeral
          ? ([
              [run.media, mathesar, 0o750],
              [run.temporary, mathesar, 0o700],
            ] as const)
          : []),
      ] as const) {
        files.makeFolder(folder, mode)
        give(folder, user, mode)
      }
    })
  },
}

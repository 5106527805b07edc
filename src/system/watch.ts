import { readFileSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { FSWatcher } from 'chokidar'
import { fileLimitBytes } from '../settings/configuration.ts'
import { SupervisorError } from '../errors.ts'
import { readRegular } from './files.ts'

export type Seen = {
  /** Content of each watched file that is there; undefined for one that is not. Whole and settled. */
  readonly files: Readonly<Record<string, string | undefined>>
  /** Names of files that can no longer change here, each with the reason in words: a single-file mount whose file was replaced on the host. */
  readonly stale: Readonly<Record<string, string>>
}

export type Watch = {
  /** Reads now, settled. What it returns still comes through `onChange`, if it is news there. */
  readonly look: () => Promise<Seen>
  readonly close: () => Promise<void>
}

type Reading = Seen & {
  /** Files that are there but cannot be used, each with the reason. */ readonly unusable: Readonly<
    Record<string, string>
  >
}
/** `root` is what is mounted, as a path in the file system that it comes from; `point` is where. */
type Mount = { readonly what: 'file' | 'folder'; readonly point: string; readonly root: string }

const soonMs = 10

/** What is mounted at each mount point: a path in the file system that it comes from. The kernel escapes spaces and the like in octal. */
const readMountRoots = (): ReadonlyMap<string, string> => {
  const unescape = (text: string): string =>
    text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
  try {
    return new Map(
      readFileSync('/proc/self/mountinfo', 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => {
          const [, , , root = '', point = ''] = line.split(' ')
          return [unescape(point), unescape(root)]
        }),
    )
  } catch {
    return new Map()
  }
}

/** For each file that is a mount of its own, or lies in a folder that is one, that mount as it is now. */
const findMounts = (folder: string, names: readonly string[]): ReadonlyMap<string, Mount> => {
  const roots = readMountRoots()
  const mountAt = (what: Mount['what'], path: string): Mount | undefined => {
    try {
      const point = realpathSync.native(path)
      const root = roots.get(point)
      return root === undefined ? undefined : { what, point, root }
    } catch {
      return undefined // What is not there, or cannot be reached, is no mount point either.
    }
  }
  return new Map(
    names.flatMap((name) => {
      const mount = mountAt('file', join(folder, name)) ?? mountAt('folder', folder)
      return mount ? [[name, mount]] : []
    }),
  )
}

/**
 * Why changes on the host no longer arrive. A mount holds an inode, not a name: when the host replaces the file, the container keeps
 * the old one. The kernel tells what became of that one's name: `//deleted` when another file took it, also where a hard link keeps
 * the old file alive (its link count then says nothing), or a new name when an editor moved the old file aside as a backup.
 */
const whyStale = ({ what, root }: Mount, rootNow: string | undefined): string | undefined => {
  if (rootNow === undefined || (rootNow === root && !root.endsWith('//deleted'))) return undefined
  const became = rootNow.endsWith('//deleted') ? 'replaced or deleted' : `moved to ${rootNow}`
  const advice = what === 'file' ? '; mount its folder instead of the file, and changes arrive' : ''
  return `the mounted ${what} was ${became} on the host: the container keeps the old one until it is started again${advice}`
}

const readAll = (folder: string, names: readonly string[], mounts: ReadonlyMap<string, Mount>): Reading => {
  const [files, stale, unusable]: [
    Record<string, string | undefined>,
    Record<string, string>,
    Record<string, string>,
  ] = [{}, {}, {}]
  for (const name of names) {
    try {
      files[name] = readRegular(join(folder, name), fileLimitBytes)
    } catch (error) {
      unusable[name] = (error as Error).message
    }
  }
  if (mounts.size > 0) {
    // Else this would be the dearest part of a look.
    const roots = readMountRoots()
    for (const [name, mount] of mounts) {
      const why = whyStale(mount, roots.get(mount.point))
      if (why !== undefined) stale[name] = why
    }
  }
  return { files, stale, unusable }
}

/**
 * One read without watching: what boot uses. Same safety rules as the watcher. It does not wait for a writer to finish, and throws
 * on a file that cannot be used: to boot without the settings in it could mean another database.
 */
export const readConfigFiles = (folder: string, names: readonly string[]): Seen => {
  const { files, stale, unusable } = readAll(folder, names, findMounts(folder, names))
  for (const [name, why] of Object.entries(unusable)) {
    if (why.startsWith('EACCES'))
      throw new SupervisorError(
        'VOLUME_NOT_WRITABLE',
        `cannot read ${join(folder, name)} as user ${process.getuid!()}: ${why}`,
      )
    throw new SupervisorError('SETTING_INVALID', `cannot read ${join(folder, name)}: ${why}`, {
      hint: 'Correct or remove the file and start the container again.',
    })
  }
  return { files, stale }
}

type Pending = { readonly seen: Seen; readonly wasEmptied: boolean; readonly settledAtMs: number }

/**
 * Tells of every change of `names` in `folder`: of content, and of a file gone stale. Truth: every pollMs it looks, and compares the
 * content itself where anything looks changed, and every third time in any case. chokidar on the folder only makes that sooner. A change is reported once it has settled: looks settleMs apart are equal. An empty
 * or missing file that was neither gets emptyMs, and so does what follows an empty one: a writer truncates first, or deletes.
 * A file that cannot be used counts with its last content, and `onTrouble` says why. The first state is that of this call.
 */
export const watchFiles = (options: {
  readonly folder: string
  readonly names: readonly string[]
  readonly onChange: (seen: Seen) => void
  readonly onTrouble: (why: string) => void
  readonly pollMs?: number
  readonly settleMs?: number
  readonly emptyMs?: number
}): Watch => {
  const { folder, names, onChange, onTrouble, pollMs = 4000, settleMs = 100, emptyMs = 1500 } = options
  const mounts = findMounts(folder, names)
  let told: Readonly<Record<string, string>> = {}
  let reported: Seen = { files: {}, stale: {} }
  let pending: Pending | undefined
  let timer: NodeJS.Timeout | undefined
  let dueAtMs = Number.POSITIVE_INFINITY
  let isClosed = false
  let stamp = ''
  let pollsWithoutRead = 0

  const isSame = (one: Seen, other: Seen): boolean =>
    names.every((name) => one.files[name] === other.files[name] && one.stale[name] === other.stale[name])

  const read = (): Seen => {
    const { files, stale, unusable } = readAll(folder, names, mounts)
    for (const [name, why] of Object.entries(unusable)) {
      if (told[name] !== why)
        onTrouble(`cannot read ${join(folder, name)}: ${why}; what it held before stays in force`)
    }
    told = unusable
    return {
      files: Object.fromEntries(
        names.map((name) => [name, name in unusable ? reported.files[name] : files[name]]),
      ),
      stale,
    }
  }

  const follow = (before: Pending | undefined, seen: Seen): Pending => {
    if (before !== undefined && isSame(before.seen, seen)) return before
    const became = (content: '' | undefined): boolean =>
      names.some((name) => seen.files[name] === content && reported.files[name] !== content)
    const wasEmptied = before?.wasEmptied === true || became('')
    return {
      seen,
      wasEmptied,
      settledAtMs: performance.now() + (wasEmptied || became(undefined) ? emptyMs : settleMs),
    }
  }

  const waitMs = ({ settledAtMs }: Pending): number =>
    Math.max(1, Math.min(settleMs, Math.ceil(settledAtMs - performance.now())))

  /** What the kernel tells of the files without a read of them. */
  const stampOf = (): string =>
    names
      .map((name) => {
        try {
          const stats = statSync(join(folder, name), { throwIfNoEntry: false })
          return stats && `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`
        } catch (error) {
          return (error as Error).message
        }
      })
      .join(' | ')

  const checkIn = (ms: number): void => {
    const atMs = performance.now() + ms
    if (isClosed || dueAtMs <= atMs) return
    clearTimeout(timer)
    dueAtMs = atMs
    timer = setTimeout(check, ms)
  }

  /** The ordinary poll reads only what looks changed, and all every third time: some file systems do not tell. */
  function poll(): void {
    const before = stamp
    stamp = stampOf()
    if (stamp !== before || ++pollsWithoutRead >= 3) return check()
    dueAtMs = Number.POSITIVE_INFINITY
    pollIn()
  }

  const pollIn = (): void => {
    dueAtMs = performance.now() + pollMs
    timer = setTimeout(poll, pollMs)
  }

  function check(): void {
    dueAtMs = Number.POSITIVE_INFINITY
    pollsWithoutRead = 0
    const seen = read()
    pending = isSame(seen, reported) ? undefined : follow(pending, seen)
    const settled =
      pending !== undefined && performance.now() >= pending.settledAtMs ? pending.seen : undefined
    if (settled !== undefined) {
      reported = settled
      pending = undefined
    }
    if (pending !== undefined) checkIn(waitMs(pending))
    else if (!isClosed) pollIn()
    if (settled !== undefined) onChange(settled)
  }

  /** Loaded here and not with this module: it costs a boot 10 ms and more. Without it all goes on, up to pollMs later. */
  const accelerate = async (): Promise<FSWatcher | undefined> => {
    let watcher: FSWatcher | undefined
    let hasFailed = false
    const fail = (error: unknown): void => {
      if (hasFailed || isClosed) return
      hasFailed = true
      const code = (error as NodeJS.ErrnoException).code ?? ''
      const why = ['EMFILE', 'ENFILE', 'ENOSPC'].includes(code)
        ? 'inotify is used up'
        : `cannot watch ${folder}: ${(error as Error).message}`
      onTrouble(`${why}: changes are seen within ${pollMs / 1000} s by polling`)
      watcher?.close().catch(() => undefined)
    }
    try {
      const { watch } = await import('chokidar')
      if (isClosed) return undefined
      // Its events say "look", not what: raw ones come at once, and also for the ..data link of a ConfigMap.
      watcher = watch(folder, { depth: 0, followSymlinks: false, ignoreInitial: true, atomic: false })
      watcher.on('raw', () => checkIn(soonMs)).on('error', fail)
    } catch (error) {
      fail(error)
    }
    return watcher
  }

  reported = read()
  pollIn()
  const accelerator = accelerate()

  return {
    look: async () => {
      const endMs = performance.now() + 10 * emptyMs
      for (let awaited: Pending | undefined; performance.now() < endMs; await delay(waitMs(awaited))) {
        const seen = read()
        if (isSame(seen, reported)) return seen
        awaited = follow(awaited, seen)
        if (performance.now() >= awaited.settledAtMs) return seen
      }
      throw new SupervisorError(
        'SETTING_INVALID',
        `cannot read the files in ${folder}: they have been changing for ${(10 * emptyMs) / 1000} s`,
        { hint: 'Try again when whoever writes them has finished.' },
      )
    },
    close: async () => {
      isClosed = true
      clearTimeout(timer)
      await (await accelerator)?.close().catch(() => undefined)
    },
  }
}

import { describe, expect, test } from 'vitest'
import { bringBack } from '../../src/cli/run/bring-back.ts'
import { type ErrorCode, SupervisorError } from '../../src/errors.ts'
import { type CopiedFrom, type Holder, writeHolder } from '../../src/units/holder.ts'
import { beginSwap, finishSwap, forgetAside, namedIn, readJournal, tidy } from '../../src/units/swap.ts'
import { createScope, externalDatabase } from './fakes/scope.ts'

const copied: CopiedFrom = { host: 'box', since: '2026-10-01T11:00:00.000Z', isCheckpointBetween: true }
const older = '/data/backups/mathesar-2026-09-29T03-30-00Z.tar'
const newer = '/data/backups/mathesar-abcdefgh-2026-09-30T03-30-00Z.tar'

type Stage = {
  readonly code?: ErrorCode
  /** Which service died again and again. */
  readonly service?: string
  readonly config?: string
  readonly copied?: CopiedFrom | null
  readonly environment?: Readonly<Record<string, string>>
  readonly archives?: readonly string[]
  /** Those that turn out to be torn, too. */
  readonly torn?: readonly string[]
  /** After so many tries somebody asks for a stop. */
  readonly stopAfter?: number
  /** Whether the state from before an earlier restore is kept. */
  readonly keepsState?: boolean
  /** Whether what was killed had decided already. */
  readonly isDecided?: boolean
}

const act = async ({ code = 'VOLUME_TORN', torn = [], stopAfter, ...more }: Stage) => {
  const { keepsState = false, isDecided = false } = more
  const { archives = [older, newer] } = more
  const { scope, disk, said, replies } = createScope({
    place: { environment: more.environment ?? {} },
    config: more.config ?? '',
  })
  for (const path of archives) disk.put(path, '')
  const holder: Holder = {
    run: 'a run',
    host: 'box',
    kernel: null,
    since: copied.since,
    lock: { device: '1', inode: '1', born: '1' },
    copied: more.copied === undefined ? copied : more.copied,
  }
  const volume = { system: { files: disk.files }, place: scope.place }
  disk.files.makeFolder('/data/restore', 0o711)
  const swap = { kind: 'restore', kept: [], at: '2026-09-28T10:15:00.000Z' } as const
  if (keepsState) {
    disk.put('/data/postgres/PG_VERSION', 'what is all that there is')
    disk.put('/data/restore/new/postgres/PG_VERSION', 'the wrong one')
    beginSwap(volume, { ...swap, incoming: 'new', outgoing: 'old' })
    finishSwap(volume)
  }
  writeHolder(scope, holder)
  const tried: string[] = []
  const shown: string[] = []
  const stops = new AbortController()
  replies.program = async ({ command: { argv } }, signal) => {
    const [path = '', option] = argv.slice(-2)
    expect(option, 'nothing is said to go').toBe('--replace')
    tried.push(path)
    if (isDecided || !torn.includes(path))
      beginSwap(volume, { ...swap, incoming: 'newest', outgoing: 'torn' })
    if (tried.length === stopAfter) stops.abort(new Error('everything stops'))
    signal?.throwIfAborted()
    const code = torn.includes(path) ? 81 : 0
    return { outcome: { code, signal: null }, lines: code === 0 ? [] : ['supervisor: it is cut off'] }
  }
  const isBroughtBack = await bringBack(
    new SupervisorError(code, 'cannot serve this copy', { service: more.service }),
    {
      system: scope.system,
      place: scope.place,
      instance: { inForce: scope.inForce, results: { listener: { fd: 9, address: '0.0.0.0', port: 8000 } } },
      stops,
      ending: { restore: (isRestoring) => void shown.push(isRestoring ? 'restoring' : 'over') },
      sockets: { openPort: async ({ fd }) => void shown.push(`port ${fd}`) },
    },
  )
  const keptIn = (folder: string) => disk.text(`/data/restore/${folder}/postgres/PG_VERSION`)
  return { isBroughtBack, tried, said, shown, keptIn, volume }
}

describe('a boot that failed on a torn copy', () => {
  test('restores the newest backup in the volume, and the page says so meanwhile', async () => {
    const { isBroughtBack, tried, said, shown } = await act({})
    expect([isBroughtBack, shown]).toEqual([true, ['restoring', 'port 9']])
    expect(tried).toEqual([newer])
    expect(said.join('\n')).toMatch(
      /the backup of 2026-09-30 03:30 UTC is restored: what was written after it is missing/,
    )
  })

  test('restores it where Postgres itself dies again and again', async () => {
    const { isBroughtBack } = await act({ code: 'SERVICE_CRASH_LOOP', service: 'postgres' })
    expect(isBroughtBack).toBe(true)
  })

  test('takes the next older one where that was copied torn itself', async () => {
    const { isBroughtBack, tried, said } = await act({ torn: [newer] })
    expect([isBroughtBack, tried]).toEqual([true, [newer, older]])
    expect(said).toContain(`warn ${newer} cannot be restored: it is cut off`)
  })

  test('loses no state that was kept before: it may be all that there is', async () => {
    const { isBroughtBack, said, keptIn, volume } = await act({ keepsState: true })
    expect(isBroughtBack).toBe(true)
    const folder = 'aside-2026-09-28T10-15-00-000Z'
    expect(said.at(-1)).toContain(`is in /data/restore/${folder} now`)
    finishSwap(volume) // The next boot does.
    tidy(volume, namedIn(readJournal(volume)))
    expect([keptIn(folder), keptIn('torn')]).toEqual(['what is all that there is', 'the wrong one'])
    forgetAside(volume)
    expect(keptIn(folder)).toBeUndefined()
  })

  test('has the kept state as before where no backup is whole', async () => {
    const { isBroughtBack, said, keptIn, volume } = await act({ keepsState: true, torn: [newer, older] })
    expect([isBroughtBack, said.join().includes('aside')]).toEqual([false, false])
    expect([keptIn('old'), readJournal(volume)?.outgoing]).toEqual(['what is all that there is', 'old'])
  })

  test('keeps it where a stop came once the restore was decided, which the next start finishes', async () => {
    const { isBroughtBack, keptIn } = await act({ keepsState: true, isDecided: true, stopAfter: 1 })
    expect([isBroughtBack, keptIn('old')]).toEqual([false, undefined])
    expect(keptIn('aside-2026-09-28T10-15-00-000Z')).toBe('what is all that there is')
  })

  test('is cut off by a stop, and tries no other one', async () => {
    const { isBroughtBack, tried, said } = await act({ stopAfter: 1 })
    expect([isBroughtBack, tried]).toEqual([false, [newer]])
    expect(said.at(-1)).toBe(`warn ${newer} cannot be restored: everything stops`)
  })

  test('ends where none is whole, or there is none', async () => {
    expect(await act({ torn: [newer, older] })).toMatchObject({
      isBroughtBack: false,
      shown: ['restoring', 'port 9', 'over'],
    })
    expect(await act({ archives: [] })).toMatchObject({ isBroughtBack: false, shown: [] })
  })

  test.each<[string, Stage]>([
    ['is no copy', { code: 'SERVICE_CRASH_LOOP', service: 'postgres', copied: null }],
    ['failed for another service', { code: 'SERVICE_CRASH_LOOP', service: 'mathesar' }],
    ['lost another server', { code: 'DATABASE_LOST', config: externalDatabase }],
    ['failed for something else', { code: 'PORT_IN_USE' }],
    ['is to stop then', { environment: { ON_TORN: 'stop' } }],
  ])('restores nothing where it %s', async (_, stage) => {
    expect(await act(stage)).toMatchObject({ isBroughtBack: false, tried: [] })
  })
})

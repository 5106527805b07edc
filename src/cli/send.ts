import { isatty } from 'node:tty'
import { inSeconds, MiB } from '../core/amounts.ts'
import { SupervisorError } from '../errors.ts'
import { holdAtRest, isServing, keepAwake } from '../http/client.ts'
import type { Bytes } from '../operations/archive/bytes.ts'
import { requireNoneWaiting } from '../operations/incoming.ts'
import { goAheadFrame } from '../operations/move/frames.ts'
import { writeMove } from '../operations/move/send.ts'
import { lockOperations, type OperationScope } from '../operations/scope.ts'
import { type Moved, readMoved, writeMoved } from '../units/moved.ts'
import { parseArguments, readSeconds, type Usage, usageOf } from './arguments.ts'
import { takeVolume } from './into-volume.ts'
import { openOperation, tell, untilStopped } from './operation.ts'
import { print } from './output.ts'
import { listenToPeer, type Peer } from './peer.ts'
import { startOverAndWait } from './undo.ts'

const usage: Usage = usageOf('send', 'send')

const tellEveryMs = 5000
/** How long requests wait before they get a page, in seconds. */
const usualSeconds = '50'
const nameLimit = 200

/** A line each few seconds: standard error is seldom a terminal here. */
const createTeller = (clock: OperationScope['system']['clock']) => {
  let nextMs = clock.elapsed() + tellEveryMs
  return (read: number, total: number): void => {
    if (clock.elapsed() < nextMs) return
    nextMs = clock.elapsed() + tellEveryMs
    tell(`sent ${Math.round(read / MiB)} MiB; the databases take ${Math.round(total / MiB)} MiB`)
  }
}

type Wanted = { readonly to: string | null; readonly seconds: number }

/** Writes everything, and has it at rest when the last of it is written. Resolves with when that began. */
const writeAll = async (scope: OperationScope, wanted: Wanted, whole: Promise<void>): Promise<number> => {
  const { clock } = scope.system
  const late = Promise.withResolvers<never>()
  let restedMs = 0
  const rest = async (): Promise<void> => {
    tell('the rest is small: Mathesar and Postgres stop now, and visitors wait')
    restedMs = clock.elapsed()
    clock.after(wanted.seconds * 1000, () =>
      late.reject(
        new SupervisorError(
          'MOVE_FAILED',
          `cannot send: the receiver did not have all within ${wanted.seconds} s`,
          { hint: 'Mathesar serves on here. Type the same again with a longer `--within SECONDS`.' },
        ),
      ),
    )
    await holdAtRest()
    tell(`stopped after ${inSeconds(clock.elapsed() - restedMs)}; sending the last of the log`)
  }
  const move = writeMove(scope, { rest, say: tell, onProgress: createTeller(clock) })
  await Promise.race([Promise.all([print(move, 'MOVE_FAILED'), whole]), late.promise])
  return restedMs
}

const unconfirmed = ({ to }: Moved, cause: unknown): SupervisorError =>
  new SupervisorError('MOVE_FAILED', 'cannot tell whether the receiver has all in place: it went away', {
    cause,
    hint:
      `What it said last is on its side${to === null ? '' : ` (${to})`}: "in place" or not. If not, ` +
      '`supervisor send --back` serves from here again. Nothing is lost.',
  })

const send = async (scope: OperationScope, peer: Peer, wanted: Wanted): Promise<void> => {
  const { clock } = scope.system
  tell('waiting for the receiver')
  await peer.hear('ready')
  const whole = peer.hear('whole')
  whole.catch(() => {}) // It is awaited below.
  const restedMs = await writeAll(scope, wanted, whole)
  const moved: Moved = { at: new Date(clock.now()).toISOString(), to: wanted.to, isConfirmed: false }
  writeMoved(scope, moved)
  async function* last(): Bytes & AsyncGenerator<Buffer> {
    yield goAheadFrame()
  }
  try {
    await print(last(), 'MOVE_FAILED')
    await peer.hear('in place')
  } catch (cause) {
    throw unconfirmed(moved, cause)
  }
  writeMoved(scope, { ...moved, isConfirmed: true })
  tell(`moved, ${inSeconds(clock.elapsed() - restedMs)} after the stop: start the other container`)
}

const takeBack = async (scope: OperationScope): Promise<number> => {
  const isAlone = await takeVolume(scope)
  lockOperations(scope)
  if (readMoved(scope) === undefined) return usage('nothing was moved away from here')
  writeMoved(scope, undefined)
  if (isAlone) tell('It serves from here again: start the container on this volume.')
  else {
    tell('The container starts over, and serves from here again.')
    await startOverAndWait(scope.system.clock)
  }
  return 0
}

const requireMovable = async ({ inForce }: OperationScope): Promise<void> => {
  if (isatty(1)) usage('standard output is a terminal: it has to lead to `supervisor receive`')
  if (isatty(0)) usage('standard input is a terminal: what the receiver says has to come in there')
  if (inForce.database.kind === 'external')
    usage('the database is external: start a container with the same settings elsewhere')
  if (await isServing()) return
  throw new SupervisorError('DAEMON_UNREACHABLE', 'cannot send: the supervisor does not run here', {
    hint: 'Start the container, or move the volume as it is: `backup -` there, `restore -` elsewhere.',
  })
}

const options = {
  to: { type: 'string' },
  within: { type: 'string' },
  back: { type: 'boolean', default: false },
} as const

/** Moves everything to another volume, or takes that back. */
export const run = async (args: readonly string[]): Promise<number> => {
  const { positionals, values } = parseArguments(args, options, usage)
  const { to, within, back } = values
  if (positionals.length > 0) return usage('there are too many arguments')
  if (back && (to ?? within) !== undefined) return usage('give --back alone')
  if ((to?.length ?? 0) > nameLimit) return usage(`--to takes a name of up to ${nameLimit} characters`)
  const wanted = { to: to ?? null, seconds: readSeconds(within ?? usualSeconds, usage) }
  const scope = await openOperation()
  if (back) return await takeBack(scope)
  await requireMovable(scope)
  lockOperations(scope)
  requireNoneWaiting(scope, 'send', 'MOVE_FAILED')
  await keepAwake()
  try {
    await untilStopped(send(scope, listenToPeer(), wanted))
    return 0
  } finally {
    process.stdout.destroy() // Nobody may read what is still to be written.
  }
}

import type { Outcome } from '../../../src/core/outcome.ts'
import type { Command } from '../../../src/core/unit.ts'
import type { Gate } from '../../../src/system/gate.ts'
import type { System } from '../../../src/system/ports.ts'

type Start = System['startProcess']
type Output = Parameters<Start>[1]

/** A process that does nothing by itself: a test has it write and exit. A killed one exits. */
export class FakeProcess {
  readonly pid: number
  readonly command: Command
  /** What was sent to it: "SIGTERM" to its leader, "group SIGTERM" to all of it. */
  readonly heard: string[] = []
  readonly ended: Promise<Outcome>
  readonly #output: Output
  readonly #onSignal: (process: FakeProcess, signal: NodeJS.Signals) => void
  readonly #end: (outcome: Outcome) => void
  #hasExited = false

  constructor(
    pid: number,
    [command, output]: Parameters<Start>,
    onSignal: (process: FakeProcess, signal: NodeJS.Signals) => void,
  ) {
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    this.pid = pid
    this.command = command
    this.ended = promise
    this.#output = output
    this.#onSignal = onSignal
    this.#end = resolve
  }

  get hasExited(): boolean {
    return this.#hasExited
  }

  write(text: string): void {
    void this.#output.write(Buffer.from(text))
  }

  exit({ code = null, signal = null }: Partial<Outcome>): void {
    if (this.#hasExited) return
    this.#hasExited = true
    this.#output.flush()
    this.#end({ code, signal })
  }

  hear(signal: NodeJS.Signals, isForGroup: boolean): void {
    if (this.#hasExited) return
    this.heard.push(isForGroup ? `group ${signal}` : signal)
    if (signal === 'SIGKILL') this.exit({ signal })
    else this.#onSignal(this, signal)
  }
}

type FakeGate = { isOpen: boolean; isClosed: boolean; isReleased: boolean; asked: number }
type Ask = (signal: AbortSignal) => Promise<string | undefined>

const openGate = (gate: FakeGate, number: number, ask: Ask): Gate => ({
  fds: [80 + 2 * number, 81 + 2 * number],
  release: () => {
    gate.isReleased = true
  },
  open: () => {
    gate.isOpen = true
  },
  close: () => {
    gate.isClosed = true
  },
  check: (signal) => {
    gate.asked++
    return ask(signal)
  },
})

/** Starts processes that are none. What they do when they start and hear a signal is up to a test. */
export const createProcesses = () => {
  const started: FakeProcess[] = []
  const gates: FakeGate[] = []
  let onStart = (_process: FakeProcess): void => {}
  let onSignal = (_process: FakeProcess, _signal: NodeJS.Signals): void => {}
  let answer: Ask = async () => undefined

  const startProcess: Start = (...given) => {
    const child = new FakeProcess(100 + started.length, given, (...heard) => onSignal(...heard))
    started.push(child)
    onStart(child)
    return {
      pid: child.pid,
      ended: child.ended,
      signal: (signal) => child.hear(signal, false),
      signalGroup: (signal) => child.hear(signal, true),
      killGroup: () => child.hear('SIGKILL', true),
    }
  }
  const createGate = (): Gate => {
    const gate = { isOpen: false, isClosed: false, isReleased: false, asked: 0 }
    return openGate(gate, gates.push(gate), (signal) => answer(signal))
  }

  return {
    startProcess,
    createGate,
    /** Every process that was started, in order. */
    started,
    gates,
    get last(): FakeProcess {
      const last = started.at(-1)
      if (!last) throw new Error('no process was started')
      return last
    },
    get alive(): readonly FakeProcess[] {
      return started.filter(({ hasExited }) => !hasExited)
    },
    onStart: (act: typeof onStart): void => {
      onStart = act
    },
    onSignal: (act: typeof onSignal): void => {
      onSignal = act
    },
    /** What a generation says to a wish to check itself. */
    answerWith: (act: Ask): void => {
      answer = act
    },
  }
}

/** One step of a change. What `undo` does must also be right after `run` has failed midway. */
export type Step = {
  /** What happens, in the words of a progress line: "starting a new generation of Mathesar". */
  readonly name: string
  readonly run: (signal: AbortSignal) => void | Promise<void>
  readonly undo?: () => void | Promise<void>
}

type Run = {
  readonly signal: AbortSignal
  /** Called with each step as it begins. */
  readonly report: (step: string) => void
  /**
   * The point of no return: makes the change durable. What it throws undoes the change as a failed step does.
   */
  readonly commit: () => void
}

const undoAll = async (steps: readonly Step[], { signal, report }: Run): Promise<void> => {
  report('going back')
  for (const { name, undo } of steps.toReversed()) {
    if (signal.aborted) return
    try {
      await undo?.()
    } catch (error) {
      // It must not keep the others from being undone.
      report(`cannot undo "${name}": ${(error as Error).message}`)
    }
  }
}

/**
 * Runs the steps in their order, then commits. Whatever fails before that is undone in reverse order, and the
 * error is thrown again. When `signal` aborts, everything stops: there is nothing to go back to,
 * and the next boot makes what it needs.
 */
export const runSteps = async (steps: readonly Step[], run: Run): Promise<void> => {
  const { signal, report, commit } = run
  const begun: Step[] = []
  try {
    for (const step of steps) {
      signal.throwIfAborted()
      report(step.name)
      begun.push(step)
      await step.run(signal)
    }
    signal.throwIfAborted()
    commit()
  } catch (error) {
    signal.throwIfAborted() // What a step threw then is only how it was cut off.
    await undoAll(begun, run)
    throw error
  }
}

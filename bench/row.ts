// What a measure gives: rows of the table, one a figure.
import type { PeerName } from './peers.ts'
import type { Unit } from './statistics.ts'

/** Columns of the table: the peers, and Node alone for what is compared with it. */
export type Column = PeerName | 'node'

export type Row = {
  readonly figure: string
  readonly unit: Unit
  readonly cells: { readonly [column in Column]?: readonly number[] }
  readonly bar: string
  /** Whether the bar is met; `undefined` where there is none, or the figure could not be taken. */
  readonly met: boolean | undefined
  /** Why there is no figure, or what else there is to know. */
  readonly note?: string
}

/** Rows without figures, and why there are none. */
export const rowsWithout = (
  figures: readonly string[],
  note: string,
  bars: readonly string[] = [],
): readonly Row[] =>
  figures.map((figure, index) => ({
    figure,
    unit: '',
    cells: {},
    bar: bars[index] ?? '',
    met: undefined,
    note,
  }))

/** Requests that failed in each run, which none may. `why` says how, if it is known. */
export const failuresRow = (figure: string, counts: readonly number[], why: Iterable<string> = []): Row => {
  const note = [...why].join('; ')
  return {
    figure,
    unit: '',
    cells: { ours: counts },
    bar: 'none',
    met: counts.every((count) => count === 0),
    ...(note === '' ? {} : { note }),
  }
}

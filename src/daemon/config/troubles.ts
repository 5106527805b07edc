import type { Seen } from '../../core/settling.ts'

/** What keeps edits of the files from being in force, in words. */
export const troublesOf = ({ stale, unusable }: Pick<Seen, 'stale' | 'unusable'>): readonly string[] => [
  ...Object.entries(stale).map(([name, why]) => `edits to ${name} no longer reach this container: ${why}`),
  ...Object.entries(unusable).map(
    ([name, why]) => `cannot read ${name}: ${why}; what it held before stays in force`,
  ),
]

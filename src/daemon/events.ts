import type { UnitName } from '../units/unit.ts'

/** What an instance tells those who subscribe. */
export type InstanceEvent =
  /** Something in the status is different. */
  | { readonly type: 'changed' }
  /** The boot is over, and every service is ready for the first time. */
  | { readonly type: 'ready' }
  /** A service wrote a line with the text that its unit watches for. */
  | { readonly type: 'line'; readonly unit: UnitName; readonly line: string }

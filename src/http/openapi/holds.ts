import type { RouteName } from '../routes.ts'
import type { Operation } from './operation.ts'
import { plain } from './parts.ts'

/** What docs/openapi.json says of what lasts as long as a connection. */
export const holds = {
  'POST /v1/awake': {
    operationId: 'stayAwake',
    summary: 'Wake what sleeps (SLEEP_AFTER), and keep it awake as long as the connection lasts',
    answers: { 200: { description: '`awake`; the answer does not end by itself.', content: plain } },
  },
  'POST /v1/rest': {
    operationId: 'rest',
    summary: 'Stop Mathesar and Postgres, and have visitors wait, as long as the connection lasts',
    description: 'For `supervisor send`. If the volume is marked as moved then, the container starts over.',
    answers: { 200: { description: '`at rest`; the answer does not end by itself.', content: plain } },
    errors: {
      USAGE: 'Not everything is ready',
      MOVE_FAILED: 'Postgres does not keep its log',
    },
  },
} as const satisfies Partial<Record<RouteName, Operation>>

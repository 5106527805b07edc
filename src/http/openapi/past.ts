import { pastRequest } from '../past.ts'
import type { RouteName } from '../routes.ts'
import type { Operation } from './operation.ts'
import { plain } from './parts.ts'

/** What docs/openapi.json says of the moment that is served beside. */
export const past = {
  'POST /v1/past': {
    operationId: 'servePast',
    summary: 'Serve the moment that `supervisor yesterday` has laid ready, as one more server of Mathesar',
    body: {
      schema: pastRequest,
      examples: { hour: { at: '2026-11-26T10:15:00.000Z', seconds: 3600 } },
    },
    answers: { 200: { description: 'Mathesar knows it.', content: plain } },
    errors: {
      CONFIG_INVALID: 'The body is not valid',
      UNDO_REFUSED: 'None lies ready, one is served already, or its server does not start',
    },
  },
  'POST /v1/past/end': {
    operationId: 'endPast',
    summary: 'End that before its time',
    answers: { 200: { description: 'Nothing of it is left.', content: plain } },
    errors: { UNDO_REFUSED: 'None is served' },
  },
} as const satisfies Partial<Record<RouteName, Operation>>

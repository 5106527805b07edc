import type { RouteName } from '../routes.ts'
import { components } from './components.ts'
import type { Operation } from './operation.ts'
import { plain } from './parts.ts'

const health = { 'application/json': components.Health, ...plain }
const mathesar = { 'application/json': components.MathesarHealth }

/** What docs/openapi.json says of what platforms ask. */
export const probes = {
  'GET /livez': {
    operationId: 'readLive',
    summary: 'Whether a restart of the container could help, for platforms; also on the port',
    answers: {
      200: { description: '`live`: the supervisor answers.', content: health },
    },
  },
  'GET /readyz': {
    operationId: 'readReady',
    summary: 'Whether Mathesar takes requests, for platforms; also on the port',
    answers: {
      200: { description: '`ready`', content: health },
      503: { description: '`not ready`', content: health },
    },
  },
  'GET /startupz': {
    operationId: 'readStarted',
    summary: 'Whether everything was ready once, for platforms; also on the port',
    answers: {
      200: { description: '`started`', content: health },
      503: { description: '`not started`', content: health },
    },
  },
  'GET /healthz/live': {
    operationId: 'readMathesarLive',
    summary: "`/livez` in the form of Mathesar's own probe; also on the port",
    answers: {
      200: { description: 'The supervisor answers.', content: mathesar },
    },
  },
  'GET /healthz/ready': {
    operationId: 'readMathesarReady',
    summary: "`/readyz` in the form of Mathesar's own probe; also on the port",
    answers: {
      200: { description: 'It does.', content: mathesar },
      503: { description: 'It does not.', content: mathesar },
    },
  },
} as const satisfies Partial<Record<RouteName, Operation>>

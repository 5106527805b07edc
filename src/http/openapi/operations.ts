import * as v from 'valibot'
import { about } from '../check.ts'
import { defaultLines, maxLines } from '../logs.ts'
import type { RouteName } from '../routes.ts'
import { serviceParameters } from '../services.ts'
import { components } from './components.ts'
import { holds } from './holds.ts'
import type { Operation } from './operation.ts'
import { integer, plain } from './parts.ts'
import { past } from './past.ts'
import { probes } from './probes.ts'

// What docs/openapi.json says of each route. Nothing that runs imports this folder.

const {
  Status,
  Config,
  History,
  ServiceState,
  ChangeRequest,
  ChangeResult,
  Progress,
  Boot,
  SetupState,
  ConsoleState,
} = components
const statusContent = { 'application/json': Status, ...plain }

/** Each route of the table, by its name. */
export const operations: Readonly<Record<RouteName, Operation>> = {
  'GET /v1/status': {
    operationId: 'readStatus',
    summary: 'Phase, units, problems',
    parameters: {
      query: { format: about(v.picklist(['text']), '`text`: as `supervisor status` shows it.') },
    },
    answers: {
      200: { description: 'Mathesar is ready.', content: statusContent },
      503: { description: 'Mathesar is not ready; the same body.', content: statusContent },
    },
  },
  'GET /v1/health': {
    operationId: 'readHealth',
    summary: 'One line, for probes',
    answers: {
      200: { description: '`ready`', content: plain },
      503: { description: '`not ready`, the phase and the problems.', content: plain },
    },
  },
  'GET /v1/logs': {
    operationId: 'readLogs',
    summary: 'The last events of the log',
    parameters: {
      query: {
        unit: about(v.string(), 'Only of this unit, or of `supervisor`.'),
        lines: v.pipe(
          integer,
          v.minValue(1),
          v.maxValue(maxLines),
          v.metadata({ default: defaultLines }),
          v.description(
            `How many events. More than ${maxLines} count as ${maxLines}; anything that is not a whole ` +
              `number above 0 counts as ${defaultLines}.`,
          ),
        ),
        follow: about(
          v.string(),
          'Given, with any value: the answer goes on with each new event until either side ends it. A ' +
            'reader that is 1 MB behind is cut off.',
        ),
      },
    },
    answers: { 200: { description: 'Lines as in the log of the container.', content: plain } },
    errors: { UNIT_UNKNOWN: 'There is no such unit' },
  },
  'POST /v1/services/{name}/{action}': {
    operationId: 'controlService',
    summary: 'Start, stop or restart a service, and wait for the outcome',
    parameters: { path: serviceParameters.entries },
    answers: {
      200: {
        description: 'The state that was reached, also when it is `failed`.',
        content: { 'application/json': ServiceState },
      },
    },
    errors: {
      UNIT_UNKNOWN: 'There is no such service or action',
      USAGE: 'Not while booting or stopping, and not for a service that the settings leave out',
    },
  },
  ...holds,
  'POST /v1/start-over': {
    operationId: 'startOver',
    summary: 'Stop everything in order and boot again in the same container',
    answers: { 200: { description: 'It begins now.', content: plain } },
  },
  ...past,
  'GET /v1/config': {
    operationId: 'readConfig',
    summary: 'Every setting with its schema, value and source; secrets masked',
    answers: {
      200: { description: 'The configuration.', hasVersion: true, content: { 'application/json': Config } },
    },
  },
  'GET /v1/config/history': {
    operationId: 'readHistory',
    summary: 'What changed, when, from where, with what result',
    answers: {
      200: { description: 'The history.', hasVersion: true, content: { 'application/json': History } },
    },
  },
  'GET /v1/config/file': {
    operationId: 'readFile',
    summary: 'mathesar.env as it is, with its secrets',
    answers: {
      200: { description: 'The file; empty when there is none.', hasVersion: true, content: plain },
    },
  },
  'POST /v1/config/changes': {
    operationId: 'proposeChange',
    summary: 'Propose a change, and wait for the outcome',
    description:
      'A transaction: checked, planned, carried out, proved and recorded, or everything stays as it ' +
      'was. With exactly `Accept: application/x-ndjson` the answer is a stream of steps with status 200 ' +
      'as soon as the body is read and valid; its last line has the result or the error. A change goes ' +
      'on when its client disconnects. The body is JSON, whatever its Content-Type.',
    parameters: {
      header: { Accept: about(v.string(), '`application/x-ndjson` for the stream.') },
    },
    body: {
      schema: ChangeRequest,
      examples: {
        set: { base: '6a0087813664', set: { ALLOWED_HOSTS: '192.168.1.5', PUBLIC_URL: null } },
        file: { base: '6a0087813664', file: 'DEBUG=true\n' },
        rollback: { rollback: 'previous' },
        reload: { reload: true },
        plan: { dryRun: true, set: { EMBEDDED_POSTGRES_SHARED_BUFFERS: '512' } },
      },
    },
    answers: {
      200: {
        description: 'The outcome; or the stream.',
        content: { 'application/json': ChangeResult, 'application/x-ndjson': Progress },
      },
    },
    errors: {
      SETTING_PINNED: 'The environment decides this setting',
      CONFIG_CONFLICT:
        'The change was made from a version that is no longer the current one: read again, and make the ' +
        'edit on that. Or too many changes wait, or the container starts over with one: try again when ' +
        'that is done',
      CONFIG_INVALID: 'The body, or what would be in the files, is not valid',
      CONFIG_NOT_CHECKED: 'The parsers of Mathesar did not end',
      SETTING_INVALID: 'A value is not valid',
      DATABASE_SETTINGS_PARTIAL: 'The settings of the database are incomplete',
      DATABASE_NOT_CONFIGURED: 'There would be no database',
      DATABASE_UNREACHABLE: 'The other database does not answer',
      DATABASE_REFUSED: 'The other database answers, and refuses',
      DATABASE_AHEAD: 'A newer Mathesar has migrated the other database',
      DATABASE_LOST: 'The other database was lost again and again',
      MIGRATIONS_FAILED: 'The other database could not be migrated',
      VOLUME_NOT_WRITABLE: 'The file cannot be written',
      USAGE: 'The container is stopping',
      CONFIG_ROLLED_BACK: 'It failed when it was tried, and everything is as it was',
    },
  },
  'GET /v1/setup': {
    operationId: 'readSetup',
    summary: 'The setup code and its link, until there is an administrator',
    answers: {
      200: {
        description: 'How the owner comes in; null once Mathesar is set up.',
        content: { 'application/json': SetupState },
      },
    },
  },
  'POST /v1/console': {
    operationId: 'openConsole',
    summary: 'Open the console in the browser for an hour, and read its code and link',
    answers: {
      200: {
        description: 'How the owner comes in.',
        content: { 'application/json': ConsoleState },
      },
    },
  },
  ...probes,
  'GET /metrics': {
    operationId: 'readMetrics',
    summary: 'What is measured, for Prometheus; on the port for those whom METRICS names',
    answers: { 200: { description: 'The text format of Prometheus.', content: plain } },
    errors: { UNIT_UNKNOWN: 'METRICS names nobody' },
  },
  'GET /supervisor/ca.crt': {
    operationId: 'readAuthority',
    summary: 'The certificate of the authority that TLS=self-signed made',
    answers: {
      200: { description: 'PEM.', content: { 'application/x-x509-ca-cert': v.string() } },
    },
    errors: { UNIT_UNKNOWN: 'There is no authority of our own' },
  },
  'GET /supervisor/boot': {
    operationId: 'readBoot',
    summary: 'What everybody may know of the boot; also on the port',
    answers: {
      200: { description: 'The boot, without messages and names.', content: { 'application/json': Boot } },
    },
  },
  'GET /supervisor/events': {
    operationId: 'followBoot',
    summary: 'The same as it goes on, for the page; also on the port',
    description: 'Each event is {"html", "isServing"}. It ends when the container stops.',
    answers: { 200: { description: 'Server-sent events.', content: { 'text/event-stream': v.string() } } },
  },
}

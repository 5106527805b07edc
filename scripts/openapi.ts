import { type ConversionConfig, toJsonSchema, toJsonSchemaDefs } from '@valibot/to-json-schema'
import type { GenericSchema } from 'valibot'
import { type ErrorCode, errorTable } from '../src/errors.ts'
import { components } from '../src/http/openapi/components.ts'
import type { Operation } from '../src/http/openapi/operation.ts'
import { operations } from '../src/http/openapi/operations.ts'
import { bodyLimitBytes, unreadLimitMs } from '../src/http/exchange.ts'
import { type RouteName, routes } from '../src/http/routes.ts'
import { connectionLimit, headerLimitBytes, requestLimitMs } from '../src/http/server.ts'

type Json = Readonly<Record<string, unknown>>

// A check is code: it has no form in JSON. What it refuses is refused by the rest of its schema, too.
const conversion: ConversionConfig = {
  target: 'draft-2020-12',
  typeMode: 'output',
  ignoreActions: ['check'],
  overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`,
}

const schemaOf = (schema: GenericSchema): Json => {
  const { $schema, $defs, ...converted } = toJsonSchema(schema, { ...conversion, definitions: components })
  return converted
}

/** A description is said once, beside the schema. */
const describedSchema = (schema: GenericSchema): Json => {
  const { description, ...rest } = schemaOf(schema)
  return { description, schema: rest }
}

const control = {
  url: 'http+unix://%2Frun%2Fmathesar%2Fcontrol%2Fsupervisor.sock',
  description:
    '`/run/mathesar/control/supervisor.sock`: everything. Only root and the user that the supervisor runs ' +
    'as may open it. It exists from the first moment of a boot on.',
}
const app = {
  url: 'http+unix://%2Frun%2Fmathesar%2Fapp%2Fconfig.sock',
  description:
    "`/run/mathesar/app/config.sock`: the configuration alone, for Mathesar's own user. It exists only " +
    'when the container is started with `UI_MAY_EDIT_CONFIG=true`, from the first readiness on. ' +
    `An answer of which nothing is read for ${unreadLimitMs / 1000} s is cut off.`,
}

const info = {
  title: 'The control protocol of the supervisor of Mathesar',
  version: '1.0.0',
  license: { name: 'GPL-3.0-only', identifier: 'GPL-3.0-only' },
  description: [
    'HTTP/1.1 on unix sockets: no TCP port is opened.',
    'A connection has one request.',
    `It must come in within ${requestLimitMs / 1000} s,`,
    `with at most ${headerLimitBytes / 1024} KiB of headers and ${bodyLimitBytes / 1024} KiB of body;`,
    `at most ${connectionLimit} connections are open at a time on each socket.`,
    'Whoever may open a socket may use all of it: the permissions of its file are the login.',
    'Other methods and paths are answered with 404.',
    'An answer with a status of 400 or more is an Error, other than the 503 of status and health.',
  ].join(' '),
}

const contentOf = (content: Readonly<Record<string, GenericSchema>>): Json =>
  Object.fromEntries(Object.entries(content).map(([type, schema]) => [type, { schema: schemaOf(schema) }]))

const errorContent = contentOf({ 'application/json': components.Error })

const fault = {
  description: 'A fault of the supervisor or of the machine, such as VOLUME_FULL.',
  content: errorContent,
}

const versionHeader = {
  ETag: {
    description: 'The version in force, in quotes.',
    schema: { type: 'string', pattern: '^"[0-9a-f]{12}"$' },
  },
}

const answersOf = ({ answers }: Operation): Json =>
  Object.fromEntries(
    Object.entries(answers).map(([status, { description, hasVersion, content }]) => [
      status,
      { description, ...(hasVersion ? { headers: versionHeader } : {}), content: contentOf(content) },
    ]),
  )

/** One answer for each status, with the reasons of all the errors that have it. */
const errorsOf = ({ errors = {} }: Operation): Json => {
  const reasons = new Map<number, string[]>()
  for (const [code, when] of Object.entries(errors)) {
    const status = errorTable[code as ErrorCode].httpStatus
    reasons.set(status, [...(reasons.get(status) ?? []), `${when} (${code}).`])
  }
  return Object.fromEntries(
    [...reasons].map(([status, list]) => [status, { description: list.join(' '), content: errorContent }]),
  )
}

const parametersOf = ({ parameters = {} }: Operation): Json => {
  const all = (['path', 'query', 'header'] as const).flatMap((place) =>
    Object.entries(parameters[place] ?? {}).map(([name, schema]) => ({
      name,
      in: place,
      ...(place === 'path' ? { required: true } : {}),
      ...describedSchema(schema),
    })),
  )
  return all.length > 0 ? { parameters: all } : {}
}

const bodyOf = ({ body }: Operation): Json => {
  if (body === undefined) return {}
  const examples = Object.fromEntries(Object.entries(body.examples).map(([name, value]) => [name, { value }]))
  return {
    requestBody: {
      required: true,
      content: { 'application/json': { schema: schemaOf(body.schema), examples } },
    },
  }
}

const operationOf = ({ method, path, access }: (typeof routes)[number]): Json => {
  const operation = operations[`${method} ${path}` as RouteName]
  const { operationId, summary, description } = operation
  return {
    operationId,
    summary,
    ...(description === undefined ? {} : { description }),
    ...(access === 'app' ? { servers: [control, app] } : {}),
    ...parametersOf(operation),
    ...bodyOf(operation),
    responses: {
      ...answersOf(operation),
      ...errorsOf(operation),
      default: { $ref: '#/components/responses/Fault' },
    },
  }
}

/** The OpenAPI document, made of the routes, what is said of them, and their schemas. */
export const describeProtocol = (): Json => {
  const paths: Record<string, Json> = {}
  for (const route of routes)
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route) }
  return {
    openapi: '3.1.1',
    info,
    servers: [control],
    paths,
    components: { responses: { Fault: fault }, schemas: toJsonSchemaDefs(components, conversion) },
  }
}

/** docs/openapi.json. */
export const renderOpenApi = (): string => `${JSON.stringify(describeProtocol(), null, 2)}\n`

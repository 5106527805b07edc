import type { IncomingMessage, ServerResponse } from 'node:http'
import { configFiles, type ConfigFiles, describeSetting } from '../settings/configuration.ts'
import { type Origin, previousGood } from '../settings/history.ts'
import { describeError, excerpt } from '../core/message.ts'
import type { Proposal } from '../settings/proposal.ts'
import { settingNames, type Values } from '../settings/table.ts'
import { SupervisorError, toSupervisorError } from '../errors.ts'
import type { Changes } from '../daemon/config/changes.ts'
import type { Store } from '../daemon/config/store.ts'

const bodyLimitBytes = 512 * 1024

export type ConfigDeps = { readonly changes: Changes; readonly store: Store; readonly inForce: () => Values }

const refuse = (why: string): never => {
  throw new SupervisorError('CONFIG_INVALID', `cannot change the configuration: ${why}`, {
    hint: 'See docs/openapi.json for what the body may hold.',
  })
}
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const readBody = async (request: IncomingMessage): Promise<unknown> => {
  const chunks: Buffer[] = []
  let size = 0
  // Not destroyed when we stop reading: its connection still has to carry the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > bodyLimitBytes) refuse(`the body is larger than ${bodyLimitBytes / 1024} KiB`)
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    return refuse('the body is no JSON')
  }
}

/** The body of a wish to change something, held to its form. */
const readProposal = (body: unknown, from: Origin, { changes, store }: ConfigDeps): Proposal => {
  if (!isRecord(body)) return refuse('the body is no JSON object')
  const known = ['base', 'set', 'file', 'rollback', 'reload', 'dryRun']
  for (const key of Object.keys(body))
    if (!known.includes(key))
      refuse(`the body has a field ${key.slice(0, 40)}, which is none of ${known.join(', ')}`)
  const { base, set, file, rollback, reload = false, dryRun = false } = body
  if (base !== undefined && typeof base !== 'string') return refuse('base is no text')
  if (typeof reload !== 'boolean' || typeof dryRun !== 'boolean')
    return refuse('reload or dryRun is neither true nor false')
  if ([set, file, rollback].filter((way) => way !== undefined).length + Number(reload) !== 1)
    return refuse('give exactly one of set, file, rollback and reload')
  const rest = { from, dryRun, ...(base === undefined ? {} : { base }) }
  if (set !== undefined) {
    if (!isRecord(set) || !Object.values(set).every((value) => value === null || typeof value === 'string'))
      return refuse('set is no object of texts and nulls')
    if (Object.keys(set).length > settingNames.length) return refuse('set names more settings than there are')
    return { ...rest, set: set as Record<string, string | null> }
  }
  if (file !== undefined)
    return typeof file === 'string'
      ? { ...rest, files: { 'mathesar.env': file.toWellFormed() } }
      : refuse('file is no text')
  if (rollback === undefined) return { ...rest, reload: true }
  if (typeof rollback !== 'string') return refuse('rollback is no text')
  const version =
    rollback === 'previous' ? previousGood(store.readHistory(), changes.current.version) : rollback
  const revision = version === undefined ? undefined : store.revision(version)?.files
  if (revision === undefined)
    throw new SupervisorError(
      'CONFIG_INVALID',
      `cannot go back: there is no ${rollback === 'previous' ? 'earlier version' : `version ${rollback.slice(0, 40)}`}`,
      { hint: '`supervisor config history` lists the versions.' },
    )
  return {
    ...rest,
    from: 'rollback',
    revision: Object.fromEntries(configFiles.map((name) => [name, revision[name]])) as ConfigFiles,
  }
}

const answerChange = async (
  request: IncomingMessage,
  response: ServerResponse,
  scope: 'all' | 'config',
  deps: ConfigDeps,
): Promise<void> => {
  const from = scope === 'all' && request.headers['user-agent'] === 'supervisor' ? 'command' : 'interface'
  const proposal = readProposal(await readBody(request), from, deps)
  const streams = request.headers.accept === 'application/x-ndjson'
  const line = (value: unknown): string => `${JSON.stringify(value)}\n`
  if (!streams) {
    const result = line(await deps.changes.propose(proposal, undefined, scope))
    return void response.writeHead(200, { 'content-type': 'application/json' }).end(result)
  }
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  // Whoever goes away stops hearing of it; the change goes on.
  try {
    const result = await deps.changes.propose(
      proposal,
      (step) => void response.write(line({ step: excerpt(step) })),
      scope,
    )
    response.end(line({ result }))
  } catch (thrown) {
    response.end(line({ error: describeError(toSupervisorError(thrown)) }))
  }
}

/**
 * The routes of the configuration:
 *
 *   GET  /v1/config            every setting with its schema, value, source; secrets masked
 *   GET  /v1/config/history    what changed, when, from where, with what result; newest last
 *   POST /v1/config/changes    {base?, dryRun?} and one of {set}, {file}, {rollback}, {reload}; waits for the outcome,
 *                              or streams steps with `Accept: application/x-ndjson`
 *   GET  /v1/config/file       mathesar.env as it is, secrets too: on the supervisor's own socket alone
 *
 * Returns whether the route was one of these.
 */
export const answerConfig = async (
  route: string,
  request: IncomingMessage,
  response: ServerResponse,
  scope: 'all' | 'config',
  deps: ConfigDeps,
): Promise<boolean> => {
  const { changes, store } = deps
  const json = (body: unknown): void =>
    void response
      .writeHead(200, { 'content-type': 'application/json', etag: `"${changes.current.version}"` })
      .end(`${JSON.stringify(body)}\n`)
  switch (route) {
    case 'GET /v1/config': {
      const { version, settings, files, warnings } = changes.current
      json({
        version,
        changing: changes.changing,
        problem: changes.problem ?? null,
        warnings,
        settings: settingNames.map((name) => describeSetting(name, settings, deps.inForce())),
        files: configFiles.filter((name) => files[name] !== undefined),
      })
      return true
    }
    case 'GET /v1/config/history':
      json({ version: changes.current.version, history: store.readHistory() })
      return true
    case 'GET /v1/config/file':
      if (scope === 'config') return false
      response
        .writeHead(200, { 'content-type': 'text/plain; charset=utf-8', etag: `"${changes.current.version}"` })
        .end(changes.current.files['mathesar.env'] ?? '')
      return true
    case 'POST /v1/config/changes':
      await answerChange(request, response, scope, deps)
      return true
    default:
      return false
  }
}

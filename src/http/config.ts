import { describeError, excerpt } from '../core/message.ts'
import { SupervisorError, toSupervisorError } from '../errors.ts'
import { configFiles, type ConfigFiles, describeSetting } from '../settings/configuration.ts'
import { type Origin, previousGood } from '../settings/history.ts'
import type { Proposal } from '../settings/proposal.ts'
import { settingNames } from '../settings/table.ts'
import { type ChangeRequest, readChangeRequest } from './change-request.ts'
import { type Exchange, readJson, sendJson, sendText } from './exchange.ts'
import type { Parts } from './parts.ts'

type Config = Parts['config']

/** The files of a version of the history, or of `previous`. */
export const findRevision = (rollback: string, { changes, store }: Config): ConfigFiles => {
  const version =
    rollback === 'previous' ? previousGood(store.readHistory(), changes.current.version) : rollback
  const files = version === undefined ? undefined : store.revision(version)?.files
  if (files) return files
  const what = rollback === 'previous' ? 'earlier version' : `version ${rollback.slice(0, 40)}`
  throw new SupervisorError('CONFIG_INVALID', `cannot go back: there is no ${what}`, {
    hint: '`supervisor config history` lists the versions.',
  })
}

const originOf = ({ request, access }: Exchange): Origin => {
  if (access === 'app') return 'app'
  return request.headers['user-agent'] === 'supervisor' ? 'command' : 'api'
}

const proposalOf = (change: ChangeRequest, exchange: Exchange, config: Config): Proposal => {
  const from = originOf(exchange)
  const { base, dryRun: isDryRun = false } = change
  const common = { from, isDryRun, ...(base === undefined ? {} : { base }) }
  if ('set' in change) {
    const { set, carries } = change
    const mayCarry = carries !== undefined && exchange.access === 'operator'
    return { ...common, kind: 'set', set, ...(mayCarry ? { carries } : {}) }
  }
  if ('file' in change)
    return { ...common, kind: 'replace', files: { 'mathesar.env': change.file.toWellFormed() } }
  if ('rollback' in change) {
    const files = findRevision(change.rollback, config)
    if (exchange.access === 'operator') return { ...common, from: 'rollback', kind: 'restore', files }
    // The app may write mathesar.env alone.
    return { ...common, kind: 'replace', files: { 'mathesar.env': files['mathesar.env'] } }
  }
  return { ...common, kind: 'reread', reload: true }
}

const etagOf = ({ changes }: Config): { readonly etag: string } => ({ etag: `"${changes.current.version}"` })

/** What `GET /v1/config` answers. */
export type ShownConfig = ReturnType<typeof describeConfig>
export const describeConfig = ({ changes, inForce }: Config) => {
  const { current, isChanging, problem } = changes
  return {
    version: current.version,
    changing: isChanging,
    problem: problem ?? null,
    warnings: current.warnings,
    settings: settingNames.map((name) => describeSetting(name, current.values, inForce.values)),
    files: configFiles.filter((name) => current.files[name] !== undefined),
  }
}

/** What `GET /v1/config/history` answers. */
export type ShownHistory = ReturnType<typeof describeHistory>
export const describeHistory = ({ changes, store }: Config) => ({
  version: changes.current.version,
  history: store.readHistory(),
})

/** Every setting with its schema, value and source; secrets masked. */
export const getConfig = (exchange: Exchange, { config }: Pick<Parts, 'config'>): void =>
  sendJson(exchange, 200, describeConfig(config), etagOf(config))

/** What changed, when, from where, with what result; newest last. */
export const getHistory = (exchange: Exchange, { config }: Pick<Parts, 'config'>): void =>
  sendJson(exchange, 200, describeHistory(config), etagOf(config))

/** mathesar.env as it is, secrets too. */
export const getFile = (exchange: Exchange, { config }: Pick<Parts, 'config'>): void =>
  sendText(exchange, 200, config.changes.current.files['mathesar.env'] ?? '', etagOf(config))

/** Changes the configuration. Answers the outcome, or with `Accept: application/x-ndjson` each step, too. */
export const postChange = async (exchange: Exchange, { config }: Pick<Parts, 'config'>): Promise<void> => {
  const { request, response } = exchange
  const proposal = proposalOf(readChangeRequest(await readJson(exchange)), exchange, config)
  if (request.headers.accept !== 'application/x-ndjson')
    return sendJson(exchange, 200, await config.changes.propose(proposal))
  const line = (value: unknown): string => `${JSON.stringify(value)}\n`
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  // A client that goes away gets no further steps; the change goes on.
  try {
    const result = await config.changes.propose(
      proposal,
      (step) => void response.write(line({ step: excerpt(step) })),
    )
    response.end(line({ result }))
  } catch (error) {
    response.end(line({ error: describeError(toSupervisorError(error)) }))
  }
}

import { getConfig, getFile, getHistory, postChange } from './config.ts'
import { getLive, getMathesarLive, getMathesarReady, getReady, getStarted } from './door/health.ts'
import { getAuthority } from './door/authority.ts'
import { getBoot, getEvents } from './door/page.ts'
import type { Access, Exchange } from './exchange.ts'
import { postConsole } from './console/open.ts'
import { getLogs } from './logs.ts'
import { getMetrics } from './metrics.ts'
import { postPast, postPastEnd } from './past.ts'
import type { Parts } from './parts.ts'
import { postAwake, postRest } from './holds.ts'
import { postService } from './services.ts'
import { getSetup } from './setup.ts'
import { postStartOver } from './start-over.ts'
import { getHealth, getStatus } from './status.ts'

export type Route = {
  readonly method: 'GET' | 'POST'
  /** As in the OpenAPI document: `{name}` stands for one part of the path. */
  readonly path: string
  /** Who may use it beside the operator, who may use all. */
  readonly access: Access
  /** Whether the handler reads the body. */
  readonly hasBody?: boolean
  readonly handle: (exchange: Exchange, parts: Parts) => void | Promise<void>
}

/** The whole protocol. `openapi/` describes each route; docs/openapi.json is generated from both. */
// oxfmt-ignore
export const routes = [
  { method: 'GET',  path: '/v1/status',                   access: 'operator', handle: getStatus },
  { method: 'GET',  path: '/v1/health',                   access: 'operator', handle: getHealth },
  { method: 'GET',  path: '/v1/logs',                     access: 'operator', handle: getLogs },
  { method: 'POST', path: '/v1/services/{name}/{action}', access: 'operator', handle: postService },
  { method: 'POST', path: '/v1/awake',                    access: 'operator', handle: postAwake },
  { method: 'POST', path: '/v1/rest',                     access: 'operator', handle: postRest },
  { method: 'GET',  path: '/v1/config',                   access: 'app',      handle: getConfig },
  { method: 'GET',  path: '/v1/config/history',           access: 'app',      handle: getHistory },
  { method: 'GET',  path: '/v1/config/file',              access: 'operator', handle: getFile },
  { method: 'POST', path: '/v1/config/changes',           access: 'app',      handle: postChange, hasBody: true },
  { method: 'GET',  path: '/v1/setup',                    access: 'operator', handle: getSetup },
  { method: 'POST', path: '/v1/start-over',               access: 'operator', handle: postStartOver },
  { method: 'POST', path: '/v1/past',                     access: 'operator', handle: postPast, hasBody: true },
  { method: 'POST', path: '/v1/past/end',                 access: 'operator', handle: postPastEnd },
  { method: 'POST', path: '/v1/console',                  access: 'operator', handle: postConsole },
  { method: 'GET',  path: '/metrics',                     access: 'visitor', handle: getMetrics },
  { method: 'GET',  path: '/livez',                       access: 'visitor', handle: getLive },
  { method: 'GET',  path: '/readyz',                      access: 'visitor', handle: getReady },
  { method: 'GET',  path: '/startupz',                    access: 'visitor', handle: getStarted },
  { method: 'GET',  path: '/healthz/live',                access: 'visitor', handle: getMathesarLive },
  { method: 'GET',  path: '/healthz/ready',               access: 'visitor', handle: getMathesarReady },
  { method: 'GET',  path: '/supervisor/ca.crt',           access: 'visitor', handle: getAuthority },
  { method: 'GET',  path: '/supervisor/boot',             access: 'visitor', handle: getBoot },
  { method: 'GET',  path: '/supervisor/events',           access: 'visitor', handle: getEvents },
] as const satisfies readonly Route[]

type NameOf<R> = R extends { method: infer Method extends string; path: infer Path extends string }
  ? `${Method} ${Path}`
  : never
/** Such as "GET /v1/config". */
export type RouteName = NameOf<(typeof routes)[number]>

const compiled = routes.map((route: Route) => ({
  route,
  pattern: new RegExp(`^${route.path.replace(/\{(\w+)\}/g, '(?<$1>[^/]{1,80})')}$`),
}))

type Found = { readonly route: Route; readonly parameters: Readonly<Record<string, string>> }

/** The route of a request, and what its path holds; `undefined` where there is none for this access. */
export const findRoute = (method: string | undefined, path: string, access: Access): Found | undefined => {
  // Monitors ask for the head alone. That of a stream would not end.
  const isHead = method === 'HEAD' && access === 'visitor' && path !== '/supervisor/events'
  const asked = isHead ? 'GET' : method
  // Mathesar takes them either way, and so do we.
  const plain = path.startsWith('/healthz/') ? path.replace(/\/$/, '') : path
  for (const { route, pattern } of compiled) {
    const matched = route.method === asked ? pattern.exec(plain) : null
    if (matched && (access === 'operator' || route.access === access))
      return { route, parameters: { ...matched.groups } }
  }
  return undefined
}

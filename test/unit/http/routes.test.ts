import { describe, expect, test } from 'vitest'
import { findRoute, routes } from '../../../src/http/routes.ts'
import { operations } from '../../../src/http/openapi/operations.ts'

const filled = (path: string): string => path.replace('{name}', 'mathesar').replace('{action}', 'stop')

describe('the table of routes', () => {
  test('gives the app the configuration without its secrets, and nothing else', () => {
    const forApp = routes.filter(({ method, path }) => findRoute(method, filled(path), 'app') !== undefined)
    expect(forApp.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /v1/config',
      'GET /v1/config/history',
      'POST /v1/config/changes',
    ])
  })

  test.each(routes)('lets the owner use $method $path', (route) => {
    expect(findRoute(route.method, filled(route.path), 'operator')).toMatchObject({ route })
  })

  test.each(routes)('has no other method for $path', ({ method, path }) => {
    for (const other of ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'get', undefined])
      if (other !== method) expect(findRoute(other, filled(path), 'operator')).toBeUndefined()
  })

  test.each(['/livez', '/readyz', '/startupz', '/healthz/live', '/metrics', '/supervisor/boot'])(
    'answers visitors who ask for the head of %s alone',
    (path) => {
      expect(findRoute('HEAD', path, 'visitor')?.route).toMatchObject({ method: 'GET', path })
    },
  )

  test("has Mathesar's own probes with and without a slash at the end", () => {
    for (const path of ['/healthz/live', '/healthz/ready'])
      for (const asked of [path, `${path}/`])
        expect(findRoute('GET', asked, 'visitor')?.route).toMatchObject({ path })
    expect(findRoute('GET', '/healthz/', 'visitor')).toBeUndefined()
    expect(findRoute('GET', '/healthz/ready//', 'visitor')).toBeUndefined()
  })

  test('has no head of a stream: it would not end', () => {
    expect(findRoute('HEAD', '/supervisor/events', 'visitor')).toBeUndefined()
  })

  test('reads what is in the places of a path', () => {
    expect(findRoute('POST', '/v1/services/postgres/restart', 'operator')?.parameters).toEqual({
      name: 'postgres',
      action: 'restart',
    })
  })

  test.each([
    '/',
    '/v1',
    '/v1/config/',
    '//v1/config',
    '/v1/config\n',
    '/x/v1/config',
    '/V1/config',
    '/v1/config/file/x',
    '/v1/services//stop',
    `/v1/services/${'x'.repeat(81)}/stop`,
    '/v1/services/a/b/stop',
  ])('has nothing at %j', (path) => {
    for (const method of ['GET', 'POST']) expect(findRoute(method, path, 'operator')).toBeUndefined()
  })

  test('says of the same routes that they have a body as their descriptions', () => {
    const named = Object.entries(operations)
    expect(named).toHaveLength(routes.length)
    for (const [name, { body }] of named) {
      const route = routes.find(({ method, path }) => `${method} ${path}` === name)
      expect(route).toBeDefined()
      expect('hasBody' in route!, name).toBe(body !== undefined)
    }
  })
})

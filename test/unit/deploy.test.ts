import { globSync } from 'node:fs'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { chartSchemaPath, renderChartSchema } from '../../scripts/chart.ts'
import { settingNames, variableNames } from '../../src/settings/table.ts'
import { readSettings } from '../../src/settings/values.ts'
import { readTemplate, readToml, readUnit } from '../fixtures/manifests.ts'
import * as schemas from '../fixtures/schemas/platforms.ts'
import { readRoot, root } from './sources.ts'

type Tree = { readonly [key: string]: Tree } & readonly Tree[] & string

const code = { optimize: false } // To make it takes longer than to run it.
const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false, code })
const compose = ajv.compile(JSON.parse(readRoot('test/fixtures/schemas/compose-spec.json')) as object)

type Manifest = {
  readonly read: (text: string) => unknown
  readonly schema: ValidateFunction
  /** The names of the variables that Mathesar's containers get. */
  readonly variables: (tree: Tree) => readonly string[]
  /** Maps whose keys are somebody's own names, by their path. */
  readonly free: RegExp
}

const isNever = /(?!)/
const yaml = (text: string): unknown => parse(text, { merge: true })
const variablesOfService = (tree: Tree): readonly string[] =>
  Object.keys(tree.services?.mathesar?.environment ?? {})
const composeFile: Manifest = {
  read: yaml,
  schema: compose,
  variables: variablesOfService,
  free: /^(services|volumes)$|\.environment$|(^|\.)x-/,
}
const listOf = (items: Tree | undefined): readonly Tree[] => items ?? []
const keysOf = (items: Tree | undefined): string[] => listOf(items).map(({ key }) => String(key))

const manifests: Readonly<Record<string, Manifest>> = {
  'compose/embedded.yaml': composeFile,
  'compose/external.yaml': composeFile,
  'compose/caddy.yaml': composeFile,
  'compose/s3.yaml': composeFile,
  'compose/upstream.yaml': composeFile,
  'casaos/docker-compose.yml': composeFile,
  'umbrel/docker-compose.yml': composeFile,
  'umbrel/umbrel-app.yml': {
    read: yaml,
    schema: ajv.compile(schemas.umbrel),
    variables: () => [],
    free: isNever,
  },
  'podman/mathesar.container': {
    read: readUnit,
    schema: ajv.compile(schemas.quadlet),
    variables: (tree) => listOf(tree.Container?.Environment).map((each) => each.split('=')[0]!),
    free: isNever,
  },
  'podman/mathesar.volume': {
    read: readUnit,
    schema: ajv.compile(schemas.quadlet),
    variables: () => [],
    free: isNever,
  },
  'render/render.yaml': {
    read: yaml,
    schema: ajv.compile(schemas.render),
    variables: (tree) => keysOf(tree.services?.[0]?.envVars),
    free: isNever,
  },
  'fly/fly.toml': {
    read: readToml,
    schema: ajv.compile(schemas.fly),
    variables: (tree) => Object.keys(tree.env!),
    free: /^env$/,
  },
  'railway/railway.json': {
    read: JSON.parse,
    schema: ajv.compile(schemas.railway),
    variables: () => [],
    free: isNever,
  },
  'heroku/heroku.yml': {
    read: yaml,
    schema: ajv.compile(schemas.herokuYml),
    variables: (tree) => Object.keys(tree.setup?.config ?? {}),
    free: /^(setup\.config|build\.docker|run)$/,
  },
  'heroku/app.json': {
    read: JSON.parse,
    schema: ajv.compile(schemas.herokuApp),
    variables: (tree) => Object.keys(tree.env!),
    free: /^(env|formation)$/,
  },
  'cloud-run/service.yaml': {
    read: yaml,
    schema: ajv.compile(schemas.cloudRun),
    variables: (tree) =>
      listOf(tree.spec!.template!.spec!.containers![0]!.env).map(({ name }) => String(name)),
    free: /annotations$/,
  },
  'digitalocean/app.yaml': {
    read: yaml,
    schema: ajv.compile(schemas.digitalOcean),
    variables: (tree) => [...keysOf(tree.services?.[0]?.envs), ...keysOf(tree.jobs?.[0]?.envs)],
    free: isNever,
  },
  'unraid/mathesar.xml': {
    read: readTemplate,
    schema: ajv.compile(schemas.unraid),
    variables: (tree) =>
      listOf(tree.Config)
        .filter(({ Type }) => Type === 'Variable')
        .map(({ Target }) => String(Target)),
    free: isNever,
  },
}

test('a secret that is left as the sample has it is refused, and its value in no message', () => {
  const { services } = yaml(readRoot('deploy/digitalocean/app.yaml')) as Tree
  const left = listOf(services?.[0]?.envs).filter(({ value }) => /edit/i.test(String(value)))
  expect(left.map(({ key }) => String(key))).toEqual(['SECRET_KEY', 'SETUP_CODE'])
  for (const { key, value } of left) {
    const why = `cannot use ${key}: the value is that of a sample, which everybody knows`
    expect(() => readSettings({ [String(key)]: String(value) }, String)).toThrow(why)
  }
})

/** Every copy of the tree in which one key is misspelt, with the path of that key. */
const misspelt = (tree: unknown, free: RegExp, path = ''): readonly (readonly [string, unknown])[] => {
  if (Array.isArray(tree))
    return tree.flatMap((item, at) =>
      misspelt(item, free, path).map(([where, copy]) => [where, tree.with(at, copy)] as const),
    )
  if (typeof tree !== 'object' || tree === null) return []
  const below = (key: string): string => (path === '' ? key : `${path}.${key}`)
  return Object.entries(tree).flatMap(([key, value]) => {
    const { [key]: _, ...rest } = tree as Record<string, unknown>
    const inside = misspelt(value, free, below(key)).map(
      ([where, copy]) => [where, { ...tree, [key]: copy }] as const,
    )
    const isFree = free.test(path) || key.startsWith('x-')
    return isFree ? inside : [...inside, [below(key), { ...rest, [`${key}z`]: value }] as const]
  })
}

describe.each(Object.entries(manifests))('deploy/%s', (path, { read, schema, variables, free }) => {
  const tree = read(readRoot(`deploy/${path}`))

  test('is what its platform takes', () => {
    expect(schema(tree), JSON.stringify(schema.errors)).toBe(true)
  })

  test('is refused with any key misspelt', () => {
    const all = misspelt(tree, free)
    expect(all.length).toBeGreaterThan(0)
    expect(all.filter(([, copy]) => schema(copy)).map(([where]) => where)).toEqual([])
  })

  test('gives no variable but those that the settings know', () => {
    const known = [...variableNames, ...variableNames.map((name) => `${name}_FILE`), 'TZ']
    expect(variables(tree as Tree).filter((name) => !known.includes(name))).toEqual([])
  })
})

describe('the compose files with Mathesar in one container', () => {
  const names = ['embedded', 's3', 'caddy', 'external']
  const textOf = (name: string): string => readRoot(`deploy/compose/${name}.yaml`)

  test('call it as all pages do', () => {
    for (const name of names)
      expect((yaml(textOf(name)) as Tree).services!.mathesar!.container_name, name).toBe('mathesar')
  })

  test('are one installation where it has its own Postgres: another file keeps the data', () => {
    for (const name of ['embedded', 's3', 'caddy']) {
      const { name: project, volumes } = yaml(textOf(name)) as Tree
      expect({ project, volume: volumes!.mathesar!.name }, name).toEqual({
        project: 'mathesar',
        volume: 'mathesar',
      })
    }
  })

  test('name the only .env that Compose reads for them, and Git leaves it out', () => {
    const page = readRoot('docs/deploy/compose.md')
    for (const name of names.filter((each) => textOf(each).includes(':?'))) {
      expect(textOf(name)).toContain('deploy/compose/.env')
      for (const [, needed] of textOf(name).matchAll(/\$\{([A-Z0-9_]+):\?/g)) expect(page).toContain(needed)
    }
    expect(readRoot('.gitignore').split('\n')).toContain('.env')
  })
})

describe('the manifests in deploy/', () => {
  test('are all held by a schema', () => {
    const found = globSync('deploy/**/*.{yaml,yml,json,toml,xml,container,volume}', { cwd: root })
    const others = found
      .map((file) => file.slice('deploy/'.length))
      .filter((file) => !file.startsWith('helm/'))
    expect(others.toSorted()).toEqual(Object.keys(manifests).toSorted())
  })

  test('of CasaOS have what its store shows', () => {
    const { 'x-casaos': shown } = yaml(readRoot('deploy/casaos/docker-compose.yml')) as Record<
      string,
      unknown
    >
    const check = ajv.compile(schemas.casaos)
    expect(check(shown), JSON.stringify(check.errors)).toBe(true)
    for (const [, copy] of misspelt(shown, /^(title|tagline|description)$/)) expect(check(copy)).toBe(false)
  })
})

describe('the Helm chart', () => {
  const schema = JSON.parse(renderChartSchema()) as Tree
  const { $schema: _, ...rest } = schema as Record<string, unknown>
  const check = ajv.compile(rest)
  const values = yaml(readRoot('deploy/helm/mathesar/values.yaml')) as Record<string, unknown>

  test('has the schema of its values and of the settings (npm run docs)', () => {
    expect(readRoot(chartSchemaPath)).toBe(renderChartSchema())
    expect(check(values), JSON.stringify(check.errors)).toBe(true)
  })

  test('describes each value', () => {
    expect(readRoot('deploy/helm/mathesar/README.md')).not.toMatch(/^\|.*\|\s*\|$/m)
  })

  test.each([
    ['a value', { replica: 3 }],
    ['a setting', { settings: { WEB_CONCURENCY: 4 } }],
    ['the form of a setting', { settings: { WEB_CONCURRENCY: 'four' } }],
    ['a secret among the plain settings', { settings: { ADMIN_PASSWORD: 'hunter2' } }],
    ['what the chart sets itself', { settings: { PORT: 9000 } }],
    ['a secret without its key', { secretSettings: { ADMIN_PASSWORD: { name: 'admin' } } }],
    ['root', { runAsUser: 0 }],
  ])('refuses a mistake in %s', (_words, wrong) => {
    expect(check({ ...values, ...wrong })).toBe(false)
  })

  test('takes each setting that is no secret and not its own', () => {
    const { settings, secretSettings } = schema.properties!
    const known = new Set<string>(settingNames)
    for (const { properties } of [settings!, secretSettings!])
      expect(Object.keys(properties!).filter((name) => !known.has(name))).toEqual([])
    expect(Object.keys(settings!.properties!)).toContain('WEB_CONCURRENCY')
    expect(Object.keys(secretSettings!.properties!)).toContain('ADMIN_PASSWORD')
  })

  test('gives the containers no variable but those that the settings know', () => {
    const text = globSync('deploy/helm/mathesar/templates/**/*.{yaml,tpl}', { cwd: root })
      .map(readRoot)
      .join('\n')
    const names = [...text.matchAll(/^ *- name: ([A-Z_]{3,})$/gm)].map(([, name]) => name!)
    expect(names).toContain('SECRET_KEY')
    expect(names.filter((name) => !variableNames.includes(name))).toEqual([])
  })
})

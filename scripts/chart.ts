// What the Helm chart says of itself, made from its values and from the table of settings: schema and README.
import { readFileSync } from 'node:fs'
import { isMap, isScalar, parseDocument, type Pair, type YAMLMap } from 'yaml'
import { settingNames, settingOf, type SettingName } from '../src/settings/table.ts'

const chart = 'deploy/helm/mathesar'
export const chartSchemaPath = `${chart}/values.schema.json`
export const chartReadmePath = `${chart}/README.md`

type Schema = Readonly<Record<string, unknown>>

/** What the chart itself sets, by values of their own. */
const setByChart: readonly SettingName[] = [
  'PORT',
  'BIND_ADDRESS',
  'PUBLIC_URL',
  'STOP_GRACE_PERIOD',
  'DRAIN_DELAY',
  'ON_FAILURE',
  'SECRET_KEY',
  'DATABASE_URL',
]
/** The others of these are parts of the URL, which comes from a Secret. */
const ofTls: readonly SettingName[] = ['POSTGRES_SSLMODE', 'POSTGRES_SSLROOTCERT']
const isFree = (name: SettingName): boolean =>
  !setByChart.includes(name) && (!name.startsWith('POSTGRES_') || ofTls.includes(name))

/** Django's words for true and false, and numbers, may be written without quotes. */
const schemaOfSetting = (name: SettingName): Schema => {
  const { kind, choices, min, max, description } = settingOf(name)
  switch (kind) {
    case 'integer':
      return {
        description,
        type: 'integer',
        minimum: min ?? 0,
        ...(max === undefined ? {} : { maximum: max }),
      }
    case 'boolean':
      return { description, type: 'boolean' }
    case 'choice':
      return { description, enum: choices }
    case 'text':
    case 'url':
    case 'address':
    case 'json':
    case 'path':
    case 'hosts':
    case 'origins':
    case 'server':
    case 'arguments':
    case 'networks':
    case 'names':
    case 'recipients':
    case 'notify':
    case 'updates':
    case 'console':
    case 'duration':
    case 'places':
    case 'schedule':
    case 'retention':
      return { description, type: 'string' }
  }
}

const strict = (properties: Readonly<Record<string, unknown>>): Schema => ({
  type: 'object',
  additionalProperties: false,
  properties,
})

const secretReference: Schema = {
  ...strict({ name: { type: 'string', minLength: 1 }, key: { type: 'string', minLength: 1 } }),
  required: ['name', 'key'],
}

/** Values of which their default does not say what they may be. */
const overrides: Readonly<Record<string, Schema>> = {
  settings: strict(
    Object.fromEntries(
      settingNames
        .filter((name) => isFree(name) && !('secret' in settingOf(name)))
        .map((name) => [name, schemaOfSetting(name)]),
    ),
  ),
  secretSettings: strict(
    Object.fromEntries(settingNames.filter(isFree).map((name) => [name, secretReference])),
  ),
  publicUrl: { type: 'string', pattern: '^(https?://.+)?$' },
  'image.pullPolicy': { enum: ['Always', 'IfNotPresent', 'Never'] },
  'service.type': { enum: ['ClusterIP', 'NodePort', 'LoadBalancer'] },
  'database.url': { type: 'string', pattern: '^(postgres(ql)?://.+)?$' },
  runAsUser: { type: 'integer', minimum: 1 },
  replicas: { type: 'integer', minimum: 0 },
  resources: { type: 'object' },
}

type Entry = { readonly path: string; readonly pair: Pair; readonly comment: string }

const pairsOf = (map: YAMLMap, above = ''): readonly Entry[] =>
  (map.items as readonly Pair[]).map((pair, at) => ({
    path: `${above}${String(pair.key)}`,
    pair,
    // The comment of the first is that of the whole.
    comment: (at === 0 && map.commentBefore) || (isScalar(pair.key) && pair.key.commentBefore) || '',
  }))

const childrenOf = ({ path, pair: { value } }: Entry): readonly Entry[] | undefined =>
  isMap(value) && value.items.length > 0 && overrides[path] === undefined
    ? pairsOf(value, `${path}.`)
    : undefined

const typeOf = (value: unknown): Schema => {
  if (isMap(value)) return { type: 'object' }
  if (!isScalar(value)) return { type: 'array' }
  return { type: typeof value.value === 'number' ? 'integer' : typeof value.value }
}

const descriptionOf = ({ comment }: Entry): string | undefined => /^ -- (.*)$/m.exec(comment)?.[1]

const schemaOf = (entry: Entry): Schema => {
  const children = childrenOf(entry)
  if (children !== undefined) return propertiesOf(children)
  const description = descriptionOf(entry)
  return { ...(description && { description }), ...(overrides[entry.path] ?? typeOf(entry.pair.value)) }
}

const propertiesOf = (entries: readonly Entry[]): Schema =>
  strict(Object.fromEntries(entries.map((entry) => [String(entry.pair.key), schemaOf(entry)])))

const readValues = (): readonly Entry[] => {
  const text = readFileSync(new URL(`../${chart}/values.yaml`, import.meta.url), 'utf8')
  const { contents, commentBefore } = parseDocument(text)
  if (!isMap(contents)) throw new Error(`cannot read ${chart}/values.yaml: it is not a map: ${commentBefore}`)
  return pairsOf(contents)
}

/** The schema that Helm holds each install and upgrade to. */
export const renderChartSchema = (): string => {
  const properties = propertiesOf(readValues()).properties as Readonly<Record<string, unknown>>
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    ...strict({ ...properties, global: { type: 'object' } }),
  }
  return `${JSON.stringify(schema, null, 2)}\n`
}

const rowsOf = (entry: Entry): readonly string[] => {
  const children = childrenOf(entry)
  if (children !== undefined) return children.flatMap(rowsOf)
  const { value } = entry.pair
  const text = isScalar(value) ? JSON.stringify(value.value) : JSON.stringify(value)
  return [`| \`${entry.path}\` | \`${text}\` | ${descriptionOf(entry) ?? ''} |`]
}

/** The rows of the table of values. */
export const renderChartValues = (): readonly string[] => [
  '| Value | Default | What it is |',
  '|---|---|---|',
  ...readValues().flatMap(rowsOf),
]

import { Ajv2020 } from 'ajv/dist/2020.js'
import type { InferOutput } from 'valibot'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { describeProtocol, renderOpenApi } from '../../../scripts/openapi.ts'
import type { describeError } from '../../../src/core/message.ts'
import type { Problem, Status, UnitStatus } from '../../../src/core/status.ts'
import type { UnitState } from '../../../src/core/unit.ts'
import type { ChangeResult } from '../../../src/daemon/config/change.ts'
import type { ControlAction } from '../../../src/daemon/control.ts'
import { errorTable } from '../../../src/errors.ts'
import type { describeConfig, describeHistory } from '../../../src/http/config.ts'
import type { components } from '../../../src/http/openapi/components.ts'
import { operations } from '../../../src/http/openapi/operations.ts'
import type { serviceParameters } from '../../../src/http/services.ts'
import type { DescribedSetting } from '../../../src/settings/configuration.ts'
import type { HistoryEntry } from '../../../src/settings/history.ts'
import type { Action, SettingName } from '../../../src/settings/table.ts'
import { readRoot, sources } from '../sources.ts'

const text = renderOpenApi()
const { schemas } = describeProtocol().components as { schemas: Readonly<Record<string, object>> }

describe('docs/openapi.json', () => {
  test('is as `npm run docs` writes it', () => {
    expect(readRoot('docs/openapi.json')).toBe(text)
  })

  test('refers to every schema that it has, and to no other', () => {
    const used = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name!)
    expect([...new Set(used)].sort()).toEqual(Object.keys(schemas).sort())
  })

  test('has schemas that can be compiled, and examples that are valid', () => {
    const code = { optimize: false }
    const ajv = new Ajv2020({ strict: true, validateFormats: false, allowUnionTypes: true, code })
    ajv.addVocabulary(['openapi', 'info', 'servers', 'paths', 'components', 'example'])
    ajv.addSchema(describeProtocol(), 'openapi.json')
    for (const name of Object.keys(schemas))
      expect(() => ajv.compile({ $ref: `openapi.json#/components/schemas/${name}` }), name).not.toThrow()
    const isRequest = ajv.compile({ $ref: 'openapi.json#/components/schemas/ChangeRequest' })
    for (const [name, example] of Object.entries(operations['POST /v1/config/changes'].body!.examples))
      expect(isRequest(example), name).toBe(true)
  })

  test('has the status of each error from the table of errors', () => {
    const { paths } = describeProtocol() as {
      paths: Record<string, Record<string, { responses: Record<string, { description?: string }> }>>
    }
    for (const [route, { errors = {} }] of Object.entries(operations)) {
      const [method, path] = route.split(' ') as [string, string]
      for (const code of Object.keys(errors) as (keyof typeof errors)[]) {
        const { responses } = paths[path]![method.toLowerCase()]!
        expect(responses[errorTable[code].httpStatus]?.description, `${route} ${code}`).toContain(`(${code})`)
      }
    }
  })
})

describe('what is only for the document', () => {
  test('is imported by nothing that runs', () => {
    const users = [...sources].filter(
      ([path, code]) => !path.startsWith('src/http/openapi/') && /from '[^']*\/document\//.test(code),
    )
    expect(users.map(([path]) => path)).toEqual([])
  })
})

/**
 * As the document has it: nothing is `readonly`, and a setting may have any name, for more of them will come.
 */
type Documented<T> = [T, SettingName] extends [string, T] ? string : DocumentedFields<T>
type DocumentedFields<T> = T extends object ? { -readonly [Key in keyof T]: Documented<T[Key]> } : T
type Schema<Name extends keyof typeof components> = InferOutput<(typeof components)[Name]>

// Checked by `npm test -- types`: a field, a state or a code that only one side has is an error there.
describe('the schema of each answer', () => {
  test('is the type of the answer', () => {
    expectTypeOf<Schema<'Status'>>().toEqualTypeOf<Documented<Status>>()
    expectTypeOf<Schema<'Unit'>>().toEqualTypeOf<Documented<UnitStatus>>()
    expectTypeOf<Schema<'UnitState'>>().toEqualTypeOf<UnitState>()
    expectTypeOf<Schema<'Problem'>>().toEqualTypeOf<Documented<Problem>>()
    expectTypeOf<Schema<'Action'>>().toEqualTypeOf<Action>()
    expectTypeOf<Schema<'Config'>>().toEqualTypeOf<Documented<ReturnType<typeof describeConfig>>>()
    expectTypeOf<Schema<'Setting'>>().toEqualTypeOf<Documented<DescribedSetting>>()
    expectTypeOf<Schema<'History'>>().toEqualTypeOf<Documented<ReturnType<typeof describeHistory>>>()
    expectTypeOf<Schema<'HistoryEntry'>>().toEqualTypeOf<Documented<HistoryEntry>>()
    expectTypeOf<Schema<'ChangeResult'>>().toEqualTypeOf<Documented<ChangeResult>>()
    expectTypeOf<Schema<'Error'>>().toEqualTypeOf<ReturnType<typeof describeError>>()
    expectTypeOf<InferOutput<typeof serviceParameters>['action']>().toEqualTypeOf<ControlAction>()
  })
})

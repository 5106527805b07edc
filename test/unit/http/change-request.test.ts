import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SupervisorError } from '../../../src/errors.ts'
import { readChangeRequest } from '../../../src/http/change-request.ts'
import { settingNames } from '../../../src/settings/table.ts'
import { describeProtocol } from '../../../scripts/openapi.ts'
import { anyCharacter } from '../characters.ts'
import { runs, runsTimeoutMs } from '../runs.ts'

// The document itself is checked in openapi.test.ts.
const ajv = new Ajv2020({ strict: false, validateFormats: false, validateSchema: false })
ajv.addSchema(describeProtocol(), 'openapi.json')
const isDocumented = ajv.compile({ $ref: 'openapi.json#/components/schemas/ChangeRequest' })

/** Why a body is refused; nothing when it is not. */
const whyRefused = (body: unknown): string => {
  try {
    readChangeRequest(body)
    return ''
  } catch (error) {
    if (!(error instanceof SupervisorError) || error.code !== 'CONFIG_INVALID') throw error
    return error.message.replace(/^cannot change the configuration: /, '')
  }
}

describe('a request to change the configuration', () => {
  test.each([
    { set: {} },
    { set: { DEBUG: 'true', PUBLIC_URL: null } },
    { set: { DEBUG: 'true' }, base: '6a0087813664', dryRun: true },
    { file: '' },
    { file: 'x'.repeat(65_536) },
    { rollback: 'previous' },
    { reload: true, dryRun: false },
  ])('may be %j', (body) => {
    expect(readChangeRequest(body)).toEqual(body)
  })

  const exactlyOne = 'give exactly one of set, file, rollback and reload'
  test.each([
    [null, 'the body must be a JSON object'],
    [[], 'the body must be a JSON object'],
    ['set', 'the body must be a JSON object'],
    [{}, exactlyOne],
    [{ base: 'x' }, exactlyOne],
    [{ set: {}, file: '' }, exactlyOne],
    [{ set: {}, reload: false }, exactlyOne],
    [{ base: 1, set: {} }, 'base must be a string'],
    [{ base: 'x'.repeat(81), set: {} }, 'base must be at most 80 characters long'],
    [{ set: {}, dryRun: 'no' }, 'dryRun must be true or false'],
    [{ set: {}, more: 1 }, 'more is not a known field: there is set, carries, base, dryRun'],
    [{ reload: true, more: 1 }, 'more is not a known field: there is reload, base, dryRun'],
    [{ reload: true, constructor: 1 }, 'constructor is not a known field: there is reload, base, dryRun'],
    [{ reload: false }, 'reload must be true'],
    [{ file: null }, 'file must be a string'],
    [{ file: 'x'.repeat(65_537) }, 'file must be at most 65536 characters long'],
    [{ rollback: { toString: 1 } }, 'rollback must be a string'],
    [{ set: null }, 'set must be an object of strings and nulls'],
    [{ set: [] }, 'set must be an object of strings and nulls'],
    [{ set: { constructor: 'x' } }, 'set must be an object of strings and nulls'],
    [JSON.parse('{"set": {"__proto__": "x"}}'), 'set must be an object of strings and nulls'],
    [
      JSON.parse('{"reload": true, "__proto__": {}}'),
      '__proto__ is not a known field: there is reload, base, dryRun',
    ],
    [{ set: { DEBUG: true } }, 'set.DEBUG must be a string or null'],
    [{ set: { DEBUG: 'x'.repeat(65_537) } }, 'set.DEBUG must be at most 65536 characters long'],
    [{ set: { ['A'.repeat(81)]: 'x' } }, `set.${'A'.repeat(40)} must be at most 80 characters long`],
    [
      {
        set: Object.fromEntries(
          Array.from({ length: settingNames.length + 1 }, (_, index) => [`A${index}`, 'x']),
        ),
      },
      `set must not name more than the ${settingNames.length} settings`,
    ],
  ])('is refused with its reason: %j', (body, why) => {
    expect(whyRefused(body)).toBe(why)
  })

  const field = fc.constantFrom(
    'set',
    'file',
    'rollback',
    'reload',
    'base',
    'dryRun',
    'more',
    '__proto__',
    'constructor',
  )
  const value = fc.oneof(
    fc.constantFrom(
      true,
      false,
      null,
      'previous',
      '',
      {},
      [],
      'x'.repeat(81),
      'x'.repeat(65_537),
      '😀'.repeat(81),
    ),
    fc.dictionary(
      fc.oneof(fc.constantFrom('DEBUG', 'PORT', 'x'.repeat(81)), fc.string({ unit: anyCharacter })),
      fc.oneof(
        { weight: 9, arbitrary: fc.option(fc.string()) },
        { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
      ),
    ),
    fc.jsonValue({ maxDepth: 3 }),
  )
  const body = fc.oneof(
    {
      weight: 9,
      arbitrary: fc.array(fc.tuple(field, value), { maxLength: 4 }).map((entries) => asJson(entries)),
    },
    { weight: 1, arbitrary: fc.jsonValue() },
  )

  test(
    'is taken if the OpenAPI document says so, whatever it holds',
    () => {
      fc.assert(
        fc.property(body, (any) => {
          // What the two count in different units, and names that no setting has, are refused all the same.
          fc.pre(!/😀|"(__proto__|constructor|prototype)"/.test(JSON.stringify(any)))
          expect(whyRefused(any) === '').toBe(isDocumented(any))
        }),
        runs(150),
      )
    },
    runsTimeoutMs,
  )

  test(
    'is never taken if the OpenAPI document refuses it',
    () => {
      fc.assert(
        fc.property(body, (any) => {
          if (!isDocumented(any)) expect(whyRefused(any)).not.toBe('')
        }),
        runs(150),
      )
    },
    runsTimeoutMs,
  )

  test(
    'is refused without a value of it in the reason',
    () => {
      const secret = 'hunter2-hunter2'
      fc.assert(
        fc.property(
          field,
          fc.constantFrom<unknown>(
            secret,
            [secret],
            { DEBUG: [secret] },
            { DEBUG: { a: secret } },
            { DATABASE_URL: secret.repeat(9000) },
          ),
          (name, any) => {
            expect(whyRefused({ [name]: any, more: secret })).not.toContain(secret)
            expect(whyRefused({ [name]: any })).not.toContain(secret)
          },
        ),
        runs(200),
      )
    },
    runsTimeoutMs,
  )
})

/** As JSON.parse would make it: `__proto__` is a name like any other. */
function asJson(entries: readonly (readonly [string, unknown])[]): unknown {
  return JSON.parse(
    `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`,
  )
}

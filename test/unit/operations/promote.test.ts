import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { envLine, givenToOthers } from '../../../src/operations/promote/export.ts'
import { readFile } from '../configurations.ts'
import { keepGaps, withGaps } from '../../../src/operations/promote/gaps.ts'
import { differencesOf, type Names, numbersOf, type Table } from '../../../src/operations/promote/names.ts'
import {
  divideDump,
  forOlder,
  provedLater,
  restOf,
  rightsFor,
} from '../../../src/operations/promote/shape.ts'
import { requireOtherUser } from '../../../src/operations/promote/free.ts'
import { commandsFor } from '../../../src/operations/promote/prepare.ts'
import { completed, mapColumns, oidsIn, unknownIn } from '../../../src/operations/promote/references.ts'
import { formatDatabaseUrl, parseDatabaseUrl } from '../../../src/settings/database-url.ts'

const table = (columns: Table['columns'], oid = 1): Table => ({
  schema: 'public',
  name: 'odd "name',
  oid,
  kind: 'r',
  columns,
})

const entry = (columns: readonly string[]): string => `SET x = 1;

--
-- Name: odd
--

CREATE TABLE "public"."odd ""name" (
    ${columns.join(',\n    ')}
);


--
-- Name: next
--
`

describe('a table whose columns were dropped', () => {
  test('gets a stand-in for each, before the column that follows or behind the last', () => {
    const made = keepGaps(
      entry(['"a" integer NOT NULL', '"b" "text" DEFAULT \'x\n    "c" text\'', '"c" "text"']),
      [table([null, 'a', 'b', null, null, 'c', null])],
    )
    expect(made).toBe(`SET x = 1;

--
-- Name: odd
--

CREATE TABLE "public"."odd ""name" (
    "........pg.dropped.1........" integer,
    "a" integer NOT NULL,
    "b" "text" DEFAULT 'x
    "........pg.dropped.4........" integer,
    "........pg.dropped.5........" integer,
    "c" text',
    "c" "text"
);

ALTER TABLE "public"."odd ""name" ADD COLUMN "........pg.dropped.7........" integer;
ALTER TABLE "public"."odd ""name" DROP COLUMN "........pg.dropped.1........";
ALTER TABLE "public"."odd ""name" DROP COLUMN "........pg.dropped.4........";
ALTER TABLE "public"."odd ""name" DROP COLUMN "........pg.dropped.5........";
ALTER TABLE "public"."odd ""name" DROP COLUMN "........pg.dropped.7........";


--
-- Name: next
--
`)
  })

  test('is one of those that a command makes: a view has none', () => {
    const [whole, holed] = [table(['a']), table(['a', null])]
    expect(withGaps([whole, holed, { ...holed, kind: 'v' }])).toEqual([holed])
  })
})

test('the comment of the schema public is nothing of the dump, whatever it says', () => {
  const other = `COMMENT ON SCHEMA "sales" IS 'of sales';`
  const all = `COMMENT ON SCHEMA "public" IS 'It''s\nours;';\n${other}\n`
  expect(keepGaps(all, [])).toBe(`\n${other}\n`)
})

describe('an extension', () => {
  test('gets its schema, and nobody makes one of Postgres', () => {
    expect(commandsFor({ name: 'a"b', schema: 'ext' })).toEqual({
      schema: 'CREATE SCHEMA IF NOT EXISTS "ext"',
      extension: 'CREATE EXTENSION IF NOT EXISTS "a""b" SCHEMA "ext"',
    })
    expect(commandsFor({ name: 'plperl', schema: 'pg_catalog' }).schema).toBeUndefined()
  })
  test('is in a schema that the dump makes, too, which is no fault', () => {
    const made = (text: string): string =>
      `--\n-- Name: ext; Type: SCHEMA; Schema: -; Owner: -\n--\n\n${text} "ext";\n\n\n`
    const text = "SELECT '\nCREATE SCHEMA x';\n"
    expect(keepGaps(made('CREATE SCHEMA') + text, [])).toBe(made('CREATE SCHEMA IF NOT EXISTS') + text)
  })
})

test("the user of the URL is none of the roles that go along, but Mathesar's own", () => {
  const roles = ['mathesar', 'admin']
  expect(() => requireOtherUser('admin', 'mathesar', roles)).toThrow('its user admin has the name of a role')
  for (const user of ['mathesar', 'other']) requireOtherUser(user, 'mathesar', roles)
})

test('rights are given as they were passed on, and those of others are left out', () => {
  const roles = [
    { name: 'bob', isOurs: true },
    { name: 'pg_monitor', isOurs: false },
  ]
  const all = [
    'GRANT SELECT ON TABLE "a" TO "bob" WITH GRANT OPTION;',
    'SET SESSION AUTHORIZATION "bob";',
    'GRANT SELECT ON TABLE "a" TO "pg_monitor";',
    'RESET SESSION AUTHORIZATION;',
    'GRANT SELECT ON TABLE "a" TO "postgres";',
    'ALTER DEFAULT PRIVILEGES FOR ROLE "pg_monitor" IN SCHEMA "s" GRANT SELECT ON TABLES TO "bob";',
    'ALTER DEFAULT PRIVILEGES FOR ROLE "bob" GRANT SELECT ON TABLES TO PUBLIC;',
  ]
  const { sql, left } = rightsFor(all.join('\n'), roles)
  expect(left.map((command) => `${command};`)).toEqual([all[4], all[5]])
  expect(sql.split('\n')).toEqual([all[0], 'SET ROLE "bob";', all[2], 'RESET ROLE;', '', '', all[6]])
})

describe('the names of before and after', () => {
  const names = (oid: number, columns: Table['columns']): Names => ({
    schemas: [{ name: 'public', oid: oid + 100 }],
    tables: [table(columns, oid)],
  })
  test('give the map of their numbers', () => {
    const { tables, schemas } = numbersOf(names(1, ['a']), names(7, ['a']))
    expect([[...tables], [...schemas]]).toEqual([[[1, 7]], [[101, 107]]])
  })
  test('tell the tables whose columns have other numbers, or are not there', () => {
    expect(differencesOf(names(1, ['a', null, 'b']), names(7, ['a', null, 'b']))).toEqual([])
    expect(differencesOf(names(1, ['a', null, 'b']), names(7, ['a', 'b']))).toEqual(['public.odd "name'])
    expect(differencesOf(names(1, ['a']), { schemas: [], tables: [] })).toEqual(['public.odd "name'])
  })
})

describe('what Mathesar keeps by number', () => {
  const columns = [
    { alias: 'a', attnum: 1 },
    {
      alias: 'b',
      attnum: 2,
      join_path: [
        [
          [10, 2],
          [11, 1],
        ],
        [
          [11, 3],
          [12, 1],
        ],
      ],
    },
    {
      alias: 'c',
      id: 4,
      jp_path: [
        [
          [10, 4],
          [13, 1],
        ],
      ],
    },
    'anything',
    null,
  ]
  test('is found in the paths of explorations, and nothing else of them changes', () => {
    expect(oidsIn(columns)).toEqual([10, 11, 11, 12, 10, 13])
    expect(mapColumns(columns, (oid) => oid + 100)).toEqual([
      { alias: 'a', attnum: 1 },
      {
        alias: 'b',
        attnum: 2,
        join_path: [
          [
            [110, 2],
            [111, 1],
          ],
          [
            [111, 3],
            [112, 1],
          ],
        ],
      },
      {
        alias: 'c',
        id: 4,
        jp_path: [
          [
            [110, 4],
            [113, 1],
          ],
        ],
      },
      'anything',
      null,
    ])
  })
  test('keeps its form whatever it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(mapColumns(value, (oid) => oid)).toEqual(value)
      }),
    )
  })
  test('that leads nowhere leads nowhere afterwards, and never to what has its number now', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 16_384, max: 20_000 }), { minLength: 1, maxLength: 20 }),
        fc.array(fc.integer({ min: 16_384, max: 20_000 }), { maxLength: 20 }),
        (tables, referred) => {
          const map = new Map(tables.map((oid, index) => [oid, 16_384 + index] as const))
          const whole = completed(map, referred)
          for (const oid of referred) expect([...map.values()].includes(whole.get(oid)!)).toBe(map.has(oid))
          expect(new Set(whole.values()).size).toBe(whole.size)
        },
      ),
    )
  })
  test('is refused where it is in a column that nobody knows', () => {
    const known = [
      { column: 'mathesar_form.schema_oid', type: 'bigint' },
      { column: 'mathesar_formfield.styling', type: 'jsonb' },
      { column: 'mathesar_form.name', type: 'text' },
    ]
    expect(unknownIn(known)).toEqual([])
    expect(
      unknownIn([
        ...known,
        { column: 'mathesar_chart.table_oid', type: 'bigint' },
        { column: 'mathesar_form.look', type: 'jsonb' },
        { column: 'mathesar_chart.attnums', type: 'integer[]' },
      ]),
    ).toEqual(['mathesar_chart.table_oid', 'mathesar_form.look', 'mathesar_chart.attnums'])
  })
})

describe('a DATABASE_URL', () => {
  test.each([
    'postgres://a:b@host:5432/db',
    'postgres://a@one:6543,two:6543/db?sslmode=verify-full&sslrootcert=%2Fca.pem',
    'postgres://a%40b:p%2Fw%3A@[::1]:5432/d%20b?channel_binding=require',
    'postgres://a@%2Frun%2Fsocket:5432/db',
  ])('says the same once it is read and written: %s', (text) => {
    const read = parseDatabaseUrl(text)
    expect(parseDatabaseUrl(formatDatabaseUrl(read))).toEqual(read)
  })
})

describe('a setting that is printed for another Mathesar', () => {
  test('has no quotes where Docker and Compose read it alike, and else those of Compose', () => {
    expect(envLine('POSTGRES_HOST', 'db.example.org')).toBe('POSTGRES_HOST=db.example.org\n')
    for (const value of ['{"a": 1}', 'a$b', 'a#b', 'a b', '"a"'])
      expect(envLine('NAME', value)).toContain(`\nNAME='${value}'\n`)
    expect(envLine('NAME', "it's")).toContain("NAME='it\\'s'")
    const text = 'OIDC_CONFIG_DICT={"a":{}}\nMATHESAR_INSTANCE_NAME=Ours\nWEB_THREADS=2\n'
    expect(givenToOthers(readFile(text).values)).toEqual([
      ['OIDC_CONFIG_DICT', '{"a":{}}'],
      ['MATHESAR_INSTANCE_NAME', 'Ours'],
    ])
  })
})

describe('the parts of a dump', () => {
  const head = '--\n-- PostgreSQL database dump\n--\n\nSET x = 1;\n'
  const entryOf = (type: string, sql: string): string =>
    `\n--\n-- Name: some; Type: ${type}; Schema: public; Owner: -\n--\n\n${sql}\n\n`
  const end = '\n--\n-- PostgreSQL database dump complete\n--\n\n'
  const made = entryOf('TABLE', 'CREATE TABLE a ();') + entryOf('FUNCTION', 'CREATE FUNCTION f();')
  const keys =
    entryOf('CONSTRAINT', 'PRIMARY KEY') + entryOf('INDEX', 'CREATE INDEX') + entryOf('COMMENT', 'i')
  const rest = entryOf('TRIGGER', 'CREATE TRIGGER') + entryOf('INDEX', 'of a view') + entryOf('ACL', 'GRANT')

  test('are the tables, then keys, then the rest from the first that is neither', () => {
    const [tables, whole] = [head + made + end, head + made + keys + rest + end]
    const parts = divideDump(tables, whole)
    expect(parts).toEqual({ head, tables, keys, keysAt: whole.indexOf(keys), restAt: whole.indexOf(rest) })
    expect(restOf(whole, parts!)).toBe(head + rest + end)
  })
  test('have checks among the keys, with their comments, behind the rows', () => {
    const checks = entryOf('CHECK CONSTRAINT', 'NOT VALID') + entryOf('COMMENT', 'of it')
    const whole = head + made + entryOf('CONSTRAINT', 'UNIQUE') + checks + keys + rest + end
    const parts = divideDump(head + made + end, whole)
    expect(parts?.keys).toBe(entryOf('CONSTRAINT', 'UNIQUE') + keys)
    expect(restOf(whole, parts!)).toBe(head + checks + rest + end)
  })
  test('are not cut where a text or a name only looks like an entry', () => {
    const texts = ["it''s", `a "`, '-- b'].map((text) => text + entryOf('TRIGGER', 'GRANT alice TO bob;'))
    const odd = entryOf('COMMENT', `COMMENT ON INDEX "a'""${texts[0]}" IS '${texts.join('')}';`)
    const whole = head + made + keys + odd + keys + rest + end
    const parts = divideDump(head + made + end, whole)
    expect(parts?.keys).toBe(keys + odd + keys)
    expect(restOf(whole, parts!)).toBe(head + rest + end)
  })
  test('may be empty', () => {
    expect(divideDump(head + end, head + end)).toEqual({
      head,
      tables: head + end,
      keys: '',
      keysAt: head.length,
      restAt: head.length,
    })
    expect(divideDump(head + made + end, head + made + end)?.keys).toBe('')
  })
  test('are none where the two dumps are of different tables', () => {
    expect(divideDump(head + made + end, head + keys + end)).toBeUndefined()
    expect(divideDump('', '')).toBeUndefined()
  })

  const key = `ALTER TABLE ONLY "a"."b ""c;"
    ADD CONSTRAINT "d" FOREIGN KEY ("e") REFERENCES "a"."f"("g") ON DELETE CASCADE`
  test('that are foreign keys are proved later, unless a table has partitions', () => {
    expect(provedLater(`${key};\n\n${key};\n`)).toBe(`${key} NOT VALID;\n\n${key} NOT VALID;\n`)
    for (const same of [`${key} NOT VALID;\n`, `${key.replace(' ONLY', '')};\n`])
      expect(provedLater(same)).toBe(same)
  })
  test('have no setting that older servers do not know', () => {
    expect(forOlder('SET a = 0;\nSET transaction_timeout = 0;\nSET b = 0;\n')).toBe(
      'SET a = 0;\nSET b = 0;\n',
    )
  })
})

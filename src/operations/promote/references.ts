import { isRecord } from '../../core/record.ts'
import type { Numbers, OidMap } from './names.ts'

/**
 * What Mathesar keys by the OID of a table or schema, as of 0.11. Columns keep their numbers, so nothing that
 * is keyed by an attnum changes. A column that looks like one of these and is in none of the lists is a
 * reason to refuse: see `unknownIn`.
 */
type Field = { readonly table: string; readonly column: string; readonly of: keyof Numbers }

export const fields: readonly Field[] = [
  { table: 'mathesar_tablemetadata', column: 'table_oid', of: 'tables' },
  { table: 'mathesar_columnmetadata', column: 'table_oid', of: 'tables' },
  { table: 'mathesar_explorations', column: 'base_table_oid', of: 'tables' },
  { table: 'mathesar_explorations', column: 'schema_oid', of: 'schemas' },
  { table: 'mathesar_form', column: 'base_table_oid', of: 'tables' },
  { table: 'mathesar_form', column: 'schema_oid', of: 'schemas' },
  { table: 'mathesar_formfield', column: 'related_table_oid', of: 'tables' },
]

/** Keyed by numbers of columns, which stay. */
const byAttnum = [
  'mathesar_columnmetadata.attnum',
  'mathesar_tablemetadata.mathesar_added_pkey_attnum',
  'mathesar_tablemetadata.user_tracking_attnum',
  'mathesar_formfield.column_attnum',
]

/** JSON, of which only the paths of explorations hold OIDs. */
const json = [
  'mathesar_tablemetadata.column_order',
  'mathesar_tablemetadata.record_summary_template',
  'mathesar_explorations.initial_columns',
  'mathesar_explorations.transformations',
  'mathesar_explorations.display_options',
  'mathesar_explorations.display_names',
  'mathesar_form.header_title',
  'mathesar_form.header_subtitle',
  'mathesar_form.submit_message',
  'mathesar_formfield.styling',
  'mathesar_downloadlink.thumbnail',
  'mathesar_downloadlink.fsspec_kwargs',
]

const known = new Set([...fields.map(({ table, column }) => `${table}.${column}`), ...byAttnum, ...json])

/** A column of one of Mathesar's tables, as `mathesar_form.schema_oid`, with its type. */
export type Found = { readonly column: string; readonly type: string }

/** Columns that may refer to tables, and that another Mathesar than the ones we know has. */
export const unknownIn = (columns: readonly Found[]): readonly string[] =>
  columns
    .filter(({ column, type }) => /oid|attnum/i.test(column.split('.')[1] ?? '') || type.startsWith('json'))
    .map(({ column }) => column)
    .filter((column) => !known.has(column))

/** OIDs of tables in the path of a column of an exploration: `[[[oid, attnum], [oid, attnum]], …]`. */
const pathNames = ['join_path', 'jp_path']

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value)

const mapPath = (path: unknown, of: (oid: number) => number): unknown =>
  isList(path)
    ? path.map((join) =>
        isList(join)
          ? join.map((end) =>
              isList(end) && typeof end[0] === 'number' ? [of(end[0]), ...end.slice(1)] : end,
            )
          : join,
      )
    : path

/** The columns that an exploration begins with, with every OID in them as `of` gives it. */
export const mapColumns = (columns: unknown, of: (oid: number) => number): unknown => {
  if (!isList(columns)) return columns
  return columns.map((column) => {
    if (!isRecord(column)) return column
    return Object.fromEntries(
      Object.entries(column).map(([name, value]) => [
        name,
        pathNames.includes(name) ? mapPath(value, of) : value,
      ]),
    )
  })
}

/** The OIDs in them. */
export const oidsIn = (columns: unknown): readonly number[] => {
  const found: number[] = []
  mapColumns(columns, (oid) => {
    found.push(oid)
    return oid
  })
  return found
}

/** No server gives these away before it has made four billion objects. */
const lastOid = 4_294_967_295

/**
 * The map for every number that is referred to. What pointed nowhere goes on to point nowhere: else a table
 * that gets the old number would take over settings that are not its own.
 */
export const completed = (map: OidMap, referred: readonly number[]): OidMap => {
  const dangling = [...new Set(referred)].filter((oid) => !map.has(oid)).toSorted((one, other) => one - other)
  return new Map([...map, ...dangling.map((oid, index) => [oid, lastOid - index] as const)])
}

/** Settings that the server keeps for databases and roles. */

/** Lists of names: each of them is a value by itself. */
const lists = 'search_path,temp_tablespaces,local_preload_libraries,session_preload_libraries'

/** In the catalog each stands as a name, in quotes where it needs them. */
const values = `
  (SELECT coalesce(string_agg(quote_literal(coalesce(replace(found[1], '""', '"'), found[2])), ', '), '''''')
    FROM regexp_matches(value, '"((?:[^"]|"")*)"|([^",[:space:]]+)', 'g') AS found)`

/** What is told of it has no value: that may be a secret. */
export type Told = { readonly command: string; readonly what: string }

/** What makes them, each as a command. */
export const settingsWhere = (condition: string): string => `
  SELECT format('ALTER %s SET %I = ', owner, name) ||
      CASE WHEN lower(name) = ANY ('{${lists}}') THEN ${values} ELSE quote_literal(value) END AS command,
      format('the setting %I of %s', name, owner) AS what
    FROM pg_catalog.pg_db_role_setting LEFT JOIN pg_catalog.pg_database d ON d.oid = setdatabase
      LEFT JOIN pg_catalog.pg_roles r ON r.oid = setrole, unnest(setconfig) AS setting,
      LATERAL (SELECT split_part(setting, '=', 1) AS name, substr(setting, strpos(setting, '=') + 1) AS value,
          CASE WHEN setrole = 0 THEN format('DATABASE %I', datname)
            WHEN setdatabase = 0 THEN format('ROLE %I', rolname)
            ELSE format('ROLE %I IN DATABASE %I', rolname, datname) END AS owner) AS parts
    WHERE ${condition}`

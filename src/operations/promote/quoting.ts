/** A name as an identifier of SQL, and a text as a literal. For commands that take no parameters. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

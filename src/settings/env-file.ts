/**
 * The file of settings, mathesar.env: lines of `NAME=value`, read as data and never by a shell.
 *
 * - A line whose first character other than a blank is `#` is a comment. Trailing comments are not supported:
 *   in a value `#` is part of it.
 * - A name has letters, digits and underscores and does not begin with a digit. Blanks around it and `export
 *   ` before it are allowed.
 * - `NAME=value`: a value without quotes is the rest of the line without the blanks at its two ends.
 *   Everything in it is literal: `$`, `\`, `#`, `it's`.
 * - `NAME='value'`: everything up to the next `'` is literal. The value may span lines.
 * - `NAME="value"`: `\\`, `\"`, `\$`, `\n`, `\r`, `\t`, `\u00e9` and `\u{1f600}` are escapes; a `\` before
 *   anything else is literal. The value may span lines.
 * - Only blanks may follow a closing quote. A line break within quotes is read as `\n`, in files with CRLF
 *   too.
 * - A name is set once.
 */
export type Entry = { readonly name: string; readonly value: string; readonly line: number }
/** What is wrong with a line. `why` repeats no part of a value: it may be a secret. */
export type LineProblem = { readonly line: number; readonly why: string }

type Content =
  | { readonly kind: 'entry'; readonly name: string; readonly value: string }
  | { readonly kind: 'comment'; readonly template: string | undefined }
  | { readonly kind: 'blank' }
  | { readonly kind: 'broken'; readonly why: string }

/** A line, or the lines of one value. `end` is after its line break: all pieces together are the text. */
type Piece = Content & { readonly start: number; readonly end: number; readonly line: number }

const nameForm = '[A-Za-z_][A-Za-z0-9_]*'
const wholeName = new RegExp(`^${nameForm}$`)
/** A byte order mark may begin any line: joined files have one in their middle. */
const indent = '[ \\t\\uFEFF]*'
const head = new RegExp(`${indent}(?:export[ \\t]+)?(${nameForm})[ \\t]*=[ \\t]*`, 'y')
/** A comment; one of the form `# NAME=…` is a template. */
const comment = new RegExp(`${indent}#(?:[ \\t]*(?:export[ \\t]+)?(${nameForm})[ \\t]*=)?`, 'y')
const restIsBlank = /[ \t\r\uFEFF]*(?:\n|$)/y

const matchAt = (pattern: RegExp, text: string, at: number): RegExpExecArray | null => {
  pattern.lastIndex = at
  return pattern.exec(text)
}

const afterLine = (text: string, at: number): number => text.indexOf('\n', at) + 1 || text.length

/** By hand: `/[ \t\r]+$/` takes quadratic time for a long run of blanks inside a line. */
const withoutBlanksAtEnd = (text: string): string => {
  let end = text.length
  while (end > 0 && ' \t\r\n'.includes(text[end - 1]!)) end -= 1
  return text.slice(0, end)
}

const closingQuote = (text: string, from: number, quote: string): number => {
  if (quote === "'") return text.indexOf(quote, from)
  for (let at = from; at < text.length; at += text[at] === '\\' ? 2 : 1) if (text[at] === quote) return at
  return -1
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }
const unescape = (text: string): string =>
  text.replace(
    /\\(?:([\\"$nrt])|u([0-9a-fA-F]{4})|u\{((?:10|0?[0-9a-fA-F])?[0-9a-fA-F]{1,4})\}|[^])/g,
    (all, one?: string, four?: string, braced?: string) => {
      if (one !== undefined) return escapes[one] ?? one
      const code = four ?? braced
      return code === undefined ? all : String.fromCodePoint(Number.parseInt(code, 16))
    },
  )

const whyNoEntry = (line: string): string =>
  line.includes('=')
    ? 'the name before = must consist of letters, digits and underscores, and must not begin with a digit'
    : 'it is not NAME=value'

const readAt = (text: string, start: number): Content & { readonly end: number } => {
  const end = afterLine(text, start)
  if (matchAt(restIsBlank, text, start)) return { kind: 'blank', end }
  const commented = matchAt(comment, text, start)
  if (commented) return { kind: 'comment', template: commented[1], end }
  const matched = matchAt(head, text, start)
  if (!matched) return { kind: 'broken', why: whyNoEntry(text.slice(start, end)), end }
  const name = matched[1]!
  const from = start + matched[0].length
  const quote = text[from]
  if (quote !== "'" && quote !== '"')
    return { kind: 'entry', name, value: withoutBlanksAtEnd(text.slice(from, end)), end }
  const close = closingQuote(text, from + 1, quote)
  if (close === -1)
    return { kind: 'broken', why: `the ${quote} that opens the value of ${name} is never closed`, end }
  // Perhaps a quote was forgotten: go on at the next line, not after the quote, which may be the next value's
  // first one.
  if (!matchAt(restIsBlank, text, close + 1))
    return { kind: 'broken', why: `something follows the ${quote} that closes the value of ${name}`, end }
  const inner = text.slice(from + 1, close).replaceAll('\r\n', '\n')
  return { kind: 'entry', name, value: quote === '"' ? unescape(inner) : inner, end: afterLine(text, close) }
}

const readPieces = (text: string): Piece[] => {
  const pieces: Piece[] = []
  let line = 1
  for (let start = text.startsWith('\uFEFF') ? 1 : 0; start < text.length;) {
    const piece = { ...readAt(text, start), start, line }
    pieces.push(piece)
    for (let at = text.indexOf('\n', start); at !== -1 && at < piece.end; at = text.indexOf('\n', at + 1))
      line += 1
    start = piece.end
  }
  return pieces
}

/** The entries in their order, and what is wrong. A broken line does not keep the others from being read. */
export const parseConfig = (
  text: string,
): { readonly entries: readonly Entry[]; readonly problems: readonly LineProblem[] } => {
  const entries: Entry[] = []
  const problems: LineProblem[] = []
  const lines = new Map<string, number>()
  for (const piece of readPieces(text)) {
    const { line } = piece
    if (piece.kind === 'broken') problems.push({ line, why: piece.why })
    if (piece.kind !== 'entry') continue
    const { name, value } = piece
    entries.push({ name, value, line })
    if (lines.has(name))
      problems.push({ line, why: `${name} is set twice, on line ${lines.get(name)} and on line ${line}` })
    else lines.set(name, line)
  }
  return { entries, problems }
}

const requireName = (name: string): void => {
  if (!wholeName.test(name))
    throw new RangeError('cannot set a name with characters other than letters, digits and underscores')
}

/**
 * What no editor shows or it takes for a line break, and halves of a character, which UTF-8 does not have.
 */
const unseen = /[\p{Cc}\p{Cs}\u2028\u2029\uFEFF]/u
const needsEscape = new RegExp(`[\\\\"]|${unseen.source}`, 'gu')
const escaped: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '"': '\\"',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}
const escapeChar = (char: string): string =>
  escaped[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`

/** One value as it is written: on one line, with the least quoting that reads back the same. */
export const formatEntry = (name: string, value: string): string => {
  requireName(name)
  // A quote at the end needs none either, but could pass for the one that is missing in a broken line above.
  if (!unseen.test(value) && !/^[ '"]|[ '"]$/.test(value)) return `${name}=${value}`
  if (!unseen.test(value) && !value.includes("'")) return `${name}='${value}'`
  return `${name}="${value.replace(needsEscape, escapeChar)}"`
}

const nameOf = (piece: Piece): string | undefined => {
  if (piece.kind === 'entry') return piece.name
  return piece.kind === 'comment' ? piece.template : undefined
}

/** Where the one entry of each name goes: in place of its first one, else after its last template. */
const placesOf = (pieces: readonly Piece[]): ReadonlyMap<string, Piece> => {
  const places = new Map<string, Piece>()
  for (const piece of pieces) {
    const name = nameOf(piece)
    if (name !== undefined && places.get(name)?.kind !== 'entry') places.set(name, piece)
  }
  return places
}

/**
 * The text with names set (to a string) or unset (`undefined`); all other lines stay byte for byte. A new
 * entry goes after the last comment of the form `# NAME=…`, else to the end. An entry with that value already
 * stays as it is written.
 */
export const editConfig = (text: string, edits: Readonly<Record<string, string | undefined>>): string => {
  const wanted = new Map(Object.entries(edits))
  for (const name of wanted.keys()) requireName(name)
  const pieces = readPieces(text)
  const places = placesOf(pieces)
  const byteOrderMark = text.startsWith('\uFEFF') ? '\uFEFF' : ''
  const lineBreak = /\r?\n/.exec(text)?.[0] ?? '\n'
  const withBreak = (line: string): string => (line === '' || line.endsWith('\n') ? line : line + lineBreak)
  const rewrite = (piece: Piece): string => {
    const written = text.slice(piece.start, piece.end)
    const name = nameOf(piece)
    if (name === undefined || !wanted.has(name)) return written
    const value = places.get(name) === piece ? wanted.get(name) : undefined
    if (piece.kind !== 'entry')
      return value === undefined ? written : withBreak(written) + formatEntry(name, value) + lineBreak
    if (value === undefined) return ''
    return value === piece.value ? written : formatEntry(name, value) + (/\r?\n$/.exec(written)?.[0] ?? '')
  }
  const added = [...wanted].flatMap(([name, value]) =>
    value === undefined || places.has(name) ? [] : [formatEntry(name, value) + lineBreak],
  )
  const kept = pieces.map(rewrite).join('')
  return byteOrderMark + (added.length === 0 ? kept : withBreak(kept)) + added.join('')
}

const preamble = `# The settings of Mathesar. To change one, save this file: the change takes effect at once,
# or it is refused and the log says why. A setting given to the container
# (\`docker run -e NAME=value\`) wins over its line here. To set one, remove the "#" before it.
# In NAME=value everything up to the end of the line is the value, also "#" and "$". Write 'value'
# to keep blanks at its ends, "value" for escapes (\\n \\t \\" \\\\ \\u00e9). Both may span lines.
`

/** A setting as the file of the first boot shows it. */
type Template = {
  readonly name: string
  readonly kind: string
  readonly default?: string
  readonly description: string
  readonly choices?: readonly string[]
  readonly secret?: boolean
}

/** On one line, whatever the description holds. */
const commentOf = ({ kind, description, choices, secret }: Template): string => {
  const values = choices ?? (kind === 'boolean' ? ['true', 'false'] : undefined)
  const sentences = [
    description,
    ...(values ? [`One of ${values.join(', ')}.`] : []),
    ...(secret ? ['Secret.'] : []),
  ]
  return `# ${sentences.join(' ')}`.replace(/\s+/g, ' ')
}

/** The file of the first boot: every setting with its sentence, as a comment. */
export const renderConfig = (settings: readonly Template[]): string =>
  preamble +
  settings
    .map((setting) => {
      const entry = formatEntry(setting.name, setting.default ?? '')
      return `\n${commentOf(setting)}\n# ${entry}\n`
    })
    .join('')

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { editConfig, formatEntry, parseConfig, renderConfig } from '../../src/settings/env-file.ts'
import { settingsTable } from '../../src/settings/table.ts'
import { anyCharacter } from './characters.ts'
import { runs, runsTimeoutMs } from './runs.ts'

const valuesOf = (text: string): Record<string, string> => {
  const { entries, problems } = parseConfig(text)
  expect(problems).toEqual([])
  return Object.fromEntries(entries.map(({ name, value }) => [name, value]))
}
const problemsOf = (text: string): string[] =>
  parseConfig(text).problems.map(({ line, why }) => `${line}: ${why}`)

const anyName = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,6}$/)
const pieceOf = (...pieces: string[]) => fc.string({ unit: fc.constantFrom(...pieces), maxLength: 24 })
/**
 * Every string that JavaScript has, halves of characters too, and often characters that mean something here.
 */
const anyValue = fc.oneof(
  fc.string({ unit: anyCharacter }),
  fc.string(),
  fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)) }),
  pieceOf(
    "'",
    '"',
    '\\',
    '#',
    '$',
    '=',
    ' ',
    '\t',
    '\n',
    '\r',
    '\0',
    'n',
    'u',
    '0',
    '00e9',
    '{1f600}',
    '\uFEFF',
    '\u2028',
    '\u0085',
    '\ud83d',
    '\ude00',
    'é',
    'A=',
    '# A=',
  ),
)
const anyText = fc.oneof(
  fc.string({ unit: anyCharacter }),
  pieceOf(
    'A',
    'B',
    'A=',
    'B=',
    'C=x',
    "A='",
    'B="',
    '# A=',
    '#B=',
    'export ',
    "'",
    '"',
    '\\',
    '\\u',
    '{',
    '}',
    '=',
    ' ',
    '\t',
    '\n',
    '\n',
    '\r\n',
    '\r',
    'x',
    '#',
    '\uFEFF',
    '\0',
  ),
)

describe('a value', () => {
  test.each<[string, string]>([
    ['A=b', 'b'],
    ['A=', ''],
    ['A=""', ''],
    ["A=''", ''],
    ['  A \t=  b c \t', 'b c'],
    ['export A=b', 'b'],
    ['export  A = b', 'b'],
    ['A=a\\b', 'a\\b'],
    ['A=$HOME', '$HOME'],
    ["A=it's", "it's"],
    ['A=x#y', 'x#y'],
    ['A=x # y', 'x # y'],
    ['A=#x', '#x'],
    ['A=a=b', 'a=b'],
    ['A=`id`', '`id`'],
    ['A=5"', '5"'],
    ['A=\u00a0x', '\u00a0x'],
    ["A='a\\n$b\"#'", 'a\\n$b"#'],
    ["A=' b '", ' b '],
    ["A= 'b' \t", 'b'],
    ["A='a\nb'", 'a\nb'],
    ["A='\n'", '\n'],
    ['A="a\\\\b\\"c\\nd\\re\\tf\\$g"', 'a\\b"c\nd\re\tf$g'],
    ['A="$HOME"', '$HOME'],
    ['A="a\nb"', 'a\nb'],
    ['A="\\u00e9\\u{1f600}\\u{10FFFF}"', 'é😀\u{10ffff}'],
    ['A="\\ud83d\\ude00"', '😀'],
    ['A="\\x\\a\\\'\\u12\\u{}\\u{110000}\\u{1234567}"', "\\x\\a\\'\\u12\\u{}\\u{110000}\\u{1234567}"],
    ['A="\\\\n"', '\\n'],
    ['A="\\\nb"', '\\\nb'],
    ['A="{\\"version\\":2}"', '{"version":2}'],
    ['A={"version":2}', '{"version":2}'],
    ['A="a\r\nb"\r', 'a\nb'],
    ["A='a\r\nb'\r", 'a\nb'],
    ['A=b\r', 'b'],
    ['\uFEFFA=b', 'b'],
    ['\uFEFF\uFEFF A=b', 'b'],
  ])('%j is %j', (line, value) => {
    expect(valuesOf(line)).toEqual({ A: value })
    expect(valuesOf(`${line}\n#\n\nB=1\n`)).toEqual({ A: value, B: '1' })
    expect(valuesOf(`${line}\r\n#\r\n\r\nB=1\r\n`)).toEqual({ A: value, B: '1' })
  })

  test.each<[string, string]>([
    ['', 'A='],
    ['b c', 'A=b c'],
    ['a\\b', 'A=a\\b'],
    ["it's", "A=it's"],
    ['#', 'A=#'],
    ['x "y" z', 'A=x "y" z'],
    [' b', "A=' b'"],
    ['b ', "A='b '"],
    ['"b"', `A='"b"'`],
    ['5"', `A='5"'`],
    ["'b", `A="'b"`],
    ["dogs'", `A="dogs'"`],
    ['a\nb', 'A="a\\nb"'],
    ['a\tb', 'A="a\\tb"'],
    ['\0', 'A="\\u0000"'],
    ['\u2028', 'A="\\u2028"'],
    ['\ud83d', 'A="\\ud83d"'],
    ['😀', 'A=😀'],
    ['\'\\"', 'A="\'\\\\\\""'],
  ])('%j is written with the least quoting: %s', (value, line) => {
    expect(formatEntry('A', value)).toBe(line)
  })

  test(
    'reads back as it was written, on one line, between any others',
    () => {
      fc.assert(
        fc.property(
          fc.array(fc.tuple(anyName, anyValue), { minLength: 1, maxLength: 4 }),
          fc.constantFrom('\n', '\r\n'),
          fc.constantFrom('', '\uFEFF'),
          (settings, lineBreak, mark) => {
            const lines = settings.map(([name, value]) => formatEntry(name, value))
            for (const line of lines) expect(line).not.toMatch(/[\n\r]/)
            expect(parseConfig(mark + lines.join(lineBreak)).entries).toEqual(
              settings.map(([name, value], index) => ({ name, value, line: index + 1 })),
            )
          },
        ),
        runs(100),
      )
    },
    runsTimeoutMs,
  )
})

const badName =
  'the name before = must consist of letters, digits and underscores, and must not begin with a digit'

describe('a file', () => {
  test('gives its entries in order, each with its first line', () => {
    expect(parseConfig("# x\n\nA='1\n2'\n  # B=\nB=3").entries).toEqual([
      { name: 'A', value: '1\n2', line: 3 },
      { name: 'B', value: '3', line: 6 },
    ])
  })

  test.each<[string, string[]]>([
    ['\nhunter2\nB=1', ['2: it is not NAME=value']],
    ['export A\nB=1', ['1: it is not NAME=value']],
    ['A B=hunter2\nB=1', [`1: ${badName}`]],
    ['1A=hunter2\nB=1', [`1: ${badName}`]],
    ['=hunter2\nB=1', [`1: ${badName}`]],
    ["A='hunter2\nB=1", ["1: the ' that opens the value of A is never closed"]],
    ['A="C:\\hunter2\\"\nB=1', ['1: the " that opens the value of A is never closed']],
    ["A='hunter2\nB=1\nC='x'", ["1: something follows the ' that closes the value of A"]],
    ['A="x" # hunter2\nB=1', ['1: something follows the " that closes the value of A']],
    [
      'A=hunter2\nB=1\nA=hunter2\nA=x',
      ['3: A is set twice, on line 1 and on line 3', '4: A is set twice, on line 1 and on line 4'],
    ],
  ])('%j has a problem, and its other lines are read', (text, problems) => {
    expect(problemsOf(text)).toEqual(problems)
    expect(parseConfig(text).entries.find(({ name }) => name === 'B')?.value).toBe('1')
  })

  test(
    'of any content is read without an exception',
    () => {
      fc.assert(
        fc.property(anyText, (text) => {
          const { entries, problems } = parseConfig(text)
          const lines = text.split('\n').length
          for (const { line } of [...entries, ...problems]) expect(line >= 1 && line <= lines).toBe(true)
          for (const { name } of entries) expect(name).toMatch(/^[A-Za-z_][A-Za-z0-9_]*$/)
          expect(entries.map(({ line }) => line)).toEqual(
            entries.map(({ line }) => line).sort((a, b) => a - b),
          )
        }),
        runs(80),
      )
    },
    runsTimeoutMs,
  )

  test(
    'shows no value in its problems',
    () => {
      const secret = fc.stringMatching(/^[a-z0-9]{8,16}[!$%\\ ][0-9]$/)
      const lines = fc.array(
        fc.constantFrom<(value: string) => string>(
          (value) => value,
          (value) => `A=${value}`,
          (value) => `A B=${value}`,
          (value) => `-${value}=${value}`,
          (value) => `A='${value}`,
          (value) => `B="${value}`,
          (value) => `A='${value}' ${value}`,
          (value) => `B="${value}"${value}`,
          (value) => `${value}=`,
          (value) => `export ${value}`,
          (value) => `${value}'`,
          () => 'B="',
        ),
        { minLength: 1, maxLength: 6 },
      )
      fc.assert(
        fc.property(secret, lines, (value, makers) => {
          expect(JSON.stringify(problemsOf(makers.map((make) => make(value)).join('\n')))).not.toContain(
            value.slice(0, 8),
          )
        }),
        runs(100),
      )
    },
    runsTimeoutMs,
  )

  test.each([
    ["A='\n", ''],
    ['A="\n', ''],
    ['A="\\\n', ''],
    ['A=\'\nB="\n', ''],
    ['A=\n', ''],
    ['\r\n', ''],
    ['export ', ''],
    ['#', ''],
    ['# A=', ''],
    ['A=\'"', ''],
    ['\\', 'A="'],
    ['\\u{', 'A="'],
    [' ', 'A='],
    ['\r', 'A='],
    [' ', 'A="x"'],
    ['\n', "A='"],
  ])('of 128 KiB of %j is read and edited in linear time', (unit, start) => {
    const text = `${start + unit.repeat(131_072 / unit.length)}x`
    const before = process.threadCpuUsage()
    parseConfig(text)
    editConfig(text, { A: '1', Z: '2' })
    const { user, system } = process.threadCpuUsage(before)
    expect((user + system) / 1000).toBeLessThan(500)
  })
})

describe('an edit', () => {
  // oxfmt-ignore
  const cases: [string, string, Record<string, string | undefined>, string][] = [
    ['replaces an entry alone', '# x\n  export A = b  \n\nB=1\n', { A: 'c' }, '# x\nA=c\n\nB=1\n'],
    ['replaces an entry of several lines', "A='b\nc'\nB=1\n", { A: 'd' }, 'A=d\nB=1\n'],
    ['keeps the line break of the entry', 'A=b\r\nB=1\n', { A: 'c', B: '2' }, 'A=c\r\nB=2\n'],
    ['keeps a last line without line break', 'A=b', { A: 'c' }, 'A=c'],
    ['leaves an entry as it is written if it reads so already', "export A='b'\n", { A: 'b' }, "export A='b'\n"],
    ['merges duplicates', 'A=1\nB=1\nA=2\nA=3\n', { A: '4' }, 'A=4\nB=1\n'],
    ['adds behind the template', '# one\n# A=1\n\n# two\n#B=\n', { A: '2', B: '3' }, '# one\n# A=1\nA=2\n\n# two\n#B=\nB=3\n'],
    ['adds behind the last of several templates', '# A=1\n# A=2\n# x', { A: '3' }, '# A=1\n# A=2\nA=3\n# x'],
    ['adds behind a template without line break', 'B=1\r\n# A=1', { A: '2' }, 'B=1\r\n# A=1\r\nA=2\r\n'],
    ['replaces the entry even where a template is', '# A=1\nB=1\nA=2\n# A=3\n', { A: '4' }, '# A=1\nB=1\nA=4\n# A=3\n'],
    ['adds at the end', 'B=1\n', { A: '2', C: '3' }, 'B=1\nA=2\nC=3\n'],
    ['adds a line break before it', 'B=1', { A: '2' }, 'B=1\nA=2\n'],
    ['adds in the line breaks of the file', '# x\r\nB=1', { A: '2' }, '# x\r\nB=1\r\nA=2\r\n'],
    ['adds to nothing', '', { A: '2' }, 'A=2\n'],
    ['keeps a byte order mark', '\uFEFF', { A: '2' }, '\uFEFFA=2\n'],
    ['unsets all of a name', "A=1\n# A=\nA='2\n3'\nB=1\n", { A: undefined }, '# A=\nB=1\n'],
    ['unsets nothing where nothing is', '# A=1\nB=1', { A: undefined, C: undefined }, '# A=1\nB=1'],
    ['leaves broken lines alone', "A='x\nnothing\nB C=1\nA=2\nD=\"x\" y\n", { A: '3', B: "dogs'" }, "A='x\nnothing\nB C=1\nA=3\nD=\"x\" y\nB=\"dogs'\"\n"],
    ['takes a byte order mark in the middle for none', 'A=1\n\uFEFFA=2\n\uFEFFB=1\n', { A: undefined }, '\uFEFFB=1\n'],
    ['takes any name', '', JSON.parse('{"__proto__":"1","constructor":"2"}') as Record<string, string>, '__proto__=1\nconstructor=2\n'],
  ]

  test.each(cases)('%s', (_, text, edits, expected) => {
    expect(editConfig(text, edits)).toBe(expected)
    expect(editConfig(expected, edits)).toBe(expected)
  })

  test.each(['', 'A B', '1A', 'A=', 'A\n', 'é'])('of the name %j is refused', (name) => {
    expect(() => editConfig('', { [name]: 'hunter2' })).toThrow(RangeError)
    expect(() => editConfig('', { [name]: undefined })).toThrow(RangeError)
    expect(() => formatEntry(name, 'hunter2')).toThrow(/^(?!.*hunter2)/)
  })

  /** A file piece by piece, so that the test knows what must become of each of them. */
  type Piece = { readonly raw: string; readonly name?: string; readonly value?: string }
  const plainText = fc.stringMatching(/^[a-z#$ ="]{0,8}$/)
  const entryPiece = fc
    .tuple(fc.constantFrom('A', 'B', 'C', 'D'), anyValue, plainText, fc.nat(4))
    .map(([name, value, plain, how]): Piece => {
      if (how < 3) return { name, value, raw: formatEntry(name, value) }
      return how === 3
        ? { name, value: `${plain}\n# A=1\n`, raw: ` export ${name} ='${plain}\n# A=1\n'\t` }
        : { name, value: ` ${plain}`, raw: `${name}=\t" ${plain.replaceAll('"', '\\"')}"` }
    })
  const otherPiece = fc
    .oneof(
      plainText.map((text) => `# ${text}`),
      fc.constantFrom('', ' \t', '# X=1', '#Y=', '# A=0', 'nothing', 'A B=1', 'A="x" y', "B='x'y"),
    )
    .map((raw): Piece => ({ raw }))
  const anyFile = fc.array(
    fc
      .tuple(fc.oneof(entryPiece, otherPiece), fc.constantFrom<string>('\n', '\n', '\r\n'))
      .map(([piece, lineBreak]) => ({ ...piece, lineBreak })),
    { maxLength: 8 },
  )
  const anyEdits = fc.dictionary(
    fc.constantFrom('A', 'B', 'X', 'Y', 'Z'),
    fc.option(anyValue, { nil: undefined }),
    { minKeys: 1 },
  )
  const textOf = (pieces: readonly { readonly raw: string; readonly lineBreak: string }[]): string =>
    pieces.map(({ raw, lineBreak }) => raw + lineBreak).join('')

  test(
    'changes what it names and leaves every other byte, in its order',
    () => {
      fc.assert(
        fc.property(anyFile, anyEdits, (file, edits) => {
          const text = textOf(file)
          const edited = editConfig(text, edits)
          const { entries } = parseConfig(edited)
          const untouched = (name: string | undefined): boolean =>
            name === undefined || !Object.hasOwn(edits, name)
          for (const [name, value] of Object.entries(edits))
            expect(entries.filter((entry) => entry.name === name).map((entry) => entry.value)).toEqual(
              value === undefined ? [] : [value],
            )
          expect(
            entries.filter(({ name }) => untouched(name)).map(({ name, value }) => [name, value]),
          ).toEqual(
            file.flatMap(({ name, value }) => (name !== undefined && untouched(name) ? [[name, value]] : [])),
          )
          // Without the edited names both are the same bytes.
          const unset = Object.fromEntries(Object.keys(edits).map((name) => [name, undefined]))
          expect(editConfig(text, unset)).toBe(textOf(file.filter(({ name }) => untouched(name))))
          expect(editConfig(edited, unset)).toBe(editConfig(text, unset))
          expect(editConfig(edited, edits)).toBe(edited)
        }),
        runs(100),
      )
    },
    runsTimeoutMs,
  )

  test(
    'stays in the place of the entry or of its template',
    () => {
      fc.assert(
        fc.property(anyFile, fc.constantFrom('A', 'B', 'X', 'Z'), anyValue, (file, name, value) => {
          const first = file.findIndex((piece) => piece.name === name)
          const template = file.findLastIndex(({ raw }) => raw.replaceAll(' ', '').startsWith(`#${name}=`))
          const rest = file.filter((piece, index) => piece.name !== name || index === first)
          const lineBreak = /\r?\n/.exec(textOf(file))?.[0] ?? '\n'
          const line = { raw: formatEntry(name, value), lineBreak: lineBreak }
          const behindTemplate = template === -1 ? rest.length : template + 1
          const at = first === -1 ? behindTemplate : first
          const own = file[first] && {
            lineBreak: file[first].lineBreak,
            raw: file[first].value === value ? file[first].raw : line.raw,
          }
          expect(editConfig(textOf(file), { [name]: value })).toBe(
            textOf(rest.toSpliced(at, first === -1 ? 0 : 1, own ?? line)),
          )
        }),
        runs(100),
      )
    },
    runsTimeoutMs,
  )

  test(
    'of any text throws nothing; it says what was asked unless a quote was left open',
    () => {
      fc.assert(
        fc.property(anyText, fc.constantFrom('A', 'B', 'Z'), anyValue, (text, name, value) => {
          const edited = editConfig(text, { [name]: value })
          const removed = editConfig(text, { [name]: undefined })
          const before = parseConfig(text)
          if (before.problems.some(({ why }) => /closed|closes/.test(why))) return
          const othersOf = (of: string) =>
            parseConfig(of)
              .entries.filter((entry) => entry.name !== name)
              .map((entry) => [entry.name, entry.value])
          expect(
            parseConfig(edited)
              .entries.filter((entry) => entry.name === name)
              .map((entry) => entry.value),
          ).toEqual([value])
          expect(parseConfig(removed).entries.filter((entry) => entry.name === name)).toEqual([])
          expect([othersOf(edited), othersOf(removed)]).toEqual([othersOf(text), othersOf(text)])
          expect(editConfig(edited, { [name]: value })).toBe(edited)
        }),
        runs(100),
      )
    },
    runsTimeoutMs,
  )
})

describe('the file of the first boot', () => {
  const settings = Object.entries(settingsTable).map(([name, setting]) => ({ name, ...setting }))
  const text = renderConfig(settings)

  test('has each setting as a comment with its sentence and nothing else', () => {
    expect(parseConfig(text)).toEqual({ entries: [], problems: [] })
    expect(text).toContain('\n\n# TCP port that Mathesar listens on.\n# PORT=8000\n')
    expect(text).toContain(
      "\n# Least level of the supervisor's own lines. One of debug, info, warn, error.\n# LOG_LEVEL=info\n",
    )
    expect(text).toContain('\n# Password of that role. Secret.\n# POSTGRES_PASSWORD=\n')
    for (const { name } of settings) expect(text.match(new RegExp(`^# ${name}=.*$`, 'gm'))).toHaveLength(1)
  })

  test('sets a setting when its # is removed', () => {
    expect(valuesOf(text.replace('# PORT=', 'PORT='))).toEqual({ PORT: '8000' })
  })

  test('takes a setting behind its template and is the same when it is unset', () => {
    for (const { name } of settings) {
      const edited = editConfig(text, { [name]: 'a\nb' })
      expect(edited).toMatch(new RegExp(`\\n# ${name}=.*\\n${name}="a\\\\nb"\\n`))
      expect(valuesOf(edited)).toEqual({ [name]: 'a\nb' })
      expect(editConfig(edited, { [name]: undefined })).toBe(text)
    }
  })

  test(
    'is a comment whatever the table holds',
    () => {
      const setting = fc.record({
        name: anyName,
        kind: fc.constantFrom('text', 'boolean'),
        default: anyValue,
        description: anyValue,
        choices: fc.array(anyValue),
        secret: fc.boolean(),
      })
      fc.assert(
        fc.property(fc.array(setting, { maxLength: 3 }), (table) => {
          expect(parseConfig(renderConfig(table))).toEqual({ entries: [], problems: [] })
        }),
        runs(50),
      )
    },
    runsTimeoutMs,
  )
})

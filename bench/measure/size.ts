import type { Bench } from '../bench.ts'
import { docker, newName } from '../docker.ts'
import type { Row } from '../row.ts'
import { showNumber } from '../statistics.ts'

type Part = {
  readonly title: string
  readonly whose: 'ours' | 'Mathesar' | 'Postgres' | 'Debian'
  readonly why: string
}

// oxfmt-ignore
const parts = {
  node: { title: 'Node 24', whose: 'ours', why: 'runs the supervisor: the official binary, with all of ICU and V8, without symbols' },
  template: { title: 'the cluster template', whose: 'ours', why: 'an initialised and migrated cluster, compressed: a first boot unpacks it' },
  made: { title: 'compiled Python, gathered static files', whose: 'ours', why: 'made once at build time, where Mathesar\'s own way makes them at boot or keeps them in memory' },
  supervisor: { title: 'the supervisor', whose: 'ours', why: 'one bundle of its code and libraries, the binding to the kernel, and two small files of configuration' },
  nano: { title: 'nano-tiny', whose: 'ours', why: 'the editor of `supervisor config edit`' },
  postgres: { title: 'Postgres 17', whose: 'Postgres', why: 'server, client, and the Debian packages that only they need' },
  mathesar: { title: 'Mathesar', whose: 'Mathesar', why: 'its code and pages, its Python and Python\'s packages, as in its own image' },
  debian: { title: 'Debian', whose: 'Debian', why: 'a shell and its tools, and the libraries that Mathesar\'s Python links' },
} as const satisfies Readonly<Record<string, Part>>

type PartName = keyof typeof parts

const inside = (image: string, script: string): Promise<string> =>
  docker('run', '--rm', '--network', 'none', '--name', newName(), '--entrypoint', 'sh', image, '-c', script)

/** Every file of an image with its size; of hard links the first. */
const filesOf = async (image: string): Promise<ReadonlyMap<string, number>> => {
  const seen = new Set<string>()
  const files = new Map<string, number>()
  for (const line of (await inside(image, "find / -xdev -type f -printf '%i %s %p\\n'")).split('\n')) {
    const [, inode, size, path] = /^(\d+) (\d+) (.*)$/.exec(line) ?? []
    if (inode === undefined || seen.has(inode)) continue
    seen.add(inode)
    files.set(path!, Number(size))
  }
  return files
}

/** The Debian packages that are there for Postgres: its own, and those that nothing else depends on. */
const postgresPackages = async (image: string): Promise<ReadonlySet<string>> => {
  const entries = (await inside(image, 'cat /var/lib/dpkg/status')).split('\n\n')
  const dependents = new Map<string, string[]>()
  for (const entry of entries) {
    const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(entry)?.[1] ?? ''
    const needed = `${field('Depends')},${field('Pre-Depends')}`
      .split(/[,|]/)
      .map((item) => /[\w.+-]+/.exec(item)?.[0] ?? '')
    for (const name of needed) dependents.set(name, [...(dependents.get(name) ?? []), field('Package')])
  }
  const all = new Set([...dependents.values()].flat())
  const found = new Set([...all].filter((name) => name.startsWith('postgresql')))
  for (let before = 0; before < found.size;) {
    before = found.size
    for (const [name, by] of dependents) if (by.every((other) => found.has(other))) found.add(name)
  }
  return found
}

// Debian's lists know /lib, which is /usr/lib.
const plain = (path: string): string => path.replace(/^\/usr(?=\/(s?bin|lib))/, '')

/** Which package each file of Debian's belongs to. */
const ownersOf = async (image: string): Promise<ReadonlyMap<string, string>> => {
  const text = await inside(image, "grep -H '^/' /var/lib/dpkg/info/*.list")
  return new Map(
    [...text.matchAll(/^\/var\/lib\/dpkg\/info\/([^:.]+(?:\.[^:.]+)*?)(?::\w+)?\.list:(.*)$/gm)].map(
      ([, name, path]) => [plain(path!), name!],
    ),
  )
}

/** What the image is made of, and what of that is there for the supervisor. */
export const measureSize = async (
  bench: Bench,
): Promise<{ readonly rows: readonly Row[]; readonly text: string }> => {
  const { ours } = bench.images
  const [files, before, owners, postgres] = [
    await filesOf(ours),
    await filesOf(bench.source),
    await ownersOf(ours),
    await postgresPackages(ours),
  ]
  const partOf = (path: string): PartName => {
    if (path === '/usr/local/lib/supervisor/node') return 'node'
    if (path.startsWith('/usr/local/share/supervisor/')) return 'template'
    if (/^\/(usr\/local\/lib\/supervisor|usr\/local\/bin\/supervisor$|etc\/mathesar)/.test(path))
      return 'supervisor'
    if (path === '/code/config/settings/local.py') return 'supervisor'
    if (/^\/(usr\/local|code)\//.test(path))
      return before.has(path) || !/__pycache__|\/static/.test(path) ? 'mathesar' : 'made'
    const owner = owners.get(plain(path))
    if (owner === 'nano-tiny') return 'nano'
    const isPostgres = owner === undefined ? /postgresql/.test(path) : postgres.has(owner)
    return isPostgres ? 'postgres' : 'debian'
  }
  const bytes = Object.fromEntries(Object.keys(parts).map((name) => [name, 0])) as Record<PartName, number>
  for (const [path, size] of files) bytes[partOf(path)] += size
  const names = Object.keys(parts) as PartName[]
  const sum = (wanted: readonly PartName[]): number =>
    wanted.reduce((total, name) => total + bytes[name], 0) / 1e6
  const size = (name: PartName): string => showNumber(bytes[name] / 1e6, 'MB')
  const text = [
    `The image holds ${showNumber(sum(names), 'MB')} of files:`,
    '',
    '| Part | Size | Whose | What for |',
    '|---|--:|---|---|',
    ...names.map(
      (name) => `| ${parts[name].title} | ${size(name)} | ${parts[name].whose} | ${parts[name].why} |`,
    ),
  ].join('\n')
  return {
    rows: [
      {
        figure: "image size beyond Mathesar's files and Postgres",
        unit: 'MB',
        cells: { ours: [sum(names.filter((name) => parts[name].whose === 'ours'))] },
        bar: 'stated, and each megabyte explained',
        met: true,
        note: `${names
          .filter((name) => parts[name].whose === 'ours')
          .map((name) => `${parts[name].title} ${size(name)}`)
          .join(', ')}; Debian itself (${size('debian')}) is under Mathesar's own image too`,
      },
    ],
    text,
  }
}

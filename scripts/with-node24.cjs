// node scripts/with-node24.cjs FILE ARGS…
// Runs FILE by Node 24 with the project's packages installed, on a machine whose own Node is older and where
// nothing was installed yet. Plain old JavaScript, with nothing but Node's own modules:
// it must run before anything else is there.
'use strict'
const { execFileSync, spawn, spawnSync } = require('child_process')
const { createHash } = require('crypto')
const { existsSync, readFileSync, writeFileSync } = require('fs')
const { constants } = require('os')
const { delimiter, dirname, join } = require('path')

const root = dirname(__dirname)
const say = (text) => process.stderr.write(`mathesar: ${text}\n`)
const fail = (text) => {
  say(text)
  process.exit(1)
}

/** Installs the packages that FOLDER's package-lock.json names, unless that was done. */
const install = (folder, what, node) => {
  const lock = createHash('sha256')
    .update(readFileSync(join(folder, 'package-lock.json')))
    .update(process.arch)
    .digest('hex')
  const stamp = join(folder, 'node_modules', '.installed')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  say(`installing ${what} with npm ci …`)
  const started = Date.now()
  // npm's own script is run by the Node that was picked: some packages refuse an older one.
  const own =
    process.env.npm_execpath && /npm-cli\.c?js$/.test(process.env.npm_execpath)
      ? process.env.npm_execpath
      : undefined
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
  const env = withPath(node)
  // Set by the npm that called us; they would be taken for our own wishes.
  for (const name of Object.keys(env))
    if (/^npm_(config_(prefix|global|local_prefix|npm_version)|command|lifecycle|package)/.test(name))
      delete env[name]
  const { status, error } = own
    ? spawnSync(node, [own, ...args], { cwd: folder, env, stdio: ['ignore', 2, 2] })
    : spawnSync('npm', args, { cwd: folder, env, stdio: ['ignore', 2, 2] })
  if (status !== 0)
    fail(
      `cannot install ${what}: npm ci ` +
        `${error ? `did not start: ${error.message}` : `ended with ${status}`}. ` +
        'Is the npm registry reachable?',
    )
  writeFileSync(stamp, lock)
  say(`installed ${what} in ${((Date.now() - started) / 1000).toFixed(1)} s`)
}

const withPath = (node) =>
  Object.assign({}, process.env, { PATH: `${dirname(node)}${delimiter}${process.env.PATH || ''}` })

const pickNode = () => {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath
  const name = `node-linux-${process.arch}`
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch))
    fail(
      `cannot run: this Node is ${process.version}, and 24 is needed. ` +
        'Install Node 24 from https://nodejs.org',
    )
  const folder = join(root, 'scripts', 'node24')
  install(folder, `Node 24 for this project alone (this machine has ${process.version})`, process.execPath)
  const node = join(folder, 'node_modules', name, 'bin', 'node')
  try {
    execFileSync(node, ['--version'], { stdio: 'ignore' })
  } catch (error) {
    fail(`cannot run ${node}: ${error.message}. Install Node 24 from https://nodejs.org`)
  }
  return node
}

const [file, ...args] = process.argv.slice(2)
if (!file) fail('usage: node scripts/with-node24.cjs FILE ARGS…')
// Who asks for help waits for nothing to be installed.
const help = join(root, file.replace(/\.ts$/, '.txt'))
if (args.some((arg) => arg === '--help' || arg === '-h') && existsSync(help)) {
  process.stdout.write(readFileSync(help))
  process.exit(0)
}
const node = pickNode()
install(root, "the project's packages", node)

const child = spawn(node, ['--disable-warning=ExperimentalWarning', join(root, file), ...args], {
  env: withPath(node),
  stdio: 'inherit',
})
// Ctrl-C goes to the whole foreground group, so the child may hear it twice: it counts that once.
// We outlive it either way.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('error', (error) => fail(`cannot run ${node}: ${error.message}`))
child.on('exit', (code, signal) => process.exit(code === null ? 128 + constants.signals[signal] : code))

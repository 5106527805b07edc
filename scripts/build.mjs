// Bundles the supervisor into dist/, which then runs with nothing beside it but Node: supervisor.cjs is all
// that is ours, a library that is imported in the midst of code is a file of its own, read then, and koffi
// its native part alone, without the search for the right one. main.cjs loads them (see load.cjs).
// CommonJS, for `import` of one of Node's modules reads all its exports:
// those of node:http include WebSocket, which loads undici, 27 ms and 6 MB.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, 'dist')
const [entry = join(root, 'src/main.ts')] = process.argv.slice(2)

rmSync(dist, { recursive: true, force: true })
mkdirSync(dist, { recursive: true })

const options = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'cjs',
  supported: { 'dynamic-import': false }, // A require is faster.
  external: ['pg-native'],
  minifySyntax: true,
  minifyWhitespace: true, // Names stay as they are: stack traces in a user's log must tell.
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
  absWorkingDir: root, // To which the metafile's paths are relative.
}

/** What pino loads for outputs that it never has here: a file, and a thread. It is 7 ms of each start. */
const unused = {
  'sonic-boom': 'module.exports = class {}',
  'thread-stream': 'module.exports = class {}',
  worker_threads: 'module.exports = { isMainThread: true }',
}
const withoutUnused = {
  name: 'without-unused',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: new RegExp(`^(${Object.keys(unused).join('|')})$`) }, ({ path, importer }) =>
      importer.includes('/node_modules/pino/') ? { path, namespace: 'unused' } : undefined,
    )
    onLoad({ filter: /./, namespace: 'unused' }, ({ path }) => ({ contents: unused[path] }))
  },
}

const libraries = new Set()
const apart = {
  name: 'apart',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^[a-z]/ }, ({ path, kind }) => {
      if (path === 'koffi') return { path: './koffi.node', external: true }
      if (kind !== 'dynamic-import' || path.startsWith('node:')) return undefined
      libraries.add(path)
      return { path: `./${path}.cjs`, external: true }
    })
  },
}

const bundled = new Set(['node_modules/koffi', `node_modules/@koromix/koffi-linux-${process.arch}`])
const bundle = async (contents) => {
  const { metafile } = await build({ ...options, ...contents })
  for (const { inputs } of Object.values(metafile.outputs))
    for (const input of Object.keys(inputs)) {
      const [folder] = /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(input) ?? []
      if (folder !== undefined) bundled.add(folder)
    }
}

await bundle({
  entryPoints: [entry],
  outfile: join(dist, 'supervisor.cjs'),
  plugins: [withoutUnused, apart],
})
for (const library of libraries) {
  // As Node's own import of CommonJS sees it: `default` is what was exported.
  const contents =
    `const all = require('${library}'); module.exports = all.__esModule && ` +
    'all.default ? Object.assign(all.default, all) : all'
  await bundle({ stdin: { contents, resolveDir: root }, outfile: join(dist, `${library}.cjs`) })
}

cpSync(join(root, 'scripts/load.cjs'), join(dist, 'main.cjs'))
const { name, version, license } = readJson(join(root, 'package.json'))
writeFileSync(join(dist, 'package.json'), `${JSON.stringify({ name, version, license }, null, 2)}\n`)
cpSync(
  join(root, `node_modules/@koromix/koffi-linux-${process.arch}/linux_${process.arch}/koffi.node`),
  join(dist, 'koffi.node'),
)
cpSync(join(root, 'node_modules/koffi/LICENSE.txt'), join(dist, 'koffi.LICENSE.txt'))
// For sbom.mjs.
const packages = [...bundled].sort().map((folder) => {
  const { name, version, license } = readJson(join(root, folder, 'package.json'))
  return { name, version, license }
})
writeFileSync(join(dist, 'packages.json'), `${JSON.stringify(packages, null, 2)}\n`)

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'))
}

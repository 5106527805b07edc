// Bundles the supervisor into dist/, which then runs with nothing beside it but Node: dist/main.mjs and what it loads when it
// needs it (each command and each seldom used library is a file of its own), dist/package.json (name and version), dist/node_modules (koffi, whose native part cannot be bundled).
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isBuiltin } from 'node:module';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const [entry = join(root, 'src/main.ts')] = process.argv.slice(2);

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });

// An import of Node's own modules reads all their exports to make a namespace, and those of node:http include WebSocket: that loads
// undici, 27 ms and 6 MB. Asked for as plain objects they load what is used.
const builtins = {
  name: 'builtins',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /./ }, ({ path }) => (isBuiltin(path) ? { path, namespace: 'builtin' } : undefined));
    onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => ({ contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)})` }));
  },
};

await build({
  entryPoints: { main: entry },
  outdir: dist,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  plugins: [builtins],
  platform: 'node',
  target: 'node24',
  format: 'esm',
  external: ['koffi', 'pg-native'],
  // Not identifiers: stack traces in a user's log must name our functions.
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: true,
  legalComments: 'none',
  // pino and pg are CommonJS and call require(); an ES module has none.
  banner: { js: "const require=process.getBuiltinModule('module').createRequire(import.meta.url);" },
  logLevel: 'warning',
});

const { name, version, license } = readJson(join(root, 'package.json'));
writeFileSync(join(dist, 'package.json'), `${JSON.stringify({ name, version, license, type: 'module' }, null, 2)}\n`);

// koffi's loader, and of its prebuilt libraries only the one for this architecture and glibc.
const native = `@koromix/koffi-linux-${process.arch}`;
copy('koffi', ['package.json', 'LICENSE.txt', 'index.js', 'index.cjs', 'src/koffi/index.js', 'src/koffi/index.cjs', 'src/koffi/src/static.js', 'src/koffi/src/static.cjs']);
copy(native, ['package.json', 'index.js', `linux_${process.arch}/koffi.node`]);

function copy(packageName, files) {
  for (const file of files) {
    cpSync(join(root, 'node_modules', packageName, file), join(dist, 'node_modules', packageName, file));
  }
}

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

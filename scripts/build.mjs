// Bundles the supervisor into dist/, which then runs with nothing beside it but Node:
// dist/main.mjs, dist/package.json (name and version), dist/node_modules (koffi, whose native part cannot be bundled).
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const [entry = join(root, 'src/main.ts')] = process.argv.slice(2);

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });

await build({
  entryPoints: [entry],
  outfile: join(dist, 'main.mjs'),
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  external: ['koffi', 'pg-native'],
  // Not identifiers: stack traces in a user's log must name our functions.
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: true,
  legalComments: 'none',
  // pino and pg are CommonJS and call require() for Node's own modules; an ES module has none.
  banner: { js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);" },
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

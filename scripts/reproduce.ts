// npm run reproduce -- [ARGUMENTS OF docker build]
// Builds the image twice without a cache and says which layers are the same, byte for byte. Ends with 1 where
// files differ that should not. It takes the time of two builds, and twice the image's space in the folder of
// temporary files.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ask, lacksBridge, Problem, root, say, step } from './prepare.ts'

/** What no two builds have in common: a cluster's identifier and log, and which functions V8 compiled. */
const ownOfEachBuild = [
  'usr/local/share/supervisor/cluster.tar.zst',
  'usr/local/lib/supervisor/supervisor.cjs.cache',
]

type Built = { readonly layers: readonly string[]; readonly files: readonly string[] }

/** A program whose output may be large, and whose failure is a fault of the machine. */
const must = (program: string, ...args: readonly string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', maxBuffer: 256e6, stdio: ['ignore', 'pipe', 'inherit'] })

const buildInto = async (folder: string, tag: string, args: readonly string[]): Promise<Built> => {
  const network = lacksBridge() ? ['--network', 'host'] : []
  const all = ['build', '--quiet', '--no-cache', ...network, ...args, '--tag', tag, root]
  await step(`building ${tag} without a cache`, 'docker', all)
  must('sh', '-c', `mkdir ${folder} && docker save ${tag} | tar --extract --directory ${folder}`)
  const layers = must('docker', 'image', 'inspect', '--format', '{{join .RootFS.Layers " "}}', tag)
  const [{ Layers: files }] = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as [
    { readonly Layers: readonly string[] },
  ]
  return { layers: layers.trim().split(' '), files: files.map((file) => join(folder, file)) }
}

/** Each entry of a layer: what tar says of it, and the hash of what a file holds. */
const readLayer = (file: string): ReadonlyMap<string, string> => {
  const listed = must('tar', '--list', '--verbose', '--full-time', '--numeric-owner', '--file', file)
  const entries = new Map(
    listed
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [, about, path] = /^((?:\S+\s+){5})(.*)$/.exec(line)!
        return [path!, about!]
      }),
  )
  const command = 'echo "$(sha256sum | cut -c 1-64) $TAR_FILENAME"'
  for (const line of must('tar', '--extract', `--to-command=${command}`, '--file', file).split('\n')) {
    const path = line.slice(65)
    entries.set(path, `${entries.get(path) ?? ''}${line.slice(0, 64)}`)
  }
  return entries
}

const compareLayers = (one: string, other: string): readonly string[] => {
  const [before, after] = [readLayer(one), readLayer(other)]
  return [...new Set([...before.keys(), ...after.keys()])].filter(
    (path) => before.get(path) !== after.get(path),
  )
}

const main = async (args: readonly string[]): Promise<number> => {
  const folder = mkdtempSync(join(tmpdir(), 'reproduce-'))
  const tags = ['mathesar-one:reproduce-1', 'mathesar-one:reproduce-2'] as const
  try {
    const one = await buildInto(join(folder, '1'), tags[0], args)
    const other = await buildInto(join(folder, '2'), tags[1], args)
    const unexpected = one.layers.flatMap((layer, at) => {
      const differing = layer === other.layers[at] ? [] : compareLayers(one.files[at]!, other.files[at]!)
      say(`layer ${at + 1} ${layer.slice(0, 19)} ${differing.length === 0 ? 'is the same' : 'differs'}`)
      for (const path of differing) say(`  ${path}`)
      return differing.filter((path) => !ownOfEachBuild.includes(path))
    })
    return unexpected.length === 0 ? 0 : 1
  } finally {
    rmSync(folder, { recursive: true })
    ask('docker', ['image', 'rm', ...tags])
  }
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof Problem)) throw error
  say(error.message)
  process.exitCode = 1
}

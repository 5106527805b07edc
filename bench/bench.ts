// What every measure gets: the images, a prepared volume, how often to repeat,
// and a place to say how far it is.
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  buildImage,
  buildSampleImage,
  cache,
  hasImage,
  lacksBridge,
  Problem,
  root,
  say,
  show,
  step,
} from '../scripts/prepare.ts'
import { docker, newName } from './docker.ts'
import { type Box, createBox, type Images, type Peer, peers, type Start } from './peers.ts'

export type Bench = {
  readonly images: Images
  readonly source: string
  readonly runs: number
  readonly quick: boolean
  readonly say: (text: string) => void
  /** A box that is not started yet. */
  readonly box: (peer: Peer, options?: Start) => Promise<Box>
  /** A volume of its own with a migrated cluster, as after a first boot and an ordered stop. */
  readonly preparedVolume: () => Promise<string>
  /** Does it with a box that is up and answers, and removes the box. */
  readonly withBox: <T>(peer: Peer, options: Start, use: (box: Box) => Promise<T>) => Promise<T>
}

/** The image of Mathesar that ours is built from: the wanted one if it can be had, else the sample app. */
const findSource = async (wanted: string): Promise<string> => {
  if (hasImage(wanted)) return wanted
  say(`pulling ${wanted} …`)
  if ((await show('docker', ['pull', wanted])) === 0) return wanted
  say(
    `${wanted} cannot be pulled and is not here: THE SAMPLE APP, a small stand-in, is measured in its place`,
  )
  if (!hasImage('sample-app')) await buildSampleImage()
  return 'sample-app'
}

/**
 * Boots our image once: it leaves a volume with a migrated cluster,
 * and tells the configuration that Postgres gets.
 */
const prepareVolume = async (
  images: Images,
): Promise<{ readonly volume: string; readonly configuration: string }> => {
  const volume = newName()
  const box = await createBox(images, peers.ours, { volume, keepsVolume: true })
  await box.run()
  await box.page()
  const configuration = await box.exec('cat', '/run/mathesar/etc/postgresql.conf')
  await box.stop()
  await box.remove()
  return { volume, configuration }
}

/** The same Postgres for all: with the configuration of ours but for undo, in places of their own. */
const forPeers = (configuration: string): string => `${configuration.replace(/^include .*$/m, '')}
hba_file = '/bench/pg_hba.conf'
ident_file = '/bench/pg_ident.conf'
unix_socket_directories = '/dev/shm/peer'
listen_addresses = ''
`
const buildPeers = async (ours: string, image: string, configuration: string): Promise<void> => {
  const folder = join(cache, 'bench-peers')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(cache, { recursive: true })
  cpSync(join(root, 'bench/peers'), folder, { recursive: true })
  writeFileSync(join(folder, 'postgresql.conf'), forPeers(configuration))
  writeFileSync(join(folder, 'pg_hba.conf'), 'local all all trust\n')
  writeFileSync(join(folder, 'pg_ident.conf'), '')
  await step("building the peers' image", 'docker', [
    'build',
    '--quiet',
    ...(lacksBridge() ? ['--network', 'host'] : []),
    '--build-arg',
    `IMAGE=${ours}`,
    '-t',
    image,
    folder,
  ])
}

export type Wishes = {
  readonly runs: number
  readonly quick: boolean
  readonly image: string | undefined
  readonly mathesar: string
}

export const prepareBench = async ({ runs, quick, image, mathesar }: Wishes): Promise<Bench> => {
  if (image !== undefined && !hasImage(image))
    throw new Problem(`there is no image ${image}; without --image one is built`)
  const source = await findSource(mathesar)
  const ours = image ?? 'mathesar-one:bench'
  if (image === undefined) await buildImage(ours, source)
  const images = { ours, peers: `${ours.includes(':') ? ours : `${ours}:latest`}-peers` }
  const { volume, configuration } = await prepareVolume(images)
  await buildPeers(ours, images.peers, configuration)

  const box: Bench['box'] = (peer, options = {}) => createBox(images, peer, options)
  return {
    images,
    source,
    runs,
    quick,
    say,
    box,
    preparedVolume: async () => {
      const copy = newName()
      await docker(
        'run',
        '--rm',
        '--network',
        'none',
        '--name',
        newName(),
        '--volume',
        `${volume}:/from:ro`,
        '--volume',
        `${copy}:/to`,
        '--entrypoint',
        'cp',
        ours,
        '--archive',
        '/from/.',
        '/to/',
      )
      return copy
    },
    withBox: async (peer, options, use) => {
      const made = await box(peer, options)
      try {
        await made.run()
        await made.page()
        return await use(made)
      } finally {
        await made.remove().catch(() => {})
      }
    },
  }
}

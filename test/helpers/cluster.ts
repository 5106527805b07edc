import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'

const root = fileURLToPath(new URL('../..', import.meta.url))
const tool = join(root, '../shared/tools/cluster')
const home = process.env.CLUSTER_HOME ?? '/var/cache/cluster'
const bin = (name: string): string => join(home, 'bin', name)

const programs = ['kube-apiserver', 'kubelet', 'etcd', 'helm', 'kubeconform', 'coredns']

/** Why no Kubernetes can run here, if none can. */
export const noCluster = ((): string | undefined => {
  const clusterTool = process.env.CLUSTER_TOOL ?? tool
  if (!existsSync(clusterTool)) return 'there is no tool that makes a Kubernetes'
  const lacking = programs.filter((name) => !existsSync(bin(name)))
  return lacking.length === 0 ? undefined : `its programs are not built: ${lacking.join(', ')}`
})()

const run = async (command: string, args: readonly string[], env: Record<string, string> = {}) => {
  const { exitCode, stdout, stderr } = await execa(command, args, {
    reject: false,
    stdin: 'ignore',
    timeout: 600_000,
    env,
  })
  return { exitCode: exitCode ?? -1, stdout, stderr }
}

const clusterTool = process.env.CLUSTER_TOOL ?? tool
/** One action of the tool; throws with what it wrote. */
export const cluster = async (...args: readonly string[]): Promise<string> => {
  const { exitCode, stdout, stderr } = await run(clusterTool, args)
  if (exitCode !== 0) throw new Error(`cluster ${args.join(' ')} ended with ${exitCode}: ${stderr}${stdout}`)
  return stdout.trim()
}
export const kubectl = (...args: readonly string[]): Promise<string> => cluster('kubectl', ...args)
export const helm = (...args: readonly string[]): Promise<string> => cluster('helm', ...args)

export const bringUp = async (images: readonly string[]): Promise<void> => {
  const { exitCode, stdout, stderr } = await run(clusterTool, ['up'], { IMAGES: images.join(' ') })
  if (exitCode !== 0) throw new Error(`cluster up ended with ${exitCode}: ${stderr}${stdout}`)
}

/** The schemas of Kubernetes that are here: of the version that runs, and `schemas-VERSION` of others. */
export const schemaFolders = (): readonly string[] =>
  readdirSync(home).filter((name) => name === 'schemas' || name.startsWith('schemas-'))

/** Holds a manifest to one of them, where every field has to be known. */
export const conform = async (manifest: string, schemas: string): Promise<string> => {
  const location = join(home, schemas, '{{.ResourceKind}}{{.KindSuffix}}.json')
  const { stdout } = await execa(
    bin('kubeconform'),
    ['-strict', '-summary', '-schema-location', location, '-skip', 'HTTPRoute', '-'],
    { input: manifest, reject: false },
  )
  return stdout
}

/** The address of the first node, at which pods reach what runs beside the cluster. */
export const nodeAddress = '198.18.0.1'

/** A Postgres beside the cluster, with a superuser `owner`. */
export const startServer = async (postgresBin: string) => {
  const folder = await mkdtemp('/tmp/pg-cluster-')
  await execa('chown', ['postgres', folder])
  const asPostgres = ['--reuid=postgres', '--regid=postgres', '--clear-groups', '--']
  const initdb = [`${postgresBin}/initdb`, '-D', `${folder}/data`, '-U', 'owner', '-A', 'trust', '--no-sync']
  await execa('setpriv', [...asPostgres, ...initdb], { cwd: folder })
  const settings = {
    listen_addresses: nodeAddress,
    unix_socket_directories: folder,
    fsync: 'off',
    max_connections: '200',
  }
  const postgres = [
    `${postgresBin}/postgres`,
    '-D',
    `${folder}/data`,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]
  const launch = () =>
    execa('nsenter', ['--net=/run/netns/kube0', 'setpriv', ...asPostgres, ...postgres], {
      cwd: folder,
      reject: false,
    })
  let server = launch()
  await execa('sh', ['-c', `echo 'host all all 198.18.0.0/15 trust' >> ${folder}/data/pg_hba.conf`])
  const sql = async (database: string, text: string): Promise<string> =>
    (await run('psql', ['-h', folder, '-U', 'owner', '-d', database, '-qtAc', text])).stdout
  const answers = async (): Promise<void> => {
    for (let tries = 0; tries < 100 && (await sql('postgres', 'select pg_reload_conf()')) !== 't'; tries++)
      await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await answers()
  return {
    sql,
    /** Ends all sessions, is away for a while, and answers again. */
    failOver: async (ms: number): Promise<void> => {
      server.kill('SIGINT')
      await server
      await new Promise((resolve) => setTimeout(resolve, ms))
      server = launch()
      await answers()
    },
    stop: async (): Promise<void> => {
      server.kill('SIGINT')
      await server
      await rm(folder, { recursive: true })
    },
  }
}

export type Load = {
  readonly requests: number
  readonly failed: readonly string[]
  readonly slowestMs: number
}

/** Visitors in the network of the cluster. */
export const startLoad = (url: string): { readonly stop: () => Promise<Load> } => {
  const program = join(root, 'test/cluster/load.ts')
  const load = execa('nsenter', ['--net=/run/netns/kube0', process.execPath, program, url], { reject: false })
  return {
    stop: async () => {
      load.kill('SIGTERM')
      return JSON.parse((await load).stdout) as Load
    },
  }
}

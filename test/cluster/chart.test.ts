import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  bringUp,
  cluster,
  conform,
  helm,
  kubectl,
  type Load,
  noCluster,
  nodeAddress,
  schemaFolders,
  startLoad,
  startServer,
} from '../helpers/cluster.ts'
import { image, leanImage, mustDocker, until } from '../helpers/docker.ts'

const chart = fileURLToPath(new URL('../../deploy/helm/mathesar', import.meta.url))
/** `TEST_ROUNDS=10` for the figure. */
const rounds = Number(process.env.TEST_ROUNDS ?? 2)
const postgresBin = process.env.TEST_POSTGRES_BIN ?? '/usr/lib/postgresql/15/bin'
const archives = ['/tmp/cluster-lean.tar', '/tmp/cluster-full.tar'] as const
const names = ['local/mathesar:lean', 'local/mathesar:lean-2', 'local/mathesar:full'] as const

const onlyImage = ['--set', 'image.repository=local/mathesar', '--set', 'image.pullPolicy=Never']
const small = ['--set', 'settings.WEB_CONCURRENCY=2', '--set', 'settings.LOG_FORMAT=text']
const url = `postgres://owner:none@${nodeAddress}:5432/mathesar?sslmode=disable`
const release = [...onlyImage, ...small, '--set', `database.url=${url}`, '--set', 'replicas=3']

const title =
  noCluster === undefined ? 'the Helm chart on a Kubernetes' : `the Helm chart (skipped: ${noCluster})`

describe.skipIf(noCluster !== undefined)(title, () => {
  let server: Awaited<ReturnType<typeof startServer>>

  beforeAll(async () => {
    await mustDocker('tag', leanImage, names[0])
    await mustDocker('tag', leanImage, names[1])
    await mustDocker('tag', image, names[2])
    await mustDocker('save', '-o', archives[0], names[0], names[1])
    await mustDocker('save', '-o', archives[1], names[2])
    await bringUp(archives)
    server = await startServer(postgresBin)
    await server.sql('postgres', 'create database mathesar')
    // The strictest standard: what does not hold to it is not started.
    await kubectl('create', 'namespace', 'm')
    await kubectl('label', 'namespace', 'm', 'pod-security.kubernetes.io/enforce=restricted')
  }, 600_000)
  afterAll(async () => {
    await server?.stop()
    await cluster('down')
    for (const archive of archives) rmSync(archive, { force: true })
  }, 120_000)

  const inNamespace = (...args: readonly string[]): Promise<string> => kubectl('-n', 'm', ...args)
  /** A helm that was built from its module takes every cluster for an old one. */
  const render = (...args: readonly string[]): Promise<string> =>
    helm('template', 'mathesar', chart, '--kube-version', '1.34.4', ...args)
  const put = (...args: readonly string[]): Promise<string> =>
    helm(
      'upgrade',
      '--install',
      'mathesar',
      chart,
      '-n',
      'm',
      '--history-max',
      '0', // The first is gone back to.
      ...release,
      ...args,
    )
  const upgrade = (...args: readonly string[]): Promise<string> => put('--wait', '--timeout', '5m', ...args)
  /** What visitors see of what is done meanwhile. */
  const underLoad = async (act: () => Promise<unknown>): Promise<Load> => {
    const address = await inNamespace('get', 'service', 'mathesar', '-o', 'jsonpath={.spec.clusterIP}')
    let result: Load
    const load = startLoad(`http://${address}/auth/login/`)
    try {
      await act()
      await delay(2000) // What was to fail has failed by then.
    } finally {
      result = await load.stop()
    }
    return result
  }
  const pods = async (): Promise<string[]> =>
    (await inNamespace('get', 'pods', '-l', 'app.kubernetes.io/name=mathesar', '-o', 'name')).split('\n')

  test('is well-formed, in every form that it has', async () => {
    const everything = (
      'ingress.enabled=true gateway.enabled=true autoscaling.enabled=true networkPolicy.enabled=true ' +
      'ingress.hosts={a.example.org} gateway.hosts={a.example.org} gateway.parentRefs[0].name=front'
    )
      .split(' ')
      .flatMap((each) => ['--set', each])
    const forms = [
      [...release, ...everything],
      [...onlyImage, '--set', 'database.embedded=true'],
      [
        '--set',
        'database.existingSecret.name=db',
        '--set',
        'secretKey.existingSecret.name=key',
        '--is-upgrade',
      ],
    ]
    for (const form of forms) {
      const lintable = form.filter((each) => each !== '--is-upgrade')
      expect(await helm('lint', '--strict', chart, ...lintable)).toContain('0 chart(s) failed')
      const manifest = await render(...form)
      for (const schemas of schemaFolders())
        expect(await conform(manifest, schemas), schemas).toMatch(/Invalid: 0, Errors: 0/)
    }
    const values = join(mkdtempSync(join(tmpdir(), 'chart-')), 'values.yaml')
    writeFileSync(values, 'settings: { UNDO_SPACE: 1000000 }\nimage: { tag: "lean@sha256:0123" }\n')
    const numbers = await render(...release, '--values', values)
    expect(numbers).toMatch(/name: UNDO_SPACE\n +value: "1000000"/)
    expect(numbers).toContain('app.kubernetes.io/version: "lean"')
    await expect(render()).rejects.toThrow('no database is given')
    for (const [way, lacks] of [
      ['ingress', 'ingress.hosts'],
      ['gateway', 'gateway.parentRefs'],
    ])
      await expect(render(...release, '--set', `${way}.enabled=true`)).rejects.toThrow(lacks)
    await expect(render(...release, '--set', 'settings.WEB_CONCURENCY=2')).rejects.toThrow('WEB_CONCURENCY')
  })

  test('brings up three replicas on two nodes, of which one migrates', async () => {
    await put('--set', 'image.tag=lean')
    // As the chart's README has it: at once.
    expect(await helm('test', 'mathesar', '-n', 'm')).toContain('Succeeded')
    await inNamespace('rollout', 'status', 'deployment/mathesar', '--timeout=300s')
    const logs = await Promise.all((await pods()).map((pod) => inNamespace('logs', pod)))
    expect(logs.join('\n').match(/running migrations/g)).toHaveLength(1)
    const nodes = await inNamespace('get', 'pods', '-o', 'jsonpath={.items[*].spec.nodeName}')
    expect(new Set(nodes.split(' ')).size).toBe(2)
  }, 400_000)

  test(
    'is updated under load without a failed request',
    async () => {
      for (let round = 0; round < rounds; round++) {
        const tag = `image.tag=lean${round % 2 === 0 ? '-2' : ''}`
        const { requests, slowestMs, failed } = await underLoad(async () => {
          // Image and setting change in turn.
          await upgrade('--set', tag)
          await upgrade('--set', tag, '--set', `drainDelay=${4 - (round % 2)}`)
        })
        console.log(
          `round ${round + 1}: ${requests} requests, ${failed.length} failed, ${slowestMs} ms at most`,
        )
        expect(failed).toEqual([])
        expect(requests).toBeGreaterThan(100)
      }
    },
    rounds * 200_000,
  )

  test('is left by a node that is drained without a failed request', async () => {
    const { failed } = await underLoad(async () => {
      await kubectl('drain', 'node2', '--ignore-daemonsets', '--delete-emptydir-data', '--timeout=300s')
      await inNamespace('rollout', 'status', 'deployment/mathesar', '--timeout=300s')
    })
    await kubectl('uncordon', 'node2')
    expect(failed).toEqual([])
  }, 600_000)

  test('replaces a replica that is killed', async () => {
    const [victim] = await pods()
    const { requests, failed } = await underLoad(async () => {
      await inNamespace('delete', victim!, '--grace-period=0', '--force')
      await inNamespace('rollout', 'status', 'deployment/mathesar', '--timeout=300s')
    })
    // Those that it had accepted.
    expect(failed.length).toBeLessThan(requests / 20)
  }, 600_000)

  test('says itself that its database fails over: nobody is refused, nothing starts again', async () => {
    const before = await pods()
    const { failed } = await underLoad(() => server.failOver(15_000))
    expect(failed.length).toBeGreaterThan(0)
    expect([...new Set(failed.map((each) => each.replace(/^.*?: /, '')))]).toEqual(['status 503'])
    expect(await pods()).toEqual(before)
    const restarts = '{.items[*].status.containerStatuses[0].restartCount}'
    expect(await inNamespace('get', 'pods', '-o', `jsonpath=${restarts}`)).toMatch(/^[0 ]+$/)
  }, 200_000)

  test('goes back, and leaves nothing but the key when it is uninstalled', async () => {
    await helm('rollback', 'mathesar', '1', '-n', 'm', '--wait', '--timeout', '5m')
    await helm('uninstall', 'mathesar', '-n', 'm', '--wait')
    await until('the pods are gone', async () => (await inNamespace('get', 'pods', '-o', 'name')) === '')
    const kinds = 'all,secret,serviceaccount,pdb,hpa,ingress,networkpolicy,configmap,pvc'
    const left = (await inNamespace('get', kinds, '-o', 'name')).split('\n')
    const foreign = ['serviceaccount/default', 'configmap/kube-root-ca.crt']
    expect(left.filter((each) => each !== '' && !foreign.includes(each))).toEqual(['secret/mathesar-key'])
  }, 400_000)
})

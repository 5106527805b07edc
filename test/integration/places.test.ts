import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { spread } from '../../src/operations/places/spread.ts'
import { findArchive, openNamedStore, openStores, type Store } from '../../src/operations/places/store.ts'
import type { OperationScope } from '../../src/operations/scope.ts'
import { createStreams } from '../../src/system/streams.ts'
import { files } from '../../src/system/files.ts'
import type { System } from '../../src/system/ports.ts'
import {
  type Asked,
  type Fault,
  givenStore,
  type ObjectStore,
  startLine,
  startStore,
} from '../helpers/object-store.ts'
import { hasOpenssl } from '../helpers/certificates.ts'
import { makePair } from '../helpers/pairs.ts'
import { failureOf } from '../unit/failure.ts'
import { createScope } from '../unit/fakes/scope.ts'
import { asBytes, collect } from '../unit/operations/archives.ts'

const MiB = 1024 * 1024
const name = 'mathesar-2026-11-26T10-00-00Z.tar'

/** 16.5 MiB, which are three parts, in chunks of odd lengths. */
const content = Buffer.alloc(16.5 * MiB)
for (let at = 0; at < content.length; at += 4) content.writeUInt32LE((at * 2_654_435_761) >>> 0, at)
const pieces = (): AsyncGenerator<Buffer> =>
  asBytes(
    ...Array.from({ length: 17 }, (_, at) => content.subarray(at * 999_999, (at + 1) * 999_999)),
    content.subarray(17 * 999_999),
  )
const sumOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** Real files, streams and requests; the pauses between tries take no time. */
const scopeWith = (config: string, data: string): OperationScope => {
  const { scope, system } = createScope({ config })
  const retry: System['retry'] = async (act, { isWorthIt }) => {
    for (let tries = 1; ; tries++) {
      try {
        return await act()
      } catch (error) {
        if (!isWorthIt?.(error) || tries === 5) throw error
      }
    }
  }
  const clock = { ...system.clock, now: () => Date.now(), delay: async () => {} }
  const streams = createStreams({
    own: new Set(),
    kernel: {
      trimHeap: () => {},
      pipe: () => {
        throw new Error('no program')
      },
    },
  })
  return {
    ...scope,
    place: { ...scope.place, paths: { ...scope.place.paths, data } },
    system: { ...system, ...streams, files, clock, retry },
  }
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'places-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const real = givenStore()
if (real === undefined)
  console.log('no real S3 server: TEST_S3_URL=http://KEY:SECRET@HOST:PORT/BUCKET gives one')

describe.each([
  { title: 'a storage of the tests', given: undefined },
  ...(real === undefined ? [] : [{ title: 'a real server', given: real }]),
])('backups in S3, $title', ({ given }) => {
  let store: ObjectStore
  let line: Awaited<ReturnType<typeof startLine>>
  let close = (): void => {}
  let place: Store
  const prefix = `test-${process.pid}`

  const settingsOf = ({ accessKey, secretKey, bucket }: ObjectStore, more = ''): string =>
    [
      `BACKUP_TO=s3://${bucket}/${prefix}`,
      `BACKUP_S3_ENDPOINT=${line.endpoint}`,
      `BACKUP_S3_ACCESS_KEY=${accessKey}`,
      `BACKUP_S3_SECRET_KEY=${secretKey}`,
      more,
    ].join('\n')
  const openPlace = (given = store): Store => openStores(scopeWith(settingsOf(given), folder))[0]!
  const write = (to = place) => spread([to], name, 0, pieces())

  /** Each request of a kind that `isHit` names meets the fault as often as `times` says. */
  const meet = (isHit: (asked: Asked) => boolean, fault: Fault, times = 1): (() => number) => {
    let count = 0
    line.faults.of = (asked) => (isHit(asked) && count++ < times ? fault : undefined)
    return () => count
  }
  const isPart = ({ url }: Asked): boolean => url.searchParams.has('partNumber')
  const isRead = ({ method, url }: Asked): boolean => method === 'GET' && url.pathname.endsWith(name)
  const isJoin = ({ method, url }: Asked): boolean => method === 'POST' && url.searchParams.has('uploadId')
  const isList = ({ url }: Asked): boolean => url.searchParams.has('list-type')

  beforeAll(async () => {
    const own = given === undefined ? await startStore() : undefined
    store = given ?? own!.store
    line = await startLine(store.endpoint)
    close = () => {
      line.close()
      own?.close()
    }
    place = openPlace()
    if (given !== undefined) {
      const scope = scopeWith(settingsOf(store), folder)
      const { S3Client } = await import('../../src/operations/places/s3-client.ts')
      const client = new S3Client(scope.system, {
        ...store,
        title: 't',
        endpoint: line.endpoint,
        region: 'us-east-1',
        isPathStyle: true,
      })
      await client.call({ method: 'PUT' }).catch(() => {})
    }
  })
  afterEach(async () => {
    line.faults.of = () => undefined
    for (const each of await place.list()) await place.remove(each.name)
  })
  afterAll(() => close())

  test('are not believed to be all where the storage tells no way to the rest', async () => {
    await write()
    meet(isList, ({ body, ...reply }) => ({
      ...reply,
      headers: {},
      body: Buffer.from(String(body).replace(/<IsTruncated>\w+/, '<IsTruncated>true')),
    }))
    expect(await failureOf(() => place.list())).toMatchObject({
      code: 'BACKUP_PLACE_FAILED',
      message: expect.stringContaining('it does not tell the whole list'),
    })
  })

  test('come back byte for byte, are listed and removed', async () => {
    expect(await write()).toMatchObject({ bytes: content.length, failures: [] })
    expect(await place.list()).toEqual([{ name, bytes: content.length }])
    expect(sumOf(await collect(place.read(name)))).toBe(sumOf(content))
    await spread([place], 'mathesar-2026-11-25T10-00-00Z.tar', 0, asBytes(Buffer.from('small')))
    await spread([place], 'mathesar-2026-11-24T10-00-00Z.tar.age', 0, asBytes(Buffer.from('small')))
    expect(await place.list()).toHaveLength(3)
    expect(await findArchive(scopeWith('', folder), [place], 'newest')).toMatchObject({ name })
    await place.remove(name)
    expect(await failureOf(() => findArchive(scopeWith('', folder), [place], name))).toMatchObject({
      code: 'USAGE',
    })
    for (const climbing of ['../secret.tar', `x/${name}`, '..', 'backups.json'])
      expect(await failureOf(() => findArchive(scopeWith('', folder), [place], climbing))).toMatchObject({
        code: 'USAGE',
      })
  })

  test('get there although the network is cut at every part, before and after it arrives', async () => {
    for (const fault of ['cut before', 'cut after'] as const) {
      const seen = new Set<string>()
      line.faults.of = ({ method, url }) => {
        const key = `${method} ${url.searchParams.get('partNumber')} ${url.searchParams.has('uploads')}`
        return seen.size < seen.add(key).size ? fault : undefined
      }
      expect(await write()).toMatchObject({ failures: [] })
      expect(seen.size).toBeGreaterThanOrEqual(5)
      line.faults.of = () => undefined
      expect(sumOf(await collect(place.read(name)))).toBe(sumOf(content))
      await place.remove(name)
    }
  })

  test('are read on behind the last byte where the network is cut, as often as it is', async () => {
    await write()
    const count = meet(isRead, 'cut within', 5)
    expect(sumOf(await collect(place.read(name)))).toBe(sumOf(content))
    expect(count()).toBe(6)
  })

  test('wait for a storage that throttles, and give up on one that never stops', async () => {
    const slow = (): ReturnType<Exclude<Fault, string | undefined>> => ({
      status: 503,
      headers: {},
      body: Buffer.from('<Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>'),
    })
    meet(isPart, slow, 3)
    expect(await write()).toMatchObject({ failures: [] })
    meet(isPart, slow, 1000)
    expect(await failureOf(() => write())).toMatchObject({
      code: 'BACKUP_PLACE_FAILED',
      message: expect.stringContaining('it answers 503 (SlowDown: Reduce your rate)'),
    })
  })

  test('are not there for a storage that lies: of a part, of what it joined, of its size', async () => {
    meet(isPart, (reply) => ({ ...reply, headers: { ...reply.headers, etag: `"${'0'.repeat(32)}"` } }))
    expect(await failureOf(() => write())).toMatchObject({
      message: expect.stringContaining('what arrived of a part is not what was sent'),
    })
    const error = '<Error><Code>InternalError</Code></Error>'
    meet(isJoin, (reply) => ({ ...reply, body: Buffer.from(error) }), 9)
    expect(await failureOf(() => write())).toMatchObject({
      message: expect.stringContaining('it does not join the parts (InternalError)'),
    })
    meet(isList, (reply) => ({
      ...reply,
      body: Buffer.from(reply.body.toString().replace(/<Size>\d+/g, '<Size>7')),
    }))
    expect(await failureOf(() => write())).toMatchObject({
      code: 'BACKUP_PLACE_FAILED',
      message: expect.stringContaining(`said that all went well, but it has 7 bytes of ${content.length}`),
    })
  })

  test('name a clock that is wrong, a key that is refused, a bucket that is not there', async () => {
    const refuse = (status: number, code: string) => () => ({
      status,
      headers: { date: 'Thu, 01 Jan 2026 00:00:00 GMT' },
      body: Buffer.from(`<Error><Code>${code}</Code><Message>No.</Message></Error>`),
    })
    const cases = [
      [403, 'RequestTimeTooSkewed', /clock of this machine is wrong: it says 20.* storage 2026-01-01/],
      [403, 'SignatureDoesNotMatch', /it answers 403 \(SignatureDoesNotMatch: No\.\)/],
      [404, 'NoSuchBucket', /it has no bucket/],
      [301, 'PermanentRedirect', /another region/],
    ] as const
    for (const [status, code, message] of cases) {
      const count = meet(() => true, refuse(status, code), 9)
      expect(await failureOf(() => place.list())).toMatchObject({
        code: 'BACKUP_PLACE_FAILED',
        message: expect.stringMatching(message),
      })
      expect(count()).toBe(1)
    }
  })

  test.runIf(given === undefined && hasOpenssl)(
    'reach a storage whose certificate BACKUP_S3_CA has',
    async () => {
      const { certificate: cert, key } = makePair()
      const server = createServer({ cert, key }, (_, response) => void response.end('<ListBucketResult/>'))
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const path = join(folder, 'ca.pem')
      const settings = settingsOf(store).replace(/ENDPOINT=.*/, `ENDPOINT=https://localhost:${port}`)
      const open = (more = ''): Store => openStores(scopeWith(`${settings}\n${more}`, folder))[0]!
      expect(await failureOf(() => open().list())).toMatchObject({
        message: expect.stringMatching(/: self-signed certificate$/),
        hint: expect.stringContaining('BACKUP_S3_CA'),
      })
      expect(await failureOf(() => open(`BACKUP_S3_CA=${path}`))).toMatchObject({
        message: expect.stringContaining('not there'),
      })
      writeFileSync(path, 'no certificate')
      expect(await failureOf(() => open(`BACKUP_S3_CA=${path}`))).toMatchObject({
        code: 'BACKUP_PLACE_FAILED',
      })
      writeFileSync(path, cert)
      expect(await open(`BACKUP_S3_CA=${path}`).list()).toEqual([])
      server.close()
    },
  )

  test.runIf(given !== undefined)('are refused by the real server under a wrong key', async () => {
    const failure = await failureOf(() => openPlace({ ...store, secretKey: 'wrong-secret' }).list())
    expect(failure).toMatchObject({
      code: 'BACKUP_PLACE_FAILED',
      hint: expect.stringContaining('SECRET_KEY'),
    })
    expect(JSON.stringify(failure)).not.toContain('wrong-secret')
  })
})

describe('backups in folders', () => {
  const scopeOf = (config = ''): OperationScope => scopeWith(config, folder)
  const write = (stores: readonly Store[]) => spread(stores, name, 0, pieces())

  test('are whole or not there, whatever the stream ends with', async () => {
    const scope = scopeOf()
    const failing = async function* (): AsyncGenerator<Buffer> {
      yield content.subarray(0, MiB)
      throw new Error('the cluster is gone')
    }
    const store = openNamedStore(scope, 'volume')
    await expect(spread([store], name, 0, failing())).rejects.toThrow('the cluster is gone')
    expect(await store.list()).toEqual([])
    writeFileSync(join(folder, 'backups/.abc-1.tmp'), 'of a run that was killed')
    await write([store])
    expect(readdirSync(join(folder, 'backups'))).toEqual([name])
    expect(sumOf(await collect(store.read(name)))).toBe(sumOf(content))
  })

  test('go to the other places where one fails, at its beginning or in the midst', async () => {
    const scope = scopeOf()
    const bad = (failing: 'begin' | 'write' | 'finish'): Store => ({
      ...openNamedStore(scope, 'volume'),
      title: `fails at ${failing}`,
      begin: async () => {
        const fail = (at: string) => async (): Promise<void> => {
          if (at === failing) throw new Error(`cannot ${at}`)
        }
        await fail('begin')()
        return { write: fail('write'), finish: fail('finish'), abort: async () => {} }
      },
    })
    const { places, failures } = await write([
      bad('begin'),
      bad('write'),
      openNamedStore(scope, 'volume'),
      bad('finish'),
    ])
    expect(places).toEqual(['volume'])
    expect(failures.map(({ message }) => message)).toEqual([
      'internal error: cannot begin',
      'internal error: cannot write',
      'internal error: cannot finish',
    ])
    await expect(write([bad('write'), bad('finish')])).rejects.toThrow('cannot write')
  })

  test('are refused by a folder without a mount, and by the empty one of an absent disk', async () => {
    const disk = join(folder, 'disk')
    const scope = scopeOf()
    const mounted = {
      ...scope,
      system: {
        ...scope.system,
        readMounts: () => new Map([['/tmp', { point: disk, root: '/', fileSystem: 'ext4' }]]),
      },
      place: { ...scope.place, paths: { ...scope.place.paths, data: join(folder, 'data') } },
    }
    mkdirSync(join(folder, 'data'))
    const store = openNamedStore(mounted, disk)
    expect(await failureOf(() => store.list())).toMatchObject({
      code: 'BACKUP_PLACE_FAILED',
      message: `cannot use ${disk}: it is not there`,
      hint: `Mount a folder: \`-v /srv/backups:${disk}\`.`,
    })
    expect(await failureOf(() => write([store]))).toMatchObject({
      message: `cannot use ${disk}: it is not there`,
    })
    mkdirSync(disk)
    await write([store])
    expect(await store.list()).toEqual([{ name, bytes: content.length }])
    rmSync(disk, { recursive: true })
    mkdirSync(disk)
    expect(await failureOf(() => write([store]))).toMatchObject({
      code: 'BACKUP_PLACE_FAILED',
      hint: expect.stringContaining('Is the disk of the host mounted?'),
    })
    expect(readdirSync(disk)).toEqual([])
    const other = openNamedStore(mounted, folder)
    expect(await failureOf(() => write([other]))).toMatchObject({
      message: `cannot back up to ${folder}: nothing is mounted there`,
    })
  })

  test('name the place that goes, fails or is full while it is written to', async () => {
    const scope = scopeOf()
    const failingWith = (code: string): Store => {
      const createFile: OperationScope['system']['createFile'] = async (path) => {
        const file = await scope.system.createFile(path)
        const finish = (): never => {
          throw Object.assign(new Error(`${code}: it is refused`), { code })
        }
        return { ...file, finish }
      }
      return openNamedStore({ ...scope, system: { ...scope.system, createFile } }, 'volume')
    }
    const path = join(folder, 'backups')
    for (const [code, failure] of [
      [
        'ENOENT',
        { code: 'BACKUP_PLACE_FAILED', message: `cannot use ${path}: what was written there is gone` },
      ],
      ['EIO', { code: 'BACKUP_PLACE_FAILED', hint: expect.stringContaining('dmesg') }],
      ['ENOSPC', { code: 'VOLUME_FULL', message: `cannot write an archive to ${path}: no space left` }],
    ] as const)
      expect(await failureOf(() => write([failingWith(code)]))).toMatchObject(failure)
  })

  test('are rid of what a write left there that was killed a day ago', async () => {
    const disk = join(folder, 'shared')
    const scope = scopeOf()
    const mounts = new Map([['/tmp', { point: disk, root: '/', fileSystem: 'ext4' }]])
    const system = { ...scope.system, readMounts: () => mounts }
    mkdirSync(disk)
    for (const left of ['.abc-1.tmp', '.abc-2.tmp', '.notes.tmp']) writeFileSync(join(disk, left), 'x')
    const before = new Date(Date.now() - 25 * 3_600_000)
    for (const left of ['.abc-1.tmp', '.notes.tmp']) utimesSync(join(disk, left), before, before)
    await write([openNamedStore({ ...scope, system }, disk)])
    expect(readdirSync(disk).toSorted()).toEqual(['.abc-2.tmp', '.mathesar-backups', '.notes.tmp', name])
  })

  test('say why an archive cannot be read', async () => {
    const store = openNamedStore(scopeOf(), 'volume')
    mkdirSync(join(folder, 'backups/mathesar-2026-11-25T10-00-00Z.tar'), { recursive: true })
    expect(await failureOf(() => collect(store.read('mathesar-2026-11-25T10-00-00Z.tar')))).toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(/^cannot open .*: it is a folder$/),
    })
    rmSync(join(folder, 'backups/mathesar-2026-11-25T10-00-00Z.tar'), { recursive: true })
    expect(await failureOf(() => collect(store.read('mathesar-2026-11-24T10-00-00Z.tar')))).toMatchObject({
      code: 'BACKUP_PLACE_FAILED',
      message: expect.stringMatching(/^cannot read .*: it is not there$/),
      hint: expect.stringContaining('Nothing was changed.'),
    })
  })

  test('leave room for Postgres, and name a folder that is read-only', async () => {
    const scope = scopeOf()
    let free = 1024 * MiB
    const full = {
      ...scope,
      system: {
        ...scope.system,
        files: { ...files, freeSpace: () => ({ bytes: (free -= 300 * MiB), inodes: 9 }) },
      },
    }
    const store = openNamedStore(full, 'volume')
    expect(await failureOf(() => write([store]))).toMatchObject({
      code: 'VOLUME_FULL',
      hint: expect.stringContaining('BACKUP_KEEP'),
    })
    expect(readdirSync(join(folder, 'backups')).filter((each) => each.endsWith('.tmp'))).toEqual([])
    const closed = {
      ...scope.system,
      createFile: async () => {
        throw Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' })
      },
    }
    expect(
      await failureOf(() => write([openNamedStore({ ...scope, system: closed }, 'volume')])),
    ).toMatchObject({
      code: 'BACKUP_PLACE_FAILED',
      message: expect.stringContaining('read-only'),
    })
  })
})

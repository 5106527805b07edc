import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import type { Status } from '../../src/core/status.ts'
import {
  type Box,
  cleanUp,
  dataFolder,
  describeContainer,
  docker,
  image,
  newVolume,
  start,
  until,
} from '../helpers/docker.ts'
import { startLine, startStore } from '../helpers/object-store.ts'

/** A schedule of each minute. */
const minuteLimitMs = 200_000

describeContainer('backups by themselves', () => {
  const folder = mkdtempSync(join(tmpdir(), 'places-'))
  const told: string[] = []
  const receiver = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => told.push(chunk.toString())).once('end', () => response.end())
  })
  let storage: Awaited<ReturnType<typeof startStore>>
  let line: Awaited<ReturnType<typeof startLine>>
  let box: Box
  let settings: Readonly<Record<string, string>>

  beforeAll(async () => {
    storage = await startStore()
    line = await startLine(storage.store.endpoint)
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
    mkdirSync(join(folder, 'disk'))
    writeFileSync(join(folder, 'key'), 'secret-of-the-storage\n')
    chmodSync(join(folder, 'key'), 0o444)
    settings = {
      BACKUP_TO: 'volume, /backups, s3://bucket/box',
      BACKUP_S3_ENDPOINT: line.endpoint,
      BACKUP_S3_ACCESS_KEY: 'access-of-the-storage',
      BACKUP_S3_SECRET_KEY_FILE: '/key',
    }
    box = await start({
      env: {
        ...settings,
        BACKUP_SCHEDULE: '* * * * *',
        BACKUP_KEEP: '1 last',
        BACKUP_DRILL: '* * * * *',
        NOTIFY_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`,
      },
      run: ['-v', `${join(folder, 'disk')}:/backups`, '-v', `${join(folder, 'key')}:/key:ro`],
    })
    await box.ready()
  })
  afterEach(() => {
    line.faults.of = () => undefined
  })
  afterAll(async () => {
    await cleanUp()
    for (const each of [storage, line, receiver]) each.close()
    rmSync(folder, { recursive: true })
  })

  const backup = async (): Promise<Status['backup']> => (await box.status()).backup

  it('go to every place, are proved beside, and are told in the status', async () => {
    await until('one is proved', async () => (await backup()).proved !== null, minuteLimitMs)
    const { last, proved } = await backup()
    expect(last?.places).toEqual(['volume', '/backups', 's3://bucket/box'])
    expect(proved?.restoreMs).toBeGreaterThan(100)
    expect((await box.supervisor('status')).stdout).toMatch(
      new RegExp(
        'Backup: last \\d+ s ago \\(volume, /backups, s3://bucket/box\\); ' +
          'last proved \\d+ s ago, a restore takes \\d+ s; next',
      ),
    )
    expect((await box.supervisor('health')).stdout).toBe('ready')
    const list = (await box.supervisor('backup', 'list')).stdout
    for (const place of ['volume', '/backups', 's3://bucket/box'])
      expect(list).toMatch(
        new RegExp(`^${place} +mathesar-\\w{8}-[\\dTZ-]+\\.tar +[\\d.]+ +20.* without secrets$`, 'm'),
      )
    expect(told).toEqual([])
  })

  it(
    'are thinned out, but for the one that is proved, and for what somebody made by hand',
    { timeout: 600_000 },
    async () => {
      const backUp = async (): Promise<string> => (await box.supervisor('backup', 's3://bucket/box')).stdout
      const byHand = await until('nothing else is at work', backUp, minuteLimitMs)
      expect(byHand).toMatch(/^s3:\/\/bucket\/box\/mathesar-20[\dTZ-]+\.tar$/)
      const onDisk = () => readdirSync(join(folder, 'disk')).filter((name) => name.endsWith('.tar'))
      const first = onDisk().find((name) => !name.includes('-after-'))
      const before = (await backup()).last!.name
      await until(
        'the next ones',
        async () => {
          const { last, proved } = await backup()
          return last!.name !== before && proved!.name === last!.name && last!.places.length === 3
        },
        minuteLimitMs,
      )
      expect(onDisk().filter((name) => name.includes('-after-'))).not.toEqual([])
      expect(onDisk()).toContain(first) // The others build on it.
      const full = 'BACKUP_FULL_EVERY=0 supervisor backup --scheduled'
      const twice = ['sh', '-c', `${full} && supervisor backup verify newest && ${full}`] as const
      await until(
        'nothing else is at work',
        async () => (await box.exec(...twice)).exitCode === 0,
        minuteLimitMs,
      )
      expect(onDisk().length).toBeLessThanOrEqual(3)
      expect(onDisk()).not.toContain(first)
      expect([...storage.objects.keys()]).toContain(byHand.slice('s3://bucket/'.length))
    },
  )

  it('that one place refuses are kept in the others, and told once: status, health, NOTIFY_URL', async () => {
    line.faults.of = () => () => ({
      status: 403,
      headers: {},
      body: Buffer.from('<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'),
    })
    const text =
      'cannot use s3://bucket/box: it answers 403 (AccessDenied: Access Denied); ' +
      'it is kept in volume, /backups'
    await until('the problem', async () => (await box.status()).problems.length > 0, minuteLimitMs)
    expect((await box.status()).problems).toMatchObject([
      { unit: 'backup', code: 'BACKUP_PLACE_FAILED', message: text },
    ])
    expect(await box.supervisor('health')).toMatchObject({ exitCode: 0, stdout: `ready; backup: ${text}` })
    await until('word of it', () => told.length > 0, 60_000)
    expect(JSON.parse(told[0]!)).toMatchObject({ code: 'BACKUP_PLACE_FAILED', message: text })
    line.faults.of = () => undefined
    await until('it is good again', async () => (await box.status()).problems.length === 0, minuteLimitMs)
    expect(told).toHaveLength(1)
    for (const said of [await box.logs(), ...told]) expect(said).not.toMatch(/(access|secret)-of-the-storage/)
  })

  it('bring an empty machine back from the storage, which then leaves those of the first alone', async () => {
    const volume = await newVolume()
    const env = { ...settings, BACKUP_TO: 's3://bucket/box', BACKUP_SCHEDULE: 'off', BACKUP_KEEP: '1 last' }
    const key = ['-v', `${join(folder, 'key')}:/key:ro`]
    const restore = (to: string, name: string) => {
      const options = Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`])
      const mounts = ['-v', `${to}:${dataFolder}`, ...key]
      return docker('run', '--rm', '--network=host', ...mounts, ...options, image, 'restore', name)
    }
    await until('there is one', async () => (await backup()).last !== null, minuteLimitMs)
    expect(await restore(volume, 'newest')).toMatchObject({
      exitCode: 0,
      stderr: expect.stringMatching(/restored: the state of 20[^]*It is in place/),
    })
    expect(await restore(volume, '../newest.tar')).toMatchObject({ exitCode: 2 })
    const secretKey = (await box.sh(`cat ${dataFolder}/secrets/secret_key`)).stdout.trim()
    await box.stop()
    const ofFirst = () => [...storage.objects.keys()].filter((name) => name.includes(letters))
    const letters = /mathesar-(\w{8})-/.exec(readdirSync(join(folder, 'disk')).join(' '))![1]!
    const before = ofFirst()
    expect(before).not.toEqual([])
    const other = await start({ volume, env: { ...env, SECRET_KEY: secretKey }, run: key })
    await other.ready(90_000)
    for (let made = 0; made < 2; made++)
      expect(await other.exec('sh', '-c', 'sleep 1; supervisor backup --scheduled')).toMatchObject({
        exitCode: 0,
      })
    expect(ofFirst()).toEqual(before)
    const newest = (await other.supervisor('backup', 'show', 'newest')).stdout
    expect(newest).toContain('"mathesarBackup"')
    await other.remove()
    expect(await restore(await newVolume(), 'newest')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(
        new RegExp(`there are backups of 2 installations[^]*mathesar-${letters}-`),
      ),
    })
  })
})

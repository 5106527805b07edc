import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  type Box,
  cleanUp,
  dataFolder,
  describeContainer,
  docker,
  image,
  newVolume,
  onVolume,
  start,
  until,
} from '../helpers/docker.ts'
import { startWriters } from '../helpers/writers.ts'

/** How much there is to move beside what is new, and how often a move is cut off. */
const megabytes = Number(process.env.MOVE_MB ?? 20)
const kills = Number(process.env.MOVE_KILLS ?? 4)

type End = { readonly exitCode: number; readonly said: string }

const endOf = async (child: ChildProcess): Promise<End> => {
  let said = ''
  child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const exitCode = await new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)))
  return { exitCode, said }
}

/** What two ends of a pipe are, each of which reads what the other one writes. */
const beginMove = (box: Box, volume: string, env: readonly string[] = [], args: readonly string[] = []) => {
  const name = `${volume}-receiver`
  const run = ['run', '--interactive', '--rm', '--network', 'none', '--name', name]
  const mount = ['--volume', `${volume}:${dataFolder}`]
  const sender = spawn('docker', ['exec', '--interactive', box.id, 'supervisor', 'send', ...args])
  const receiver = spawn('docker', [
    ...run,
    ...env.flatMap((each) => ['--env', each]),
    ...mount,
    image,
    'receive',
  ])
  const pairs = [
    [sender, receiver],
    [receiver, sender],
  ] as const
  for (const [from, to] of pairs) {
    from.stdout.pipe(to.stdin)
    // As a shell does: who writes to nobody ends.
    to.stdin.on('error', () => {}).once('close', () => from.stdout.destroy())
  }
  return { sender, receiver, name, ended: Promise.all([endOf(sender), endOf(receiver)]) }
}

/** Resolves once it has said that, or can say nothing more. */
const whenSaid = ({ stderr }: ChildProcess, text: string): Promise<void> =>
  new Promise((resolve) => {
    stderr!.on('data', (chunk: Buffer) => chunk.includes(text) && resolve()).once('close', resolve)
  })

const visit = async (box: Box): Promise<string> =>
  await (await fetch(box.url('/'), { headers: { accept: 'text/html' } })).text()

const must = async (box: Box, ...args: string[]): Promise<string> => {
  const { exitCode, stdout, stderr } = await box.supervisor(...args)
  expect(`${exitCode} ${stderr}`).toMatch(/^0 /)
  return stdout
}

const media = `${dataFolder}/media`
const listMedia = async (box: Box): Promise<string> =>
  (await box.sh(`cd ${media} && find . -type f -exec sha256sum {} + | sort -k 2`)).stdout

const makeMedia = `cd ${media}; mkdir folder; for f in a b c folder/d; do echo $f > $f; done`
/** One goes, one is other, one is new, and one is in a folder of another name. */
const changeMedia = `cd ${media}; rm a; echo more >> b; echo e > e; mv folder other`

/** Whether it has moved, once nobody sends any more; then it serves again. */
const takenBack = (box: Box): Promise<'moved' | 'serves'> =>
  until('it is decided who serves', async () => {
    if ((await box.status().catch(() => undefined)) === undefined) return undefined
    const { exitCode, stderr } = await box.supervisor('send', '--back')
    if (exitCode === 0) return 'moved'
    return stderr.includes('nothing was moved') ? 'serves' : undefined
  })

/** What the volume holds of an installation. */
const installed = (volume: string): Promise<string> =>
  onVolume(volume, `ls -d postgres manifest.json secrets config media restore/state* 2>/dev/null || true`)

describeContainer('a move to another volume', () => {
  const runs = [mkdtempSync(join(tmpdir(), 'move-')), mkdtempSync(join(tmpdir(), 'move-'))] as const
  const onHost = (run: string): readonly string[] => ['--volume', `${run}:/run/mathesar`]
  let box: Box
  beforeAll(async () => {
    const env = { BACKUP_PASSPHRASE: 'a passphrase' }
    box = await start({ volume: await newVolume(), env, run: onHost(runs[0]) })
    await box.ready()
    const series = `generate_series(1, ${megabytes * 1000}) AS id`
    const filler = `SELECT id, repeat(md5(id::text), 31) AS text FROM ${series}`
    await must(box, 'psql', '-c', `CREATE TABLE filler AS ${filler}`)
    await box.sh(makeMedia)
  })
  afterAll(async () => {
    await cleanUp()
    for (const run of runs) rmSync(run, { recursive: true, force: true })
  })

  it('that has no way back, the wrong key or a used volume is refused, and Mathesar serves on', async () => {
    const alone = await box.sh('supervisor send < /dev/null | cat')
    expect(alone.stderr).toContain('cannot send: the receiver is gone, or nothing leads back from it')
    const volume = await newVolume()
    const [, locked] = await beginMove(box, volume).ended
    expect([locked.exitCode, locked.said]).toEqual([83, expect.stringContaining('it is encrypted')])
    expect(await installed(volume)).toBe('')
    await onVolume(volume, 'mkdir postgres && echo 17 > postgres/PG_VERSION')
    const [sent, received] = await beginMove(box, volume).ended
    expect([sent.exitCode, received.exitCode]).toEqual([92, 84])
    expect((await box.status()).ready).toBe(true)
  })

  it('that is killed at any moment leaves it serving, or moved and whole', async () => {
    for (let kill = 0; kill < kills; kill++) {
      const volume = await newVolume()
      const move = beginMove(box, volume, ['BACKUP_PASSPHRASE=a passphrase'])
      const isLate = (kill + Math.floor(kill / 4)) % 2 === 1
      await (isLate ? whenSaid(move.sender, 'visitors wait') : delay(500))
      await delay(2500 * Math.random())
      if (kill % 4 === 0) await docker('kill', move.name)
      else if (kill % 4 === 1) move.receiver.kill('SIGKILL')
      else if (kill % 4 === 2) move.sender.kill('SIGKILL')
      else await docker('kill', box.id)
      const [, received] = await move.ended
      await until('the receiver is gone', async () => (await docker('inspect', move.name)).exitCode !== 0)
      if (!(await box.isRunning())) await box.startAgain()
      const moved = (await takenBack(box)) === 'moved'
      console.log(`kill ${kill}, ${isLate}: ${moved ? 'moved' : 'serves'}, receiver ${received.exitCode}`)
      await box.ready()
      expect(await must(box, 'psql', '-tAc', 'SELECT count(*) FROM filler')).toBe(String(megabytes * 1000))
      if (!moved) expect(await installed(volume)).not.toContain('manifest.json')
    }
  })

  it('brings everything along while clients write, and the old one says where it is', async () => {
    const [volume, writers] = [await newVolume(), startWriters(join(runs[0], 'postgres'))]
    await writers.prepare()
    const ended = writers.begin()
    await must(box, 'config', 'set', 'DEBUG=true')
    const oid = await must(box, 'psql', '-tAc', `SELECT 'filler'::regclass::oid`)
    const { sender, ...move } = beginMove(
      box,
      volume,
      ['BACKUP_PASSPHRASE=a passphrase'],
      ['--to', 'elsewhere'],
    )
    sender.stderr.once('data', () => void box.sh(changeMedia))
    const [sent, received] = await move.ended
    expect([sent.exitCode, received.exitCode], sent.said + received.said).toEqual([0, 0])
    console.log(`${megabytes} MB: ${sent.said.split('\n').slice(-3).join(' | ')}`)
    writers.end()
    await Promise.all(ended)
    const says = (): Promise<boolean> => visit(box).then((page) => page.includes('Mathesar has moved'))
    await until('its page says so', () => says().catch(() => false)) // It starts over.

    const next = await start({ volume, run: onHost(runs[1]) })
    await next.ready()
    expect(writers.acknowledged.length).toBeGreaterThan(0)
    expect(await startWriters(join(runs[1], 'postgres')).lost([...writers.acknowledged])).toEqual([])
    expect(await must(next, 'psql', '-tAc', `SELECT 'filler'::regclass::oid`)).toBe(oid)
    expect(await listMedia(next)).toBe(await listMedia(box))
    expect(await listMedia(next)).toMatch(/b\n.*c\n.*e\n.*other\/d$/)
    expect(await must(next, 'config', 'get', 'DEBUG')).toBe('true')
    await next.stop()

    const old = await box.status()
    expect(old.problems).toEqual([
      expect.objectContaining({
        code: 'MOVED',
        message: expect.stringContaining('it was moved to elsewhere on'),
      }),
    ])
    await docker('restart', box.id)
    const code = (): Promise<string | null | undefined> => box.status().then((now) => now.problems[0]?.code)
    await until('it says so again', async () => (await code().catch(() => null)) === 'MOVED')
    await must(box, 'send', '--back')
    await box.ready()
    expect(await writers.lost()).toEqual([])
  })
})
